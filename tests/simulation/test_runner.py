"""What simulated rebalances have shown of the runner, each by itself."""

import asyncio
from types import SimpleNamespace

from streams.effects import Message
from streams.runner import Runner
from streams.topics import Topic
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


class Stream:
    def __init__(self, *offsets: int) -> None:
        self.channel = SimpleNamespace(queue=Queue())
        self.event = Event(Fetched("in", 0, 1, [Message("in", 0, offset, 0, None, b"x", ()) for offset in offsets]))

    async def events(self):
        yield self.event


async def test_no_step_begins_once_a_revocation_has_waited_for_the_one_under_way():
    app = SimpleNamespace(
        on_partitions_revoked=Signal(), on_partitions_assigned=Signal(), flow_control=FlowControl(active=True), consumer_generation_id=1
    )
    held, place = Held(), SimpleNamespace(topic="in", partition=0)
    runner = Runner(app, "agent", Topic("in", 1), lambda _: held, None, 1, fail_stop=None)
    running = asyncio.ensure_future(runner.run(Stream(0, 1)))
    await held.begun.wait()
    app.flow_control.active = False
    revoking = asyncio.ensure_future(app.on_partitions_revoked.send(app, [place]))
    held.go.set()
    await asyncio.gather(revoking, running)
    assert held.steps == [[0]], "message 1 is whoever's the partition is next"
