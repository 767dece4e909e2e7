"""Model services as processes of their own, beside a real worker: up, killed, started again, babbling, and not there at all."""

import asyncio
import os
import shutil
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

import asyncpg
import httpx
import pytest
import yaml

import schemas
from schemas.columns import ASSESSED, decode
from streams import topics
from streams.effects import Record
from streams.embedded.ports import free_port
from streams.settings import inherited, load
from streams.supervisor import System
from tests.broker.babbler import WRONG, Babbler
from tests.broker.test_whole import eventually
from tests.broker.tools import committed, produce
from tests.loans import encoded

USD, EUR = "consumer-loan-usd", "consumer-loan-eur"
REFERENCE = "tranche-reference/1"
MANY = 300  # more than one question's


def catalog_of(folder, **services):
    """The usual one, but these products (by currency) have a service."""
    shutil.copytree(Path(schemas.__file__).parent / "products", folder / "products")
    shutil.copy(Path(schemas.__file__).parent / "originators.yaml", folder / "originators.yaml")
    for currency, service in services.items():
        file = folder / "products" / f"consumer-loan-{currency}.yaml"
        said = {"predicts": "classification", "fallback": "wait", "timeout_ms": 1000, "attempts": 2, **service}
        file.write_text(f"{file.read_text()}\n{yaml.safe_dump({'service': said})}")
    return folder


def settings_of(folder, catalog):
    given = {"HOME": folder / "home", "CATALOG": catalog, "OPS_PORT": 0}
    return load({f"TRANCHE_{name}": str(value) for name, value in given.items()})


@asynccontextmanager
async def reference(catalog, port):
    """`tranche model-service`, until it answers; the process."""
    command = (sys.executable, "-m", "streams.cli", "model-service", "--port", str(port))
    process = await asyncio.create_subprocess_exec(*command, env={**inherited(), "TRANCHE_CATALOG": str(catalog)})
    try:
        async with asyncio.timeout(30), httpx.AsyncClient(trust_env=False) as client:
            while process.returncode is None:
                try:
                    assert (await client.get(f"http://127.0.0.1:{port}/predict")).status_code == 405
                    break
                except httpx.TransportError:
                    await asyncio.sleep(0.1)
        assert process.returncode is None
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def loans(*names, product=USD, **more):
    currency = "EUR" if product == EUR else "USD"
    return [
        Record(topics.INGEST, f"bluebird/{name}".encode(), encoded(name, product=product, currency=currency, **more), None, HEADERS)
        for name in names
    ]


HEADERS = (("originator", b"bluebird"),)


async def stored(dsn):
    """Asset -> its versions in the database, each with who assessed it."""
    connection = await asyncpg.connect(dsn)
    rows = await connection.fetch("SELECT asset, version, model FROM asset_versions ORDER BY asset, version")
    await connection.close()
    found = {}
    for row in rows:
        found.setdefault(row["asset"], []).append((row["version"], row["model"]))
    return found


async def assessed_once(kafka):
    """Every version that is on `assets.assessed`, and that each is there once, in its order."""
    rows = [row for record in await committed(kafka, topics.ASSESSED) for row in decode(record.value, ASSESSED).to_pylist()]
    versions = {}
    for row in rows:
        versions.setdefault(row["asset_id"], []).append(row["version"])
    assert all(found == list(range(1, len(found) + 1)) for found in versions.values()), versions
    return sum(map(len, versions.values()))


async def waiting(system):
    """Lane -> why, of the partitions that wait for a service."""
    try:
        async with httpx.AsyncClient(base_url=system.ops_url, trust_env=False, timeout=10) as ops:
            rows = (await ops.get("/lag?format=json")).json()
    except httpx.TransportError:  # the worker is away for a moment
        return {}
    return {row["partition"]: row["why"].split(", since")[0] for row in rows if row["agent"] == "assessor.queried" and row["waiting_s"]}


async def lanes(system):
    return sorted(await waiting(system))


