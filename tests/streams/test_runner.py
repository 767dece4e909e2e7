"""Openings: at the assignment, side by side, cut by a rebalance; a fault of one ends the process."""

import asyncio
from types import SimpleNamespace

import pytest
from faust.types import TP

from streams.effects import Fetch, Message
from streams.pace import Pace
from streams.runner import Runner
from streams.topics import Topic

TOPIC = Topic("in", 4)


class Signal(list):
    def connect(self, handler, *, weak):
        assert not weak
        self.append(handler)


class App:
    """What a runner knows of Faust: its signals, and whether the flow is on."""

    consumer_generation_id = 1

    def __init__(self):
        self.on_partitions_assigned, self.on_partitions_revoked, self.flow_control, self.active = Signal(), Signal(), self, True

    def is_active(self):
        return self.active

    async def assign(self, *numbers):
        """The flow goes on before the news of the assignment, as Faust's does."""
        self.active = True
        for handler in self.on_partitions_assigned:
            await handler(self, {TP(TOPIC.name, number) for number in numbers})

    async def revoke(self, *numbers):
        self.active = False
        for handler in self.on_partitions_revoked:
            await handler(self, {TP(TOPIC.name, number) for number in numbers})


class Stream:
    """One partition's stream, which has one message."""

    def __init__(self, number, offset):
        value = Fetch(offset, offset + 1, [Message(TOPIC.name, number, offset, 0, None, b"", ())])
        self.channel, self.queue = self, asyncio.Queue()
        self.message = SimpleNamespace(partition=number, value=value, generation_id=App.consumer_generation_id)

    async def events(self):
        yield self


class Held:
    """A partition that opens when it may, and says what becomes of it."""

    def __init__(self, number, said, fault=None):
        self.number, self.said, self.fault, self.offset = number, said, fault, -1
        self.may_open = asyncio.Event()

    async def open(self):
        self.said.append(f"opens {self.number}")
        try:
            await self.may_open.wait()
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            self.said.append(f"cut {self.number}")
            raise
        if self.fault:
            raise self.fault
        self.said.append(f"open {self.number}")

    async def step(self, messages):
        self.offset = messages[-1].offset
        self.said.append(f"step {self.number} to {self.offset}")

    async def close(self):
        self.said.append(f"closed {self.number}")


async def source(topic, number, start, end):
    """Every record between two offsets."""
    yield [Message(topic, number, offset, 0, None, b"", ()) for offset in range(start, end)]


class Case:
    def __init__(self, fault=None):
        self.app, self.said, self.made, self.stops, self.fault = App(), [], [], [], fault
        self.runner = Runner(self.app, "agent", TOPIC, self.hold, source, Pace(gather_s=0), fail_stop=lambda *stop: self.stops.append(stop))

    def hold(self, number):
        self.made.append(Held(number, self.said, self.fault))
        return self.made[-1]

    def step(self, number, offset=0):
        return asyncio.create_task(self.runner.run(Stream(number, offset)))

    async def let_open(self):
        await turns()
        for held in self.made:
            held.may_open.set()
        await turns()


async def turns():
    """Long enough for all that waits for nothing."""
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.fixture
async def case():
    return Case()


async def test_partitions_open_when_they_are_assigned_side_by_side_and_without_input(case):
    await case.app.assign(0, 2)
    await turns()
    assert case.said == ["opens 0", "opens 2"]
    await case.let_open()
    assert set(case.runner.held) == {0, 2}


async def test_a_step_waits_for_its_partitions_opening_and_opens_nothing_again(case):
    await case.app.assign(0)
    step = case.step(0)
    await turns()
    assert case.said == ["opens 0"]
    await case.let_open()
    await step
    assert case.said == ["opens 0", "open 0", "step 0 to 0"]


async def test_a_step_that_is_faster_than_the_news_of_its_assignment_opens_the_partition(case):
    step = case.step(0)
    await turns()
    await case.app.assign(0)
    await case.let_open()
    await step
    assert case.said == ["opens 0", "open 0", "step 0 to 0"]


