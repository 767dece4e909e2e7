"""The whole system as its users have it: every way in, what comes out, and what operators see of it."""

import asyncio
import json
import shutil
from pathlib import Path

import asyncpg
import httpx
import pytest

import schemas
from streams import topics
from streams.demo.client import Client, Subscriber
from streams.effects import Record
from streams.partition import partition_of
from streams.settings import load
from streams.supervisor import System
from tests.broker.tools import produce
from tests.loans import encoded

PORTFOLIO = {
    "portfolio": "all",
    "currency": "USD",
    "size": "100000.00",
    "bid_max": "1000.00",
    "buckets": [{"name": "any", "share_percent": 100}],
}
HEADERS = (("originator", b"bluebird"),)


def home(asset):
    return partition_of(f"bluebird/{asset}".encode(), topics.INGEST.partitions)


@pytest.mark.broker
async def test_a_loan_book_goes_in_by_every_way_and_investments_come_out(tmp_path):
    variables = {"TRANCHE_CATALOG": str(catalog(tmp_path)), "TRANCHE_OPS_PORT": "0", "TRANCHE_GATEWAY_PORT": "0"}
    settings = load({"TRANCHE_HOME": str(tmp_path / "home"), **variables})
    async with System(settings) as system:
        client = Client(system.gateway_url, system.ops_urls, system.settings.secret)
        await client.place("anna", PORTFOLIO)
        book = tmp_path / "book.bson"
        book.write_bytes(encoded("A1") + encoded("A2") + encoded("A3", days_past_due=-1))
        batch = await client.deliver("bluebird", book, lambda _: None)
        await produce(system.kafka, by_the_originator_itself())
        await client.processed("bluebird", batch)
        await eventually(lambda: versions(system.postgres), {f"A{n}": [1] for n in (1, 2, 4, 5, 6, 7, 8)})
        await eventually(lambda: outcome(client, batch), ("done with rejections", 2, ["days_past_due"]))

        await produce(system.kafka, [Record(topics.INGEST, None, encoded("A1") + encoded("A2", term_months=48), home("A1"), HEADERS)])
        await client.deliver("bluebird", book_of(tmp_path, encoded("A4"), encoded("A8")), lambda _: None)
        await eventually(lambda: versions(system.postgres), {"A1": [1], "A2": [1, 2], **{f"A{n}": [1] for n in (4, 5, 6, 7, 8)}})
        await eventually(lambda: invested(system.kafka), dict.fromkeys(("A1", "A2", "A4", "A5", "A6", "A7", "A8"), 100_000))
        await client.close()
        told = {("investment.made", f"A{n}") for n in (1, 2, 4, 5, 6, 7, 8)} | {("asset.rejected", "A3")}
        await eventually(lambda: notices(tmp_path / "notices"), told)
        await the_operator_sees(system.ops_url)


def catalog(folder):
    """The usual one, but bluebird gets its notices into a folder."""
    made = folder / "catalog"
    shutil.copytree(Path(schemas.__file__).parent / "products", made / "products")
    told = {"originator": "bluebird", "name": "B", "deliver_to": (folder / "notices").as_uri(), "deliver_after_s": 1}
    (made / "originators.yaml").write_text(json.dumps([told]))
    return made


async def notices(folder):
    files = sorted(folder.glob("*.jsonl"))
    assert [file.name for file in files] == [f"bluebird-{number:012}.jsonl" for number in range(1, len(files) + 1)]
    return {(event["event"], event["asset"]) for file in files for event in map(json.loads, file.read_text().splitlines())}


def by_the_originator_itself():
    """One document a message, many in one, and one in a partition where it does not belong."""
    away = (home("A8") + 1) % topics.INGEST.partitions
    return [
        Record(topics.INGEST, b"bluebird/A4", encoded("A4"), None, HEADERS),
        Record(topics.INGEST, b"bluebird/A5", encoded("A5"), None, HEADERS),
        Record(topics.INGEST, None, encoded("A6") + encoded("A7"), home("A6"), HEADERS),
        Record(topics.INGEST, None, encoded("A8"), away, HEADERS),
    ]


def book_of(folder, *documents):
    book = folder / "again.bson"
    book.write_bytes(b"".join(documents))
    return book


async def eventually(look, expected, limit_s=60.0):
    """Look until it is as expected, or for so long."""
    end = asyncio.get_running_loop().time() + limit_s
    while (found := await look()) != expected and asyncio.get_running_loop().time() < end:  # noqa: ASYNC110 - it is looked at from outside
        await asyncio.sleep(0.2)
    assert found == expected


async def outcome(client, batch):
    status = await client.batch("bluebird", batch)
    return status["state"], status["counts"]["created"], [reason["field"] for reason in status["reasons"]]


async def invested(kafka):
    return {investment.asset: investment.amount_cents for investment in await Subscriber(kafka).investments()}


async def versions(dsn):
    connection = await asyncpg.connect(dsn)
    rows = await connection.fetch("SELECT asset, array_agg(version ORDER BY version) AS versions FROM asset_versions GROUP BY asset")
    await connection.close()
    return {row["asset"]: row["versions"] for row in rows}


async def the_operator_sees(url):
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=30) as ops:
        pages = ["/", "/lag", "/assets/bluebird/A2", "/rejections", "/metrics", "/health/ready"]
        answers = dict(zip(pages, await asyncio.gather(*(ops.get(page) for page in pages)), strict=True))
        assert {page: answer.status_code for page, answer in answers.items()} == dict.fromkeys(pages, 200)
        assert "terms_changed" in (await ops.get("/assets/bluebird/A2?format=json")).text
        assert (await ops.get("/rejections?format=json")).json()[0]["asset"] == "A3"
