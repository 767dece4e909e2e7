"""A fetch is handed over as a whole, and nothing of an assignment that is over."""

import asyncio
from types import SimpleNamespace

import pytest

from streams.transport import _Consumer


class Consumer:
    """What handing over needs of Faust's consumer."""

    def __init__(self, generation, flow_active=True):
        self.app = SimpleNamespace(consumer_generation_id=generation)
        self.flow_active = flow_active
        self.handed, self._read_offset, self._buffered_partitions = [], {}, set()

    def _get_active_partitions(self):
        return {("in", n) for n in range(3)}

    async def callback(self, event):
        self.handed.append(event.offset)


def events(*generations):
    return [SimpleNamespace(tp=("in", n), offset=n, generation_id=generation) for n, generation in enumerate(generations)]


async def test_nobody_else_has_a_turn_while_a_fetch_is_handed_over():
    consumer = Consumer(1)
    asyncio.get_running_loop().call_soon(consumer.handed.append, "somebody else")
    await _Consumer._deliver(consumer, events(1, 1, 1))
    assert consumer.handed == [0, 1, 2]
    assert consumer._read_offset == {("in", n): n for n in range(3)}


@pytest.mark.parametrize(("consumer", "handed"), [(Consumer(2), []), (Consumer(1, flow_active=False), []), (Consumer(1), [0])])
async def test_what_was_fetched_for_an_earlier_assignment_is_left(consumer, handed):
    async def callback(event):
        consumer.handed.append(event.offset)
        consumer.app.consumer_generation_id += 1  # a rebalance, while a full queue was waited for

    consumer.callback = callback
    await _Consumer._deliver(consumer, events(1, 1))
    assert consumer.handed == handed


async def test_what_is_of_a_partition_that_has_gone_is_left():
    consumer = Consumer(1)
    gone = SimpleNamespace(tp=("in", 9), offset=9, generation_id=1)
    await _Consumer._deliver(consumer, [gone, *events(1)])
    assert consumer.handed == [0]


class Draining(Consumer):
    """One that has fetched while a rebalance was not over yet."""

    should_stop, consumer_stopped_errors = False, ()
    _deliver = _Consumer._deliver

    def __init__(self):
        super().__init__(1, flow_active=False)
        self.suspend_flow, self.can_resume_flow = asyncio.Event(), asyncio.Event()
        self.suspend_flow.set()

    async def _fetched(self):
        self.should_stop = True
        return events(1, 1)

    async def wait(self, event):
        await event.wait()

    async def wait_first(self, *coros):
        _, pending = await asyncio.wait(map(asyncio.ensure_future, coros), return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()

    def resume_flow(self):
        self.flow_active = True
        self.suspend_flow.clear()
        self.can_resume_flow.set()


async def test_what_was_fetched_before_the_end_of_a_rebalance_is_handed_over_after_it():
    """The consumer's position is behind it already: nobody fetches it again."""
    consumer = Draining()
    draining = asyncio.create_task(_Consumer._drain_messages(consumer, SimpleNamespace(should_stop=False)))
    for _ in range(10):
        await asyncio.sleep(0)
    assert consumer.handed == []
    consumer.resume_flow()
    await asyncio.wait_for(draining, 10)
    assert consumer.handed == [0, 1]
