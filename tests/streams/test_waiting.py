"""Steps that wait for somebody outside: tried again until they are answered, others go on meanwhile, and a rebalance has them left."""

import asyncio
from time import monotonic

import pytest

from streams import waiting
from streams.effects import Fetch, UnansweredError
from streams.watch import STOP_S, waits_s
from tests.streams.test_runner import Case, Held, Stream
from tests.watched import Watched


class Asking(Held):
    """A partition whose Step needs an answer that there is from `answers` attempts on."""

    answers = 10**9

    def __init__(self, number, said):
        super().__init__(number, said)
        self.may_open.set()

    async def step(self, messages):
        self.said.append(f"asks {self.number}")
        if self.said.count(f"asks {self.number}") < Asking.answers:
            raise UnansweredError("model service of loan: answered 500")
        await super().step(messages)


class Waits(Case):
    def hold(self, number):
        self.made.append(Asking(number, self.said) if number == 0 else Held(number, self.said))
        self.made[-1].may_open.set()
        return self.made[-1]

    async def asked(self, times):
        async with asyncio.timeout(5):
            while self.said.count("asks 0") < times:  # noqa: ASYNC110 - it is looked at from outside
                await asyncio.sleep(0.001)


@pytest.fixture
async def case(monkeypatch):
    monkeypatch.setattr(waiting, "AGAIN_S", 0.01)
    monkeypatch.setattr(Asking, "answers", 10**9)
    made = Waits()
    await made.app.assign(0, 1)
    return made


async def test_a_step_is_tried_again_until_it_is_answered_and_says_meanwhile_for_whom_it_waits(case, monkeypatch):
    step = case.step(0)
    await case.asked(3)
    work = case.runner.work[0]
    assert (work.waits, work.steps) == ("model service of loan: answered 500", 0)
    since_s = work.waits_since_s
    await case.asked(6)
    assert work.waits_since_s == since_s, "since the first attempt"
    monkeypatch.setattr(Asking, "answers", 0)
    await step
    assert (work.waits, work.doing, work.steps) == ("", "", 1)
    assert [one for one in case.said if one.startswith("step")] == ["step 0 to 0"]
    assert not case.stops


async def test_another_partition_goes_on_meanwhile(case):
    waits = case.step(0)
    await case.asked(2)
    await case.step(1)
    assert "step 1 to 0" in case.said
    assert not waits.done()
    case.app.active = False
    await waits


async def test_a_rebalance_has_it_left_and_who_holds_the_partition_then_does_it(case, monkeypatch):
    step = case.step(0)
    await case.asked(2)
    async with asyncio.timeout(5):
        await case.app.revoke(0, 1)
        await step
    assert (case.runner.work[0].waits, case.made[0].offset, case.stops) == ("", -1, [])
    await case.app.assign(0, 1)
    monkeypatch.setattr(Asking, "answers", 0)
    case.runner.begin({0: 1})  # the consumer begins behind what was left
    await case.runner.settle()
    assert case.said[-1] == "step 0 to 0"


async def test_closing_has_it_left_while_input_flows(case):
    step = case.step(0)
    await case.asked(2)
    async with asyncio.timeout(5):
        await case.runner.close()
        await step
    assert sorted(case.said[-2:]) == ["closed 0", "closed 1"]
    assert not case.stops


async def test_what_comes_behind_a_step_that_was_left_does_not_pass_it(case, monkeypatch):
    first = case.runner._begin(0, Fetch(0, 1, Stream(0, 0).message.value.messages))
    first.add_done_callback(lambda _: monkeypatch.setattr(Asking, "answers", 0))
    behind = case.runner._begin(0, Fetch(1, 2, Stream(0, 1).message.value.messages))
    await case.asked(2)
    with case.runner._waiting.left([0]):
        await first
        await behind
    assert [one for one in case.said if one.startswith("step")] == ["step 0 to 0", "step 0 to 1"]


async def test_another_fault_ends_the_process_as_ever(case, monkeypatch):
    async def breaks(_messages):
        raise OSError("no broker")

    await asyncio.sleep(0.01)
    case.made[0].step = breaks
    await case.step(0)
    assert [(agent, number, str(fault)) for agent, number, _, fault in case.stops] == [("agent", 0, "no broker")]


async def test_those_who_wait_for_its_end_may_overlap(case):
    step = case.step(0)
    await case.asked(2)
    left = case.runner._waiting
    with left.left([0]):
        with left.left([0]):
            pass
        async with asyncio.timeout(5):
            await step
    assert case.made[0].offset == -1


async def test_what_waits_is_told_apart_from_what_hangs(tmp_path):
    watched = Watched(tmp_path, agent=[7])
    work, now_s = watched.runners["agent"].work[0], monotonic()
    work.wait("model service of loan: answered 500")
    work.waits_since_s = now_s - 500
    assert waits_s(work, now_s) == 500
    work.doing, work.began_s = waiting.STEP, now_s - 5
    assert waits_s(work, now_s) == 500, "it asks again"
    work.began_s = now_s - STOP_S
    assert waits_s(work, now_s) == 0, "it was answered long ago, and hangs"


async def test_a_partition_that_waits_is_told_with_its_reason_and_is_not_stalled(tmp_path):
    watched = Watched(tmp_path, agent=[5])
    watched.input(0, 0, 6, 8, 8)
    watched.watch.stalled_s = 0.0
    assert [row["agent"] for row in watched.watch.stalled(await watched.watch.progress())] == ["agent", "consumer group"]
    watched.runners["agent"].work[0].wait("model service of loan: answered 500")
    (row,) = rows = await watched.watch.progress()
    assert row["why"].startswith("waits for model service of loan: answered 500, since 0 s")
    assert row["waiting_s"] > 0
    assert [row["agent"] for row in watched.watch.stalled(rows)] == ["consumer group"]
