"""The same file sent again is recognised and answered with the first batch, and its documents are accounted for all the same."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest

from agents.merger.agent import sinks
from schemas import catalog
from schemas.events import BatchReceived, decode_batch
from streams import queries, topics
from streams.gateway import inbox
from streams.gateway.recognition import Content, Received, first_of
from tests.database import feed, message

SINK = {sink.source: sink for sink in sinks(catalog.Catalog({}, {}, ()))}[topics.BATCHES]
A, B = Content("a", 1), Content("b", 1)
START = datetime(2026, 11, 23, tzinfo=UTC)


def sent(name, content, began, received):
    return Received(name, START + timedelta(seconds=began), START + timedelta(seconds=received), content)


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ([], ""),
        ([sent("1", A, 0, 1)], "1"),
        ([sent("1", A, 0, 1), sent("2", A, 2, 3)], "1"),
        ([sent("1", B, 0, 1)], ""),
        ([sent("1", B, 0, 1), sent("2", A, 2, 3)], "2"),
        ([sent("1", A, 0, 1), sent("2", B, 2, 3)], ""),
        ([sent("1", A, 0, 1), sent("2", B, 2, 3), sent("3", A, 4, 5)], "3"),
        ([sent("1", A, 0, 3), sent("2", B, 1, 2)], ""),  # side by side: nobody knows whose documents came last
        ([sent("1", A, 0, 1), sent("2", None, 2, 3)], ""),  # part of a file
    ],
)
def test_a_file_is_recognised_if_nothing_else_came_since(before, expected):
    for known in permutations(before):
        assert first_of(A, None, known) == expected
        stored = [batch for batch in known if batch.content == A]
        others = [batch.received for batch in known if batch.content != A]
        assert first_of(A, max(others, default=None), stored) == expected


@pytest.fixture
async def send(serve, kafka, database):
    """Call it with documents: uploads them to one gateway, or to `other`; the answer. Only `show` brings the database up to date."""
    async with serve(kafka, database) as first, serve(kafka, database) as second:

        async def send(docs, query="", originator="bluebird", *, other=False):
            client = second if other else first
            headers = client.token("originator", originator)
            return await client.post(f"/originators/{originator}/batches{query}", content=b"".join(docs), headers=headers)

        yield send


@pytest.fixture
def show(published, store):
    """Have the database show what was received by now, as the merger does."""

    async def show():
        for partition in range(topics.BATCHES.partitions):
            records = [r for r in await published(topics.BATCHES) if r.partition == partition]
            at = await store.next_offset(SINK.name, topics.BATCHES.name, partition)
            new = [message(topics.BATCHES, r.value, r.offset, partition, r.timestamp) for r in records if r.offset >= at]
            if new:
                await feed(store, SINK, new)

    return show


@pytest.mark.parametrize("stored", [False, True])
async def test_the_second_sending_is_answered_with_the_first_batch_and_is_one_of_its_own(send, show, store, published, book, stored):
    first = (await send(book(3))).json()
    if stored:
        await show()
    answers = [await send(book(3), other=stored), await send(book(3), other=stored)]
    ids = [answer.json()["counted_as"] for answer in answers]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert [answer.json() for answer in answers] == [{**first, "recognised": True, "counted_as": own} for own in ids]
    assert len({first["batch"], *ids}) == 3
    await show()
    pool = await store.pool()
    found = {batch["batch"]: batch for batch in await queries.batches(pool)}
    assert {name: batch["same_as"] for name, batch in found.items()} == {first["batch"]: "", **dict.fromkeys(ids, first["batch"])}
    assert all((batch["documents"], batch["state"]) == (3, "processing") for batch in found.values())
    assert {(batch["way"], batch["sender"]) for batch in found.values()} == {("upload", "originator bluebird")}
    assert all(batch["began_at"] <= batch["received_at"] <= batch["last_event"] for batch in found.values())
    ingested = [dict(record.headers)["batch"].decode() for record in await published(topics.INGEST)]
    assert set(ingested) == {first["batch"], *ids}


@pytest.mark.parametrize("stored", [False, True])
async def test_after_another_file_the_first_one_again_is_a_correction_and_a_new_batch(send, show, book, stored):
    for docs in (book(3), book(2)):
        assert (await send(docs)).status_code == 202
    if stored:
        await show()
    assert (await send(book(3), other=stored)).status_code == 202
    assert (await send(book(3), other=stored)).status_code == 200


async def test_what_is_forced_is_a_new_batch_and_what_is_neither_true_nor_false_is_400(send, book):
    answers = [await send(book(3), query) for query in ("", "?force=true", "?force=false", "?force=1")]
    assert [answer.status_code for answer in answers] == [202, 202, 200, 400]
    assert answers[3].json()["field"] == "force"


async def test_another_originators_file_is_another_file(send, book):
    assert [(await send(book(3), originator=name)).status_code for name in ("bluebird", "harbor")] == [202, 202]


async def test_a_file_that_ended_early_is_not_the_same(send, book):
    assert (await send([*book(3), b"\1"])).status_code == 400
    assert (await send([*book(3), b"\1"])).status_code == 400
    assert (await send(book(3))).status_code == 202


async def test_without_an_answer_of_the_database_it_is_a_new_batch(serve, kafka, book):
    async with serve(kafka, "postgresql://tranche@127.0.0.1:1/tranche") as client:
        assert [(await client.upload(b"".join(book(3)))).status_code for _ in range(2)] == [202, 202]


async def test_a_recognised_file_in_a_folder_is_taken_with_the_same_answer(serve, kafka, database, tmp_path, published, book):
    async with serve(kafka, database, inbox=tmp_path):
        answers = []
        for name in ("one", "two"):
            async with asyncio.timeout(30):
                while not (tmp_path / "bluebird").is_dir():  # noqa: ASYNC110 - another thread makes it
                    await asyncio.sleep(0.05)
                (tmp_path / "bluebird" / name).write_bytes(b"".join(book(3)))
                while not (found := list(tmp_path.glob(f"bluebird/{inbox.TAKEN}/*/{name}"))):  # noqa: ASYNC110 - see above
                    await asyncio.sleep(0.05)
            answers.append((found[0].parent.name, json.loads((found[0].parent / "answer.json").read_bytes())))
    (first, receipt), (second, again) = answers
    assert again == {**receipt, "recognised": True, "counted_as": second}
    events = [event for r in await published(topics.BATCHES) if isinstance(event := decode_batch(r.value), BatchReceived)]
    assert {(event.batch, event.way, event.sender) for event in events} == {
        (first, "inbox", "bluebird/one"),
        (second, "inbox", "bluebird/two"),
    }
