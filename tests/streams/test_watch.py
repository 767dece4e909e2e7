"""What the watch makes of what it sees, by the clock of the test; tests/broker/test_watched_worker.py has a real consumer."""

import asyncio
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams import metrics, watch
from streams.stops import StalledError
from streams.transport import Input
from streams.waiting import OPENING, STEP, Work
from streams.watch import FOREIGN, LOOP, oldest_s, to_do, waits_for
from tests.watched import Watched

DONE = Input(0, 8, 8, 8)


class Clock:
    def __init__(self):
        self.now_s = 1_000.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(watch, "monotonic", clock)
    monkeypatch.setattr(watch, "time", clock)
    return clock


@pytest.mark.parametrize(
    ("known", "offset", "reached", "left"),
    [
        (DONE, 7, 0, 0),
        (DONE, 5, 0, 0),  # 6 and 7 were passed by the consumer without a record: a marker, an aborted transaction
        (Input(0, 6, 8, 8), 5, 0, 2),
        (Input(0, 8, 8, 8, ((7, 0),)), 5, 0, 2),  # fetched and not done
        (Input(0, 8, 8, 8, ((5, 0),)), 5, 0, 0),
        (Input(0, 6, 8, 8, ((5, 0),)), 3, 0, 4),  # what is under way, and what is still with the broker
        (Input(6, 8, 8, 8), 5, 0, 0),  # the group's offset is the table's
        (Input(7, 8, 8, 8), 5, 0, 2),  # the group's offset skips 6
        (Input(7, 8, 8, 8), 5, 7, 0),  # and the agent has read it by itself
        (Input(0, 6, 8, 8), 5, 7, 1),  # a marker is behind the table's offset, and done
        (Input(None, 8, 8, 8), 5, 0, 0),
        (Input(0, None, 8, 8), 5, 0, 2),
        (Input(3, 5, 8, 8), None, 0, 3),  # not open: what the group says
        (Input(0, 8, 8, 8), 20, 0, 0),
    ],
)
def test_what_is_left_to_do_is_counted_from_the_table_and_from_what_passed_by_it(known, offset, reached, left):
    assert to_do(known, offset, reached) == left


@st.composite
def histories(draw):
    """A log of records and markers, how far the consumer is in it, and how far the table is in what the consumer has fetched."""
    log = draw(st.lists(st.booleans(), min_size=1, max_size=30))  # True: a record
    position = draw(st.integers(0, len(log)))
    records = [offset for offset in range(position) if log[offset]]
    done = draw(st.integers(0, len(records)))
    cuts = sorted(draw(st.sets(st.sampled_from(records)))) if records else []
    fetches = tuple((last, 0) for last in dict.fromkeys([*cuts, *records[-1:]]))
    return log, Input(None, position, len(log), len(log), fetches), records[done - 1] if done else -1


@given(histories())
def test_nothing_is_left_exactly_when_every_record_is_in_the_table_and_the_end_is_reached(history):
    log, known, offset = history
    left = to_do(known, offset, 0)
    assert (left == 0) == (not any(log[offset + 1 : known.position]) and known.position == len(log))
    assert left >= sum(log[offset + 1 :])


@pytest.mark.parametrize(
    ("known", "work", "why"),
    [
        (Input(0, 8, 8, 8, ((7, 0),)), Work(OPENING, 59.0), "opening under way since 41 s"),
        (Input(0, 8, 8, 8, ((7, 0),)), Work(STEP, 95.0), "Step under way since 5 s"),
        (Input(0, 8, 8, 8, ((7, 0),)), Work(), "fetched, but the agent does not take it up"),
        (Input(0, None, 8, 8), Work(), "the group does not say where to begin"),
        (Input(0, 6, 8, 8), Work(), "waits for a fetch"),
        (Input(7, 8, 8, 8), Work(), "the group's offset skips it"),
    ],
)
def test_why_a_partition_waits_is_said_by_what_is_known_of_it(known, work, why):
    assert waits_for(known, 5, work, 100.0) == why


