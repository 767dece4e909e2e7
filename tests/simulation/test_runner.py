"""What simulated rebalances have shown of the runner, each by itself."""

import asyncio
from types import SimpleNamespace

from streams.effects import Fetch, Message
from streams.pace import Pace
from streams.runner import Runner
from streams.topics import Topic
from tests.simulation.clock import VirtualLoop
from tests.simulation.front import Event, Fetched, FlowControl, Queue, Signal


class Held:
    """A source partition whose Steps wait until they are let go."""

    offset = -1

    def __init__(self) -> None:
        self.begun, self.go = asyncio.Event(), asyncio.Event()
        self.steps: list[list[int]] = []

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def step(self, messages: list[Message]) -> None:
        self.begun.set()
        await self.go.wait()
        self.steps.append([message.offset for message in messages])
        self.offset = messages[-1].offset


def fetch(*offsets):
    """All between the first of `offsets` and the last: these."""
    return Fetch(offsets[0], offsets[-1] + 1, [Message("in", 0, offset, 0, None, b"x", ()) for offset in offsets])


async def source(_topic, _number, start, end):
    yield fetch(*range(start, end)).messages


class Stream:
    def __init__(self, *offsets: int) -> None:
        self.channel = SimpleNamespace(queue=Queue())
        self.event = Event(Fetched("in", 0, 1, fetch(*offsets)))

    async def events(self):
        yield self.event


class Trickle(Stream):
    """A stream whose events come at times (s), each of a generation; the first is taken by Faust, the others wait in its queue."""

    def __init__(self, app, *comes):
        super().__init__(0)
        self._app, self._comes = app, comes

    async def events(self):
        for offset, (at, generation) in enumerate(self._comes):
            asyncio.get_running_loop().call_at(at, self._put, offset, generation)
        while True:
            yield await self.channel.queue.get()

    def _put(self, offset, generation):
        self._app.consumer_generation_id = generation
        self.channel.queue.put_nowait(Event(Fetched("in", 0, generation, fetch(offset))))


def app_in_flow():
    return SimpleNamespace(
        on_partitions_revoked=Signal(), on_partitions_assigned=Signal(), flow_control=FlowControl(active=True), consumer_generation_id=1
    )


def steps_of(comes, pace):
    """The offsets of each Step, and the time at which it began, of input that comes so."""
    found, loop = [], VirtualLoop()

    class Timed(Held):
        async def step(self, messages):
            found.append((round(loop.time(), 3), [message.offset for message in messages]))
            self.offset = messages[-1].offset

    async def whole():
        app = app_in_flow()
        runner = Runner(app, "agent", Topic("in", 1), lambda _: Timed(), source, pace, fail_stop=None)
        running = asyncio.ensure_future(runner.run(Trickle(app, *comes)))
        await asyncio.sleep(60)
        running.cancel()

    loop.run(whole())
    return found


def test_the_first_of_what_comes_one_by_one_is_done_at_once_and_the_next_together_a_while_later():
    comes = [(1.0, 1), (1.05, 1), (1.1, 1), (1.16, 1), (9.0, 1)]
    assert steps_of(comes, Pace(1000, gather_s=0.15)) == [(1.0, [0]), (1.15, [1, 2]), (1.3, [3]), (9.0, [4])]


def test_an_agent_that_does_not_gather_does_each_when_it_comes():
    assert steps_of([(1.0, 1), (1.05, 1), (1.1, 1)], Pace(1000, gather_s=0)) == [(1.0, [0]), (1.05, [1]), (1.1, [2])]


def test_a_full_step_waits_for_nothing():
    assert steps_of([(1.0, 1), (1.02, 1), (1.03, 1)], Pace(2, gather_s=0.15)) == [(1.0, [0]), (1.03, [1, 2])]


def test_what_came_before_a_rebalance_is_left_and_read_when_what_comes_after_it_does_not_begin_with_it():
    assert steps_of([(1.0, 1), (1.05, 1), (1.1, 2)], Pace(1000, gather_s=0.15)) == [(1.0, [0]), (1.15, [1]), (1.15, [2])]


async def test_no_step_begins_once_a_revocation_has_waited_for_the_one_under_way():
    app = app_in_flow()
    held, place = Held(), SimpleNamespace(topic="in", partition=0)
    runner = Runner(app, "agent", Topic("in", 1), lambda _: held, None, Pace(1), fail_stop=None)
    running = asyncio.ensure_future(runner.run(Stream(0, 1)))
    await held.begun.wait()
    app.flow_control.active = False
    revoking = asyncio.ensure_future(app.on_partitions_revoked.send(app, [place]))
    held.go.set()
    await asyncio.gather(revoking, running)
    assert held.steps == [[0]], "message 1 is whoever's the partition is next"
