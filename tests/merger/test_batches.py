from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from agents.merger import batches, rows
from agents.merger.agent import sinks
from schemas import catalog, events
from streams import queries, topics
from tests.database import feed, message

SINK, REJECTIONS = sinks(catalog.Catalog({}, {}, ()))[1:3]

progress = st.builds(
    events.BatchProgress,
    batch=st.sampled_from(["b1", "b2", "b3"]),
    originator=st.just("bluebird"),
    counts=st.dictionaries(st.sampled_from(batches.OUTCOMES), st.integers(0, 1000)),
)


def status(*told: events.Event, first: int = 0) -> list:
    return [message(topics.BATCHES, events.encode(event), offset=n, timestamp_ms=1_000 * n) for n, event in enumerate(told, first)]


def rejected(*told: events.Rejected) -> list:
    return [message(topics.REJECTED, events.encode(event), offset=n) for n, event in enumerate(told)]


def received(documents: int, **more) -> events.BatchReceived:
    return events.BatchReceived(batch="b1", originator="bluebird", documents=documents, bytes=documents * 300, digest="ab", **more)


def counted(**counts: int) -> events.BatchProgress:
    return events.BatchProgress(batch="b1", originator="bluebird", counts=counts)


@given(st.lists(progress))
def test_the_events_of_a_step_are_added_up_to_one_row_a_batch(told):
    made = batches.compute(status(*told))
    expected: dict[str, Counter] = {}
    for event in told:
        expected.setdefault(event.batch, Counter()).update(event.counts)
    found = {row[0]: row[4:] for execute in made for row in execute.arguments}
    assert len(made) == bool(told)
    assert found == {key: tuple(counts[name] for name in batches.OUTCOMES) for key, counts in expected.items()}


def test_an_outcome_without_a_column_is_a_fault():
    with pytest.raises(rows.UnreadableError, match=r"batches.status-0-0: unknown outcomes \['lost'\]"):
        batches.compute(status(counted(lost=1)))


@pytest.mark.parametrize("steps", [1, 2, 5])
async def test_counts_are_the_same_however_the_events_are_cut_into_steps_and_in_whatever_order(store, steps):
    told = status(counted(created=3), counted(rejected=1, unchanged=2), received(9, oversized=1), counted(created=2))
    await feed(store, REJECTIONS, rejected(REJECTION, REJECTION))
    for start in range(0, len(told), steps):
        await feed(store, SINK, told[start : start + steps])
    batch = await queries.batch(await store.pool(), "b1")
    assert {name: n for name, n in batch["counts"].items() if n} == {"created": 5, "rejected": 1, "unchanged": 2}
    assert (batch["documents"], batch["bytes"], batch["processed"], batch["oversized"], batch["digest"]) == (9, 2700, 8, 1, "ab")
    assert (batch["first_event"], batch["last_event"]) == (batches.EPOCH, batches.EPOCH.replace(second=3))
    assert batch["state"] == "done with rejections"


REJECTION = events.Rejected("b1", "bluebird", "", 0, "", "is NaN", "")
STATES = [
    ([counted(created=1)], "open"),
    ([received(2)], "processing"),
    ([received(2), counted(created=1)], "processing"),
    ([received(2), counted(created=1, unchanged=1)], "done"),
    ([counted(created=2), received(2)], "done"),
    ([received(2), counted(created=1, rejected=1), REJECTION], "done with rejections"),
    ([received(2, oversized=1), counted(created=1), REJECTION], "done with rejections"),
    ([received(2), counted(created=1, rejected=1)], "processing"),
    ([received(2, oversized=1), counted(rejected=1), REJECTION], "processing"),
    ([received(2, error="cut off", position=77), counted(rejected=2), REJECTION], "processing"),
    ([received(2, error="cut off", position=77), counted(rejected=2), REJECTION, REJECTION], "failed"),
    ([received(2, error="cut off", position=77), counted(created=1)], "processing"),
    ([received(2, error="cut off", position=77), counted(created=2)], "failed"),
    ([received(0, error="not BSON")], "failed"),
    ([received(0)], "done"),
]


async def test_the_state_follows_from_what_was_received_and_counted_and_of_rejections_stored(store):
    told = [structs.replace(event, batch=f"b{n}") for n, (events_of_one, _) in enumerate(STATES) for event in events_of_one]
    await feed(store, SINK, status(*(event for event in told if not isinstance(event, events.Rejected))))
    await feed(store, REJECTIONS, rejected(*(event for event in told if isinstance(event, events.Rejected))))
    pool = await store.pool()
    found = [(await queries.batch(pool, f"b{n}"))["state"] for n in range(len(STATES))]
    assert found == [state for _, state in STATES]


async def test_ten_thousand_events_of_one_step_are_few_statements(store):
    told = status(*(counted(created=1) for _ in range(10_000)))
    assert sum(len(execute.arguments) for execute in SINK.compute(told)) == 1
    await feed(store, SINK, told)
    assert (await queries.batch(await store.pool(), "b1"))["processed"] == 10_000