def test_a_partition_that_is_not_opened_is_said_to_be_so():
    assert waits_for(Input(0, 8, 8, 8), None, Work(), 100.0) == "nobody opens it"


def test_the_oldest_record_is_the_first_of_the_step_or_of_what_was_fetched_or_as_old_as_the_wait():
    fetched = Input(0, 9, 9, 9, ((5, 1_000), (7, 60_000), (8, 70_000)))
    assert oldest_s(fetched, 5, Work(STEP, first_ms=50_000), 100.0, 3.0) == 50.0
    assert oldest_s(fetched, 5, Work(), 100.0, 3.0) == 40.0
    assert oldest_s(Input(0, 8, 9, 9), 7, Work(), 100.0, 3.0) == 3.0
    assert oldest_s(fetched, 5, Work(STEP, first_ms=500_000), 100.0, 3.0) == 3.0, "of another clock, which is ahead"


async def test_a_partition_with_input_that_does_not_move_is_named_with_the_reason_until_it_moves(clock, tmp_path):
    seen = Watched(tmp_path, intake=[7, 7], router=[7, 7])
    seen.input(1, 0, 8, 12, 12)
    assert seen.watch.stalled(await seen.watch.progress()) == []
    clock.now_s += 30.5
    seen.runners["router"].held[1].offset = 11
    assert seen.watch.stalled(await seen.watch.progress()) == [
        {"agent": "intake", "partition": 1, "since_s": 30.5, "why": "waits for a fetch"}
    ]
    seen.runners["intake"].held[1].offset = 9
    rows = await seen.watch.progress()
    assert seen.watch.stalled(rows) == []
    assert [row["lag"] for row in rows] == [0, 2, 0, 0]
    clock.now_s += 29
    assert seen.watch.stalled(await seen.watch.progress()) == [], "the time counts from the last move"


async def test_a_partition_without_input_may_rest_for_ever(clock, tmp_path):
    seen = Watched(tmp_path, intake=[7])
    for _ in range(3):
        clock.now_s += 1_000
        assert seen.watch.stalled(await seen.watch.progress()) == []


async def test_a_partition_that_nobody_opens_does_not_move_even_without_input(clock, tmp_path):
    seen = Watched(tmp_path, intake=[7, None])
    await seen.watch.progress()
    clock.now_s += 31
    (stalled,) = seen.watch.stalled(await seen.watch.progress())
    assert stalled == {"agent": "intake", "partition": 1, "since_s": 31, "why": "nobody opens it"}


async def test_an_opening_moves_with_every_record_that_it_reads(clock, tmp_path):
    seen = Watched(tmp_path, intake=[None])
    seen.runners["intake"].work[0].begin(OPENING)
    await seen.watch.progress()
    clock.now_s += 20
    metrics.RECORDS_READ.labels("intake.table", 0).inc()
    await seen.watch.progress()
    clock.now_s += 20
    (row,) = rows = await seen.watch.progress()
    assert (seen.watch.stalled(rows), row["lag"], row["still_s"]) == ([], 1, 20)
    clock.now_s += 20
    (stalled,) = seen.watch.stalled(await seen.watch.progress())
    assert (stalled["agent"], stalled["partition"], stalled["since_s"]) == ("intake", 0, 40)
    assert stalled["why"].startswith("opening under way since")


async def test_an_open_transaction_of_another_is_said_and_ends_nothing(clock, tmp_path):
    seen = Watched(tmp_path, intake=[7])
    seen.input(0, 0, 8, 8, 11)
    (row,) = await seen.watch.progress()
    assert (row["lag"], row["why"]) == (0, FOREIGN)
    clock.now_s += 1_000
    await ended(seen, [])
    assert seen.watch.stalled(await seen.watch.progress())[0]["why"] == FOREIGN


