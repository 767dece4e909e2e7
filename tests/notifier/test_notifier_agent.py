"""From the published topics to the spool."""

import json

import pytest

from agents.notifier.agent import sinks
from agents.notifier.notices import UnreadableError
from schemas import events
from schemas.catalog import Catalog, Originator
from streams import topics
from tests.database import feed, investment, message

TOLD = {"bluebird": Originator("bluebird", "B", deliver_to="file:///notices"), "harbor": Originator("harbor", "H")}
SOLD, RELEASED, REJECTED = sinks(Catalog({}, TOLD, ()))
BACK = events.Released("p/1", "p", "bluebird", "x", 1, "EUR", 5, (), 'no answer: "a, b"')
DOCUMENT = events.Rejected("b1", "bluebird", "x", 7, "rate", "a NUL \0 in it", "t-0-1", b"\0\xff")


async def spooled(sql):
    return [(row["originator"], json.loads(row["event"])) for row in await sql.fetch("SELECT * FROM notices ORDER BY number")]


async def test_what_was_sold_released_and_refused_is_spooled_as_it_is_published(store, sql):
    await feed(store, SOLD, [message(topics.INVESTMENTS, investment(n), n, timestamp_ms=1_700_000_000_120 + n) for n in (3, 4)])
    await feed(store, REJECTED, [message(topics.REJECTED, events.encode(DOCUMENT), 9, timestamp_ms=0)])
    await feed(store, RELEASED, [message(topics.RELEASED, events.encode(BACK), 2, timestamp_ms=1)])
    first, second, refused, back = await spooled(sql)
    places = [tuple(row) for row in await sql.fetch("SELECT topic, partition, record_offset FROM notices ORDER BY number")]
    assert places == [("investments", 0, 3), ("investments", 0, 4), ("assets.rejected", 0, 9), ("investments.released", 0, 2)]
    assert first == ("bluebird", {"at": "2023-11-14T22:13:20.123Z", **json.loads(investment(3))})
    assert second[1]["investment"] == "bluebird/loan-7/1/4"
    assert refused == ("bluebird", {"at": "1970-01-01T00:00:00.000Z", **{k: v for k, v in fields(DOCUMENT).items() if k != "document"}})

    assert back == ("bluebird", {"at": "1970-01-01T00:00:00.001Z", **fields(BACK)})


def fields(event):
    return json.loads(events.encode(event))


async def test_an_event_is_spooled_once_however_often_it_is_read(store, sql):
    messages = [message(topics.INVESTMENTS, investment(n), n) for n in range(5)]
    await feed(store, SOLD, messages[:3])
    at = await store.next_offset(SOLD.name, SOLD.source.name, 0)
    await feed(store, SOLD, [m for m in messages if m.offset >= at])
    assert [event["investment"] for _, event in await spooled(sql)] == [f"bluebird/loan-7/1/{n}" for n in range(5)]


async def test_an_originator_without_a_delivery_is_told_nothing(store, sql):
    of_both = [investment(0, originator="harbor"), investment(1), investment(2, originator="unlisted")]
    await feed(store, SOLD, [message(topics.INVESTMENTS, value, n) for n, value in enumerate(of_both)])
    assert [originator for originator, _ in await spooled(sql)] == ["bluebird"]
    assert await store.next_offset(SOLD.name, SOLD.source.name, 0) == 3


def test_an_event_of_another_version_is_named():
    with pytest.raises(UnreadableError, match=r"investments-0-5: .*same version"):
        SOLD.compute([message(topics.INVESTMENTS, b'{"event":"investment.unmade"}', 5)])
