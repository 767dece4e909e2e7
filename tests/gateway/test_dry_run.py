"""`?dry_run=true`: what a book would come to, over HTTP; nothing is changed."""

import asyncio
import gzip

import asyncpg
import psutil
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.asset import OUTCOMES
from streams import topics
from streams.dry_run.__main__ import READ_ONLY
from streams.gateway.limits import Limits
from tests.database import Proxy
from tests.loans import encoded

PATH = "/originators/bluebird/batches?dry_run=true"


def documents(count):
    return [encoded(f"L{n}", **({"rate": 0.5} if n % 5 == 4 else {})) for n in range(count)]


async def dry(client, content, **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.post(PATH, content=content, headers={**client.token("originator", "bluebird"), **headers})


def processes():
    """Those of dry runs that this process has started."""
    return [child for child in psutil.Process().children() if _is_dry_run(child)]


def _is_dry_run(child):
    try:
        return "streams.dry_run" in child.cmdline()
    except psutil.ZombieProcess:  # killed, and its end is not taken note of yet
        return True
    except psutil.NoSuchProcess:
        return False


async def ended():
    async with asyncio.timeout(20):
        while processes():  # noqa: ASYNC110 - another process has no event of ours
            await asyncio.sleep(0.02)


async def everything(kafka, dsn):
    """Where every topic ends, and how many rows each table has."""
    async with AIOKafkaConsumer(bootstrap_servers=kafka) as consumer:
        ends = await consumer.end_offsets([TopicPartition(t.name, p) for t in topics.ALL for p in range(t.partitions)])
    connection = await asyncpg.connect(dsn)
    tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    rows = {name: await connection.fetchval(f"SELECT count(*) FROM {name}") for (name,) in tables}
    await connection.close()
    return ends, rows


async def test_it_answers_what_a_book_would_come_to_and_changes_nothing(serve, kafka, database):
    docs = documents(1000)
    before = await everything(kafka, database)
    async with serve(kafka, database) as client:
        plain = await dry(client, b"".join(docs))
        zipped = await dry(client, gzip.compress(b"".join(docs)), Content_Encoding="gzip")
        files = {"book": ("book.bson", b"".join(docs), "application/bson")}
        form = await client.post(PATH, files=files, headers=client.token("originator", "bluebird"))
    answer = plain.json()
    assert plain.status_code == 200
    assert answer["counts"] == {**dict.fromkeys(OUTCOMES, 0), "created": 800, "rejected": 200}
    at = sum(map(len, docs[:4]))
    assert answer["errors"][0] == {"position": at, "asset": "L4", "field": "rate", "reason": "must be a Decimal128, is double"}
    assert (len(answer["errors"]), answer["products"][0]["assets"], answer["problem"]) == (200, 800, None)
    same = [{**response.json(), "compared_at": answer["compared_at"]} for response in (zipped, form)]
    assert same == [answer, answer]
    assert await everything(kafka, database) == before
    await ended()


async def test_what_an_upload_would_be_refused_for_is_its_problem(serve, kafka, database):
    docs = b"".join(documents(3))
    digest = "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"
    async with serve(kafka, database) as client:
        broken = (await dry(client, docs + b"\1\0\0\0" + docs * 3000)).json()
        other = (await dry(client, docs, Content_Digest=digest)).json()
        damaged = (await dry(client, gzip.compress(docs)[:-9], Content_Encoding="gzip")).json()
    assert (broken["problem"]["type"], broken["problem"]["position"]) == ("urn:tranche:problem:bad-sequence", len(docs))
    assert (other["problem"]["type"], other["problem"]["expected"]) == ("urn:tranche:problem:wrong-digest", digest[8:])
    assert damaged["problem"]["type"] == "urn:tranche:problem:bad-coding"
    assert [answer["counts"]["created"] for answer in (broken, other)] == [3, 3]


async def test_a_client_that_goes_away_ends_it(serve, kafka, database):
    sent = asyncio.Event()

    async def endless():
        while True:
            yield documents(1)[0]
            if processes():
                sent.set()

    async with serve(kafka, database, limits=Limits(dry_runs=1)) as client:
        going = asyncio.create_task(dry(client, endless()))
        await sent.wait()
        response = await dry(client, b"")
        assert (response.status_code, response.json()["type"]) == (503, "urn:tranche:problem:too-many-dry-runs")
        going.cancel()
        await ended()
        assert (await dry(client, b"")).status_code == 200
    await ended()


async def test_without_a_database_that_answers_it_is_503(serve, kafka, alone, database):
    async with serve(kafka, "postgresql://tranche@127.0.0.1:1/tranche") as away:
        for client in (alone, away):
            response = await dry(client, b"".join(documents(3)))
            assert (response.status_code, response.json()["type"]) == (503, "urn:tranche:problem:database-unavailable")
    async with Proxy(database, lambda data: "cut" if b"asset_versions" in data else "pass") as proxy, serve(kafka, proxy.dsn) as client:
        response = await dry(client, b"".join(documents(30_000)))
        assert (response.status_code, response.json()["type"]) == (503, "urn:tranche:problem:database-unavailable")
    await ended()


async def test_it_is_bounded_in_time(serve, kafka, database):
    async with serve(kafka, database, limits=Limits(dry_run_s=0.05)) as client:
        response = await dry(client, b"".join(documents(3)))
    assert (response.status_code, response.json()["type"]) == (503, "urn:tranche:problem:dry-run-failed")
    await ended()


@pytest.mark.parametrize(("query", "name", "status"), [("maybe", "bluebird", 400), ("true", "harbor", 403), ("false", "bluebird", 503)])
async def test_only_its_originator_may_ask_and_only_true_asks(alone, query, name, status):
    response = await alone.post(f"/originators/bluebird/batches?dry_run={query}", headers=alone.token("originator", name))
    assert response.status_code == status


async def test_its_session_cannot_write(database):
    connection = await asyncpg.connect(database, server_settings=READ_ONLY)
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        await connection.execute("DELETE FROM batches")
    await connection.close()