async def test_a_rebalance_cuts_what_is_opening_and_has_waited_for_that(case):
    await case.app.assign(0, 1)
    await turns()
    await case.app.revoke(0, 1)
    assert sorted(case.said) == ["cut 0", "cut 1", "opens 0", "opens 1"]
    await case.app.assign(1)
    await case.let_open()
    assert case.said[4:] == ["opens 1", "open 1"]
    assert set(case.runner.held) == {1}
    assert not case.stops


async def test_a_step_whose_opening_is_cut_does_nothing_and_the_rebalance_goes_on(case):
    await case.app.assign(0)
    step = case.step(0)
    await turns()
    async with asyncio.timeout(5):
        await case.app.revoke(0)
    assert step.done()
    await case.let_open()
    assert case.said == ["opens 0", "cut 0"]
    assert not case.stops


async def test_a_step_of_before_a_rebalance_opens_nothing(case):
    await case.app.assign(0)
    await turns()
    await case.app.revoke(0)
    await case.step(0)
    case.runner.begin({0: 0})
    await turns()
    assert case.said == ["opens 0", "cut 0"]


async def test_what_begins_before_the_flow_waits_for_the_opening_too(case):
    await case.app.assign(0)
    case.app.active = False
    case.runner.begin({0: 0})
    await case.let_open()
    assert case.said == ["opens 0", "open 0"]


async def test_what_the_group_skips_is_done_before_a_message_comes(case):
    await case.app.assign(0)
    case.runner.begin({0: 3})
    await case.let_open()
    assert case.said == ["opens 0", "open 0", "step 0 to 2"]


async def test_what_was_not_brought_is_done_when_what_comes_next_shows_it_at_the_beginning_and_later(case):
    await case.app.assign(0)
    case.runner.begin({0: 0})
    await case.let_open()
    for offset in (5, 6, 9):
        await case.step(0, offset)
    assert case.said == ["opens 0", "open 0", "step 0 to 4", "step 0 to 5", "step 0 to 6", "step 0 to 8", "step 0 to 9"]


async def test_what_is_complete_from_where_the_last_fetch_ended_is_not_read_again(case):
    await case.app.assign(0)
    await case.let_open()
    case.runner.begin({0: 7})
    await case.step(0, 7)
    assert case.said[2:] == ["step 0 to 6", "step 0 to 7"]
    await case.runner._begin(0, Fetch(8, 20, []))  # nothing but markers
    await case.step(0, 20)
    assert case.said[4:] == ["step 0 to 20"]


async def test_a_partition_that_stays_is_held_over_the_rebalance_and_one_that_goes_is_closed(case):
    await case.app.assign(0, 1)
    await case.let_open()
    case.said.clear()
    await case.app.revoke(0, 1)
    await case.app.assign(1, 2)
    await turns()
    assert sorted(case.said) == ["closed 0", "opens 2"]


@pytest.mark.parametrize("fault", [OSError("no broker"), asyncio.CancelledError("of somebody else")])
async def test_an_opening_that_fails_ends_the_process(fault):
    case = Case(fault)
    await case.app.assign(3)
    await case.let_open()
    assert case.stops == [("agent", 3, 0, fault)]
    assert not case.runner.held


async def test_closing_cuts_what_is_opening(case):
    await case.app.assign(0)
    await turns()
    await case.runner.close()
    assert case.said == ["opens 0", "cut 0"]


async def test_what_a_cancelled_task_had_taken_is_done_without_it(case):
    await case.app.assign(0)
    stream = Stream(0, 0)
    stream.message.value = Fetch(0, 3, [Message("in", 0, offset, 0, None, bytes(case.runner.pace.bytes), ()) for offset in range(3)])
    task = asyncio.create_task(case.runner.run(stream))
    await turns()
    task.cancel()
    await case.let_open()
    assert (case.said[-1], case.made[0].offset, case.stops) == ("step 0 to 2", 2, [])
