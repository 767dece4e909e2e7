"""New products while documents flow: real workers, one of them killed around the switch, and the command that publishes."""

import asyncio
import json
import re
import shutil
import signal
import sys
from os import kill

import asyncpg
import httpx
import pytest

from schemas.columns import ASSESSED, CHANGED, decode
from streams import topics
from streams.changelog import OFFSET, parse
from streams.effects import Record
from streams.settings import load
from streams.supervisor import System
from tests.broker.test_whole import eventually
from tests.broker.tools import committed, produce
from tests.loans import encoded

USD = "consumer-loan-usd"
HEADERS = (("originator", b"bluebird"), ("batch", b"b"))
ASSETS = 30


def documents(round_):
    """A document of each asset, another one in each round."""
    return [
        Record(topics.INGEST, f"bluebird/A{n}".encode(), encoded(f"A{n}", term_months=24 + round_), None, HEADERS) for n in range(ASSETS)
    ]


async def tranche(home, *arguments):
    """The command, on the system of this home: its output, or what it refused."""
    command = (sys.executable, "-m", "streams.cli", *arguments, "--home", str(home))
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    out, err = await process.communicate()
    return (out if process.returncode == 0 else err).decode()


def edited(catalog, version, price_bp):
    """The product's file with another version, all groups at one price."""
    file = catalog / "products" / f"{USD}.yaml"
    text = re.sub(r"price_bp: \d+", f"price_bp: {price_bp}", file.read_text())
    file.write_text(re.sub(r"(?m)^version: .*", f"version: {version}", text))
    return file


async def by_partition(kafka, topic, schema):
    """The rows of a topic by partition, in order."""
    found = {}
    for record in await committed(kafka, topic):
        found.setdefault(record.partition, []).extend(decode(record.value, schema).to_pylist())
    return found


@pytest.mark.broker
async def test_all_workers_switch_while_documents_flow_and_nothing_is_lost_or_of_two_versions(tmp_path):
    catalog = tmp_path / "catalog"
    shutil.copytree(load({}).catalog, catalog, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    home = tmp_path / "home"
    given = {"TRANCHE_HOME": str(home), "TRANCHE_CATALOG": str(catalog), "TRANCHE_OPS_PORT": "0"}
    async with System(load(given), workers=2, gateway=False) as system:
        rounds = 0

        async def flow(last):
            nonlocal rounds
            while rounds < last:
                await produce(system.kafka, documents(rounds))
                rounds += 1

        async def publish(version, price_bp):
            edited(catalog, version, price_bp)
            assert await tranche(home, "products", "publish") == told(f"{USD}: version {version} is published")

        def told(*lines):
            return "\n".join(["consumer-loan-eur: version 2 is there already", *lines, ""])

        await flow(3)
        flowing = asyncio.create_task(flow(16))
        await publish(3, 9_777)
        kill(system.pids["worker-1"], signal.SIGKILL)
        await publish(4, 9_666)
        await flowing
        await flow(18)

        async def done():
            connection = await asyncpg.connect(system.postgres)
            stored = await connection.fetchval("SELECT count(*) FROM asset_versions")
            await connection.close()
            return stored

        await eventually(done, ASSETS * rounds)
        changed = await by_partition(system.kafka, topics.CHANGED, CHANGED)
        assessed = await by_partition(system.kafka, topics.ASSESSED, ASSESSED)
        every = [row for rows in assessed.values() for row in rows]
        assert sorted((row["asset_id"], row["version"]) for row in every) == sorted(
            (f"A{n}", version) for n in range(ASSETS) for version in range(1, rounds + 1)
        )
        for number, rows in changed.items():
            versions = [row["product_version"] for row in rows]
            assert versions == sorted(versions), f"partition {number}"
            taken = [{name: row[name] for name in CHANGED.names} for row in assessed[number]]
            assert taken == rows
        prices = {version: {row["price_bp"] for row in every if row["product_version"] == version} for version in (2, 3, 4)}
        assert (len(prices[2]) > 0, prices[3] <= {9_777}, prices[4]) == (True, True, {9_666})
        steps = {}
        for record in await committed(system.kafka, topics.INTAKE_TABLE):
            if record.key == OFFSET:
                steps.setdefault(record.partition, []).append(parse(record.value)[2])
        assert all(offsets == sorted(offsets) for offsets in steps.values())

        async def worker_knows():
            pages = []
            async with httpx.AsyncClient(trust_env=False) as ops:
                for url in system.ops_urls:
                    page = (await ops.get(f"{url}/products?format=json")).json()
                    pages.append({(row["product"], row["version"], row["newest"]) for row in page["products"]})
            return pages

        known = {("consumer-loan-eur", 2, True), (USD, 2, False), (USD, 3, False), (USD, 4, True)}
        await eventually(worker_knows, [known, known])
        assert await tranche(home, "products", "publish", "--check") == told(f"{USD}: version 4 is there already")
        listed = json.loads(await tranche(home, "products", "--json"))["products"]
        assert {(row["product"], row["version"], row["newest"]) for row in listed} == known
        file = edited(catalog, 4, 9_555)
        refused = await tranche(home, "products", "publish")
        assert f"{file}:" in refused
        assert "version: 4 is published and says something else; raise it to 5" in refused
