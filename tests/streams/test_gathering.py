"""A partition that is revoked while its agent gathers: Faust then throws StopAsyncIteration into the queue of its stream."""

import asyncio
from types import SimpleNamespace

import pytest
from mode.utils.queues import FlowControlEvent, ThrowableQueue

from streams.effects import Fetch, Message
from streams.pace import Pace
from streams.runner import Runner
from streams.topics import Topic

TOPIC = Topic("in", 1)


class Held:
    def __init__(self):
        self.offset, self.steps = -1, []

    async def open(self): ...
    async def close(self): ...

    async def step(self, messages):
        self.offset = messages[-1].offset
        self.steps.append([message.offset for message in messages])


class Stream:
    """Two messages, one after the other, and then what is in Faust's own queue."""

    def __init__(self, flow):
        self.channel, self.queue, self.asked = self, ThrowableQueue(flow_control=flow), False

    async def events(self):
        for offset in range(2):
            fetch = Fetch(offset, offset + 1, [Message(TOPIC.name, 0, offset, 0, None, b"", ())])
            yield SimpleNamespace(message=SimpleNamespace(partition=0, value=fetch, generation_id=1))
        self.asked = True


async def source(_topic, number, start, end):
    yield [Message(TOPIC.name, number, offset, 0, None, b"", ()) for offset in range(start, end)]


async def turns():
    """Long enough for all that waits for nothing."""
    for _ in range(50):
        await asyncio.sleep(0)


@pytest.mark.parametrize(("flows", "steps"), [(False, [[0]]), (True, [[0], [1]])], ids=["revoked", "still ours"])
async def test_a_stream_that_is_stopped_while_it_is_gathered_from_is_over_and_nothing_taken_from_it_is_lost(flows, steps):
    flow, signal = FlowControlEvent(), SimpleNamespace(connect=lambda *_, **__: None)
    flow.resume()
    app = SimpleNamespace(on_partitions_assigned=signal, on_partitions_revoked=signal, flow_control=flow, consumer_generation_id=1)
    held, stops = Held(), []
    runner = Runner(app, "agent", TOPIC, lambda _: held, source, Pace(gather_s=30), fail_stop=lambda *stop: stops.append(stop))
    stream = Stream(flow)
    task = asyncio.create_task(runner.run(stream))
    await turns()
    assert held.steps == [[0]]
    if not flows:
        flow.suspend()
    stream.queue._throw(StopAsyncIteration())
    await asyncio.wait_for(task, 5)
    await runner.settle()
    assert (held.steps, stops, stream.asked) == (steps, [], False)