async def test_what_an_agent_writes_while_the_ends_are_asked_for_is_no_rest(tmp_path):
    seen = Watched(tmp_path, intake=[7], router=[7])
    asked = seen.watch._inputs

    async def meanwhile():
        """intake does its last message, and router has one more to do, but the answer does not know of it yet."""
        seen.runners["intake"].held[0].offset = 8
        return await asked()

    seen.input(0, 0, 9, 9, 9, ((8, 0),))
    seen.watch._inputs = meanwhile
    assert [row["lag"] for row in await seen.watch.progress()] == [1, 1]


async def test_a_worker_outside_its_group_or_with_a_silent_consumer_does_not_move(clock, tmp_path):
    seen = Watched(tmp_path, intake=[7])
    await seen.watch.progress()
    seen.in_group = False
    clock.now_s += 31
    assert seen.watch.stalled(await seen.watch.progress()) == [
        {"agent": watch.GROUP, "partition": None, "since_s": 31, "why": "this worker has not joined"}
    ]
    seen.in_group, seen.answers = True, False
    (stalled,) = seen.watch.stalled(await seen.watch.progress())
    assert stalled["why"] == "this worker's consumer does not answer"
    seen.answers = True
    assert seen.watch.stalled(await seen.watch.progress()) == []


async def ended(seen, expected):
    """Let the watch run for some looks; the stops that it makes are those `expected`."""
    found = []
    seen.stops.fail_stop = lambda *given: found.append(given)
    seen.watch.look_s = 0
    task, looks = asyncio.create_task(seen.watch.run()), seen.watch._looks
    while seen.watch._looks < looks + 3:  # noqa: ASYNC110
        await asyncio.sleep(0)
    seen.watch.end()
    await task
    assert {(agent, partition) for agent, partition, _, _ in found} == set(expected)
    return found


async def test_a_worker_with_a_partition_that_does_not_move_for_long_ends_itself(clock, tmp_path):
    seen = Watched(tmp_path, intake=[7, 7])
    seen.input(1, 0, 8, 12, 12)
    await seen.watch.progress()
    clock.now_s += watch.STOP_S - 1
    await ended(seen, [])
    seen.watch._ended.clear()
    clock.now_s += 1
    (_, _, offset, fault), *_ = await ended(seen, [("intake", 1)])
    assert (offset, type(fault)) == (-1, StalledError)
    assert str(fault) == "intake-1 has not moved for 120 s: waits for a fetch"


async def test_an_event_loop_that_does_not_turn_is_ended_by_a_thread_that_names_the_place(tmp_path):
    seen, found, told = Watched(tmp_path, intake=[7]), [], threading.Event()

    def fail_stop(*given):
        found.append(given)
        told.set()

    seen.stops.fail_stop = fail_stop
    seen.watch.stop_s = 1
    task = asyncio.create_task(seen.watch.run())
    await asyncio.sleep(0)
    assert told.wait(30), "this very thread stands still here"
    seen.watch.end()
    task.cancel()
    (agent, partition, _, fault), *_ = found
    assert (agent, partition) == (LOOP, -1)
    assert str(fault).splitlines()[0].startswith("event loop has not turned for 1 s, at wait (")
    assert "test_an_event_loop_that_does_not_turn" in str(fault)


async def test_steps_of_this_process_and_stops_of_earlier_ones_are_in_the_row(tmp_path):
    seen = Watched(tmp_path, intake=[7])
    seen.runners["intake"].work[0] = Work(steps=4, steps_s=0.2, last_s=0.03)
    seen.stops.counts.update({("fence", "intake", 0): 2, ("abort", "intake", 0): 1, ("abort", "intake", 1): 5})
    (row,) = await seen.watch.progress()
    shown = {"steps": 4, "step_mean_s": 0.05, "step_last_s": 0.03, "fences": 2, "aborts": 1, "lag": 0, "oldest_s": 0.0, "why": ""}
    assert {name: row[name] for name in shown} == shown
