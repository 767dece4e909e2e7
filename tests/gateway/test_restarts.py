"""A restart sends what undoes a batch, each document with the version that it follows, and then the batch again."""

import bson
import pytest

from agents.merger.agent import sinks
from schemas import catalog, events
from streams import topics
from streams.backups import Backup, Backups
from streams.frames import split
from streams.gateway.chunks import Chunk, positions_of
from streams.supersession import HEADER, STALE, unpack
from tests.database import assessed, feed, message

SINKS = {sink.source: sink for sink in sinks(catalog.Catalog({}, {}, ()))}
BAD, LATER = "bluebird.20261123T081844-10455e", "bluebird.20261123T091844-10455e"
SECOND_MS = 1_795_421_924_000


def version(number, asset, batch, **more):
    return {"asset_id": asset, "version": number, "batch": batch, "updated_at": None, "issued": 17_600, **more}


def book(loans):
    return [bson.encode({"originator_id": "bluebird", "asset_id": f"loan-{n}"}) for n in range(loans)]


@pytest.fixture
def told(store):
    """Call it with batches: has the merger store that each was received, whole, and what its `created` documents came to."""

    async def tell(*batches, documents=1, created=1):
        for n, batch in enumerate(batches):
            received = events.BatchReceived(batch, "bluebird", documents, 0, "")
            counted = events.BatchProgress(batch, "bluebird", {"created": created})
            at = await store.next_offset("merger.batches", topics.BATCHES.name, 0)
            both = [
                message(topics.BATCHES, events.encode(event), at + i, 0, SECOND_MS + 1000 * n)
                for i, event in enumerate((received, counted))
            ]
            await feed(store, SINKS[topics.BATCHES], both)

    return tell


@pytest.fixture
async def backups(tmp_path):
    """URL of a store that has a backup of BAD: loans 0 to 1,499."""
    url = (tmp_path / "backups").as_uri()

    async def pieces():
        yield b"".join(book(1500))

    store = Backups(url)
    await store.put(BAD, pieces())
    await store.seal(Backup(BAD, "bluebird", len(b"".join(book(1500))), "", 1500))
    return url


async def restart(client, query="", batch=BAD, kind="operator", name="ops"):
    return await client.post(f"/batches/{batch}/restart{query}", headers=client.token(kind, name))


async def sent(published, batch):
    """By position: each document of a batch, and what it supersedes."""
    found = {}
    for record in await published(topics.INGEST):
        headers = dict(record.headers)
        if headers["batch"].decode() == batch:
            docs, _ = split(record.value)
            entries = unpack(headers[HEADER]) if HEADER in headers else [None] * len(docs)
            positions = positions_of(Chunk(0, b"", headers["positions"], len(docs)))
            found.update(zip(positions, zip(docs, entries, strict=True), strict=True))
    return [found[position] for position in sorted(found)]


async def test_each_asset_of_the_batch_gets_the_version_before_it_or_a_recall_and_later_ones_are_left_alone(
    serve, kafka, database, store, told, backups, published, tmp_path
):
    before = [version(1, f"loan-{n}", "bluebird.0", digest=bytes([n % 256] * 16)) for n in range(900)]
    bad = [version(2, f"loan-{n}", BAD) for n in range(900)] + [version(1, f"loan-{n}", BAD) for n in range(900, 1200)]
    later = [version(3, f"loan-{n}", LATER) for n in range(500)]
    await feed(store, SINKS[topics.ASSESSED], [message(topics.ASSESSED, assessed(*before, *bad, *later))])
    await told("bluebird.0", BAD, LATER, documents=1200, created=1200)
    async with serve(kafka, database, HOME=tmp_path, BACKUPS=backups) as client:
        answer = (await restart(client, "?drop=true")).json()
    dropped = answer["dropped"]
    assert (dropped["restored"], dropped["recalled"], dropped["kept"]) == (400, 300, 500)
    undone = await sent(published, dropped["batch"])
    assert len(undone) == 700
    follows = {bson.decode(doc)["asset_id"]: (bson.decode(doc)["status"], entry.version, entry.digest) for doc, entry in undone}
    assert {name: one[:2] for name, one in follows.items()} == {
        f"loan-{n}": ("current", 2) if n < 900 else ("recalled", 1) for n in range(500, 1200)
    }
    assert all(follows[f"loan-{n}"][2] == bytes([n % 256] * 16) for n in range(500, 900))
    again = await sent(published, answer["batch"])
    assert [doc for doc, _ in again] == book(1500)
    assert [entry == STALE for _, entry in again] == [n < 500 for n in range(1500)]
    received = [event for r in await published(topics.BATCHES) if (event := events.decode_batch(r.value)).restart_of]
    assert {(event.batch, event.way, event.sender, event.restart_of) for event in received} == {
        (dropped["batch"], "drop", "operator ops", BAD),
        (answer["batch"], "restart", "operator ops", BAD),
    }


@pytest.mark.parametrize(
    ("created", "stored", "query", "status", "kind"),
    [
        (0, 0, "", 409, "unfinished-batch"),
        (1, 0, "?drop=true", 409, "unfinished-batch"),
        (1, 1, "?drop=yes", 400, "invalid-parameter"),
    ],
)
async def test_what_cannot_be_restarted_is_refused_and_nothing_is_done(
    serve, kafka, database, store, told, backups, published, tmp_path, created, stored, query, status, kind
):
    await told(BAD, created=created)
    if stored:
        await feed(store, SINKS[topics.ASSESSED], [message(topics.ASSESSED, assessed(version(1, "loan-1", BAD)))])
    async with serve(kafka, database, HOME=tmp_path, BACKUPS=backups) as client:
        answer = await restart(client, query)
    assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (status, kind)
    assert await published(topics.INGEST) == []


async def test_without_a_backup_a_batch_cannot_be_restarted_and_others_have_no_say_in_it(serve, kafka, database, told, tmp_path):
    await told(BAD, LATER)
    async with serve(kafka, database, HOME=tmp_path, BACKUPS=tmp_path.as_uri()) as client, serve(kafka, database) as without:
        answers = [await restart(client), await restart(without), await restart(client, batch="bluebird.none")]
        assert [answer.status_code for answer in answers] == [409, 409, 404]
        assert (await restart(client, kind="originator", name="harbor")).status_code == 403
        assert (await restart(client, kind="originator", name="bluebird")).status_code == 409
