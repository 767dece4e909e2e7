"""A Step takes as much as it can compute in COMPUTE_S, whatever that is, and no more than it may."""

import time

from hypothesis import given
from hypothesis import strategies as st

from streams.app import build
from streams.effects import Effects, Fetch, Message, Sink, Stage
from streams.pace import COMPUTE_S, FIRST_BYTES, LEAST_BYTES, Pace, cut
from streams.settings import load
from streams.store import Store
from streams.topics import INGEST, INTAKE_TABLE

MOST = 4 * 1024 * 1024
KIB = 1024


def message(size):
    return Message("any", 0, 0, 0, None, bytes(size), ())


def after(seconds_per_kib, full_steps, most=MOST):
    pace = Pace(most)
    for _ in range(full_steps):
        pace.took(pace.bytes, pace.bytes / KIB * seconds_per_kib)
    return pace


@given(st.floats(1e-8, 1.0))
def test_with_a_deep_input_steps_come_to_take_between_half_the_time_and_the_time(seconds_per_kib):
    pace = after(seconds_per_kib, full_steps=20)
    seconds = pace.bytes / KIB * seconds_per_kib
    assert seconds <= COMPUTE_S or pace.bytes == LEAST_BYTES
    assert seconds >= COMPUTE_S / 2 or pace.bytes == MOST


@given(st.integers(1, 2 * MOST), st.lists(st.tuples(st.integers(0, 2 * MOST), st.floats(0, 10))))
def test_it_never_leaves_its_bounds(most, steps):
    pace = Pace(most)
    for size, seconds in steps:
        pace.took(size, seconds)
        assert min(LEAST_BYTES, most) <= pace.bytes <= most


def test_an_agent_that_gets_slower_takes_less_and_one_that_gets_faster_takes_more_again():
    pace = after(1e-5, full_steps=20)
    for _ in range(20):
        pace.took(pace.bytes, pace.bytes / KIB * 1e-3)
    assert pace.bytes == 64 * KIB
    for _ in range(20):
        pace.took(pace.bytes, pace.bytes / KIB * 1e-5)
    assert pace.bytes == MOST


def test_an_idle_agent_keeps_its_pace():
    pace = Pace(MOST)
    for _ in range(100):
        pace.took(400, 0.001)
    assert pace.bytes == FIRST_BYTES


def test_the_time_of_a_computation_is_measured_and_its_result_is_handed_on():
    pace = Pace(MOST)
    fast, slow = pace.timed(len), pace.timed(lambda _state, _messages: time.sleep(1.1 * COMPUTE_S))
    assert fast([message(FIRST_BYTES - 1), message(1)]) == 2
    assert pace.bytes == 2 * FIRST_BYTES
    assert fast([message(2 * FIRST_BYTES - 1)]) == 1
    assert pace.bytes == 2 * FIRST_BYTES
    slow({}, [message(1)])
    assert pace.bytes == FIRST_BYTES


def numbered(*offsets, size=1):
    return Fetch(offsets[0], offsets[-1] + 1, [Message("any", 0, offset, 0, None, bytes(size), ()) for offset in offsets])


def test_what_came_at_once_is_cut_by_the_pace_that_there_is_when_its_turn_comes():
    pace = Pace(MOST)
    sizes = []
    for fetch in cut([numbered(*range(8), size=FIRST_BYTES)], pace):
        sizes.append((fetch.start, fetch.end, len(fetch.messages)))
        pace.took(pace.bytes, 0.001)
    assert sizes == [(0, 1, 1), (1, 3, 2), (3, 7, 4), (7, 8, 1)]


def test_fetches_that_follow_each_other_are_put_together_and_others_are_not():
    pace = Pace(MOST)
    fetches = [numbered(3, 5), Fetch(6, 9, numbered(6).messages), numbered(9), numbered(11), numbered(11, 12)]
    found = [(fetch.start, fetch.end, [message.offset for message in fetch.messages]) for fetch in cut(fetches, pace)]
    assert found == [(3, 10, [3, 5, 6, 9]), (11, 13, [11, 11, 12])]


def test_a_step_of_a_fetch_s_last_message_includes_the_markers_behind_it():
    fetch = Fetch(0, 4, numbered(0, 1, size=FIRST_BYTES).messages)
    assert [(part.start, part.end) for part in cut([fetch, numbered(4)], Pace(MOST))] == [(0, 1), (1, 4), (4, 5)]


def test_every_agent_of_a_worker_keeps_a_pace_of_its_own():
    stage = Stage("stage", INGEST, INTAKE_TABLE, lambda _state, _messages: Effects())
    sink = Sink("sink", INGEST, lambda _messages: [])
    app = build(load({}), [stage], [sink], Store(""))
    of_stage, of_sink = app.runners
    of_stage._hold(0).stage.compute({}, [message(FIRST_BYTES)])
    assert (of_stage.pace.bytes, of_sink.pace.bytes) == (2 * FIRST_BYTES, FIRST_BYTES)
    of_sink._hold(0).sink.compute([message(FIRST_BYTES)])
    assert of_sink.pace.bytes == 2 * FIRST_BYTES
