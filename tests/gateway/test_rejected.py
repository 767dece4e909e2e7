"""The rejected documents of a batch are given back: whole ones, byte for byte, in the order of the file."""

import asyncio
from os import getpid
from urllib.parse import urlsplit

import asyncpg
import bson
import httpx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agents.merger.agent import sinks
from schemas import catalog, events
from streams import queries, topics
from streams.frames import split
from streams.gateway.limits import Limits
from streams.store import migrate
from tests.database import Proxy, feed, message

BATCH = "bluebird.1"
SINKS = {sink.source: sink for sink in sinks(catalog.Catalog({}, {}, ()))}


def document(number, size=0):
    return bson.encode({"originator_id": "bluebird", "asset_id": f"loan-{number}", "note": "x" * size})


async def fill(store, rejected, batch=BATCH):
    """Write a batch of bluebird and its rejections, {position: document}, as the merger does."""
    received = events.BatchReceived(batch, "bluebird", len(rejected), 0, "")
    await feed(store, SINKS[topics.BATCHES], [message(topics.BATCHES, events.encode(received))])
    letters = [events.Rejected(batch, "bluebird", "", at, "", "is NaN", "", doc) for at, doc in rejected.items()]
    partitions = [
        [message(topics.REJECTED, events.encode(letter), n, partition) for n, letter in enumerate(letters[partition::3])]
        for partition in range(3)
    ]
    for some in partitions:
        if some:
            await feed(store, SINKS[topics.REJECTED], some)


async def get(client, batch=BATCH, kind="originator", name="bluebird"):
    return await client.get(f"/batches/{batch}/rejected", headers=client.token(kind, name))


@pytest.mark.parametrize(("kind", "name"), [("originator", "bluebird"), ("operator", "ops")])
async def test_they_come_in_the_order_of_the_file_however_they_were_written(serve, database, store, kind, name):
    rejected = {at: document(at) for at in (900, 30, 7, 500, 0, 2**40)}
    await fill(store, rejected)
    async with serve(postgres=database) as client:
        response = await get(client, kind=kind, name=name)
    assert (response.status_code, response.headers["Content-Type"]) == (200, "application/bson")
    assert response.headers["Tranche-Incomplete"] == "0"
    assert response.content == b"".join(rejected[at] for at in sorted(rejected))


@pytest.mark.parametrize("page_bytes", [1, 1000, 10_000_000])
async def test_every_page_size_gives_every_document_once(serve, database, store, page_bytes):
    rejected = {at: document(at, size=at * 37 % 400) for at in range(1500 if page_bytes > 1 else 50)}
    await fill(store, rejected)
    async with serve(postgres=database, limits=Limits(page_bytes=page_bytes)) as client:
        assert (await get(client)).content == b"".join(rejected.values())


async def test_a_page_ends_with_the_document_that_fills_it(database, store):
    await fill(store, {at: document(at, size=60_000) for at in range(20)})
    place, pages = None, []
    while (page := await queries.rejected(await store.pool(), BATCH, place, 256 * 1024))[0]:
        docs, place = page
        pages.append(docs)
    assert [len(docs) for docs in pages] == [5, 5, 5, 5]


async def test_what_several_records_have_at_one_position_is_all_given_back(serve, database, store):
    await fill(store, {0: document(0)})
    letters = [events.Rejected(BATCH, "bluebird", "", 0, "", "is NaN", "", document(n)) for n in range(1, 40)]
    await feed(store, SINKS[topics.REJECTED], [message(topics.REJECTED, events.encode(one), n, 5) for n, one in enumerate(letters)])
    async with serve(postgres=database, limits=Limits(page_bytes=200)) as client:
        assert split((await get(client)).content)[0] == [document(n) for n in range(40)]


async def test_what_is_not_kept_whole_is_left_out_and_counted(serve, database, store):
    head = document(2, size=100_000)[:4096]
    await fill(store, {0: document(0), 100: head, 200: document(1)[:-1], 300: document(3), 400: b"", 500: b"\0\0\0"})
    async with serve(postgres=database) as client:
        response = await get(client)
    assert response.content == document(0) + document(3)
    assert response.headers["Tranche-Incomplete"] == "4"


async def test_a_batch_without_rejections_has_none(serve, database, store):
    await fill(store, {})
    await fill(store, {0: document(0)}, "bluebird.2")
    async with serve(postgres=database) as client:
        response = await get(client)
    assert (response.status_code, response.content, response.headers["Tranche-Incomplete"]) == (200, b"", "0")


async def test_it_is_nobody_elses_and_an_unknown_one_is_404(serve, database, store):
    await fill(store, {0: document(0)})
    async with serve(postgres=database) as client:
        for kind, name in (("originator", "harbor"), ("investor", "bluebird")):
            assert (await get(client, kind=kind, name=name)).status_code == 403
        assert (await get(client, batch="bluebird.2")).status_code == 404
    async with serve() as client:
        response = await get(client)
    assert (response.status_code, response.json()["type"]) == (503, "urn:tranche:problem:database-unavailable")


async def test_a_database_that_goes_meanwhile_breaks_the_answer_off(serve, database, store):
    await fill(store, {at: document(at, size=60_000) for at in range(100)})
    asked = 0

    def judge(data):
        nonlocal asked
        asked += data.count(BATCH.encode())
        return "cut" if asked > 5 else "pass"  # the status, its reasons, the count, two pages

    async with Proxy(database, judge) as proxy, serve(postgres=proxy.dsn) as client:
        with pytest.raises(httpx.RemoteProtocolError, match="incomplete"):
            await get(client)


@pytest.fixture(scope="module")
def complete(postgres):
    """Call it with documents: which of them the database takes for whole."""
    name = f"rejected_{getpid()}"
    dsn = urlsplit(postgres)._replace(path=f"/{name}").geturl()
    insert = "INSERT INTO rejections VALUES ('t', 0, $1, 'bluebird', 'b', '', 0, '', '', '', $2, now())"

    async def make():
        server = await asyncpg.connect(postgres)
        await server.execute(f"CREATE DATABASE {name}")
        await server.close()
        await migrate(dsn)

    async def ask(docs):
        connection = await asyncpg.connect(dsn)
        await connection.execute("DELETE FROM rejections")
        await connection.executemany(insert, list(enumerate(docs)))
        rows = await connection.fetch("SELECT complete FROM rejections ORDER BY record_offset")
        await connection.close()
        return [row["complete"] for row in rows]

    asyncio.run(make())
    return lambda docs: asyncio.run(ask(docs))


documents = st.binary(max_size=30).map(lambda data: bson.encode({"": data}))
bounds = [b"", b"\5\0\0\0\0", b"\5\0\0\0\1", b"\5\0\0\x80\0", b"\4\0\0\0", b"\5\0\0\0\0\0", b"\6\0\0\0\0\0", document(0, 40_000)]
parts = st.sampled_from(bounds) | documents | st.binary(max_size=12) | documents.map(lambda doc: doc[:-1])


@settings(max_examples=30)
@given(docs=st.lists(parts, min_size=20, max_size=40))
@example(docs=bounds)
def test_the_database_and_the_frames_agree_on_what_is_whole(complete, docs):
    assert complete(docs) == [split(doc) == ([doc], None) for doc in docs]