@pytest.mark.broker
async def test_a_services_product_waits_while_it_is_killed_and_others_go_on(tmp_path):
    port, names = free_port(), [f"A{n}" for n in range(MANY)]
    catalog = catalog_of(tmp_path / "catalog", usd={"url": f"http://127.0.0.1:{port}/predict", "lane": 3})
    async with System(settings_of(tmp_path, catalog), gateway=False) as system:

        async def versions():
            return await stored(system.postgres)

        async with reference(catalog, port) as service:
            await produce(system.kafka, [*loans(*names), *loans("E1", product=EUR)])
            first = {**{name: [(1, REFERENCE)] for name in names}, "E1": [(1, "built_in")]}
            await eventually(versions, first)
            service.kill()
            await service.wait()

        await produce(system.kafka, [*loans(*names, "A-new", term_months=48), *loans("E1", "E2", product=EUR, term_months=48)])
        meanwhile = {**first, "E1": [(1, "built_in"), (2, "built_in")], "E2": [(1, "built_in")]}
        await eventually(versions, meanwhile)
        await eventually(lambda: lanes(system), [3])
        assert f"model service of {USD}" in (await waiting(system))[3]
        async with httpx.AsyncClient(base_url=system.ops_url, trust_env=False, timeout=10) as ops:
            assert (await ops.get("/health/ready")).status_code == 200, "no start of the worker would help"
            assert "Waits for an outside service" in (await ops.get("/lag")).text
            gauges = [line for line in (await ops.get("/metrics")).text.splitlines() if line.startswith("tranche_waiting_seconds{")]
        assert [line for line in gauges if not line.endswith(" 0.0")] == [
            line for line in gauges if 'queried"' in line and 'partition="3"' in line
        ]

        os.kill(system.pids["worker-1"], signal.SIGKILL)  # what waits is nowhere but in the log
        await eventually(lambda: lanes(system), [3])
        assert await versions() == meanwhile
        async with reference(catalog, port):
            drained = {**meanwhile, "A-new": [(1, REFERENCE)], **{name: [(1, REFERENCE), (2, REFERENCE)] for name in names}}
            await eventually(versions, drained)
            await eventually(lambda: lanes(system), [])
        assert await assessed_once(system.kafka) == sum(map(len, drained.values()))


@pytest.mark.broker
async def test_wrong_answers_are_none_and_the_built_in_models_stand_in_where_the_product_says_so(tmp_path):
    babbler, port = Babbler(), free_port()
    services = {
        "usd": {"url": f"http://127.0.0.1:{babbler.port}/p", "lane": 0, "attempts": 1},
        "eur": {"url": f"http://127.0.0.1:{port}/predict", "lane": 1, "fallback": "built_in", "predicts": "cash_flow"},
    }
    catalog = catalog_of(tmp_path / "catalog", **services)
    async with babbler.serving(), System(settings_of(tmp_path, catalog), gateway=False) as system:

        async def versions():
            return await stored(system.postgres)

        await produce(system.kafka, loans("E1", product=EUR))
        found = {"E1": [(1, "built_in (fallback)")]}
        await eventually(versions, found)
        for n, (wrong, why) in enumerate(WRONG.items(), 1):
            babbler.wrong = wrong
            await produce(system.kafka, loans(f"A{n}"))
            await told(system, why)
            assert await versions() == found, wrong
            babbler.wrong = ""
            found |= {f"A{n}": [(1, "acme/2")]}
            await eventually(versions, found)
        assert await grades(system.postgres, "A1") == (7, "B")

        async with reference(catalog, port):

            async def reached():
                await produce(system.kafka, loans(f"E{monotonic()}", product=EUR))
                return any(one == [(1, REFERENCE)] for one in (await versions()).values())

            await eventually(reached, expected=True)  # once the breaker lets it be tried out
        total = sum(map(len, (await versions()).values()))
        babbler.wrong = "missing"
        await produce(system.kafka, loans("A-last"))
        await told(system, "not answered")
        assert await assessed_once(system.kafka) >= total
        began = monotonic()
        await system.stop()
        assert monotonic() - began < 60, "a worker that waits can be told to stop"


async def told(system, why):
    """Until the lane says why it waits. While the breaker is open, it says that."""
    end = monotonic() + 60
    while not any(why in said for said in (await waiting(system)).values()):
        assert monotonic() < end, (why, await waiting(system))
        await asyncio.sleep(0.1)


async def grades(dsn, asset):
    connection = await asyncpg.connect(dsn)
    row = await connection.fetchrow("SELECT score, risk_group FROM asset_versions WHERE asset = $1", asset)
    await connection.close()
    return tuple(row)
