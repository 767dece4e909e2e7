"""Faust's consumer as the runner needs it: committed records only, a fetch of a partition as one event, and how far it is, exactly.

The consumer lives in a thread of its own (Faust's), so that it stays in its group while an agent computes. What it knows is asked for
there (`_Thread.inputs`), between two fetches: a record is then either before the position and noted as handed over, or behind it.
"""

import asyncio
from collections import deque
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from typing import Any, Final, NamedTuple, cast

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from faust.transport.drivers import aiokafka as driver

from streams.effects import Fetch, Message

NOTED_MAX: Final = 1000  # fetches of one partition between two looks of the watch; of more the oldest are forgotten
# A fetch asks for every partition at 2 ms of computing, and one for each record that comes took a fifth of a core. So while records come, a
# fetch is answered when so many bytes are there or so many ms have gone by; after FETCH_S without any, by the first record.
GATHER_BYTES, GATHER_MS = 1024 * 1024, 20
FIRST_BYTES, FIRST_MS = 1, 100
FETCH_S: Final = 1.0  # of waiting for records, before looking whether to stop
ANSWER_S: Final = 2.0  # of waiting for the broker to say where the partitions end


class Input(NamedTuple):
    """A source partition as the consumer sees it, all at one moment; offsets are those of the next record."""

    start: int | None  # the group's offset, where this assignment began; None: the group had none, the first record that is kept
    position: int | None  # of the next fetch; None: not known yet
    end: int  # of what is committed
    written: int  # of all, with what stands in transactions that are still open
    fetched: tuple[tuple[int, int], ...] = ()  # of each fetch that is not done: its last offset, its first record's timestamp (ms)


class Read(NamedTuple):
    """A partition's records of one fetch: all that is committed in [start, end)."""

    start: int
    end: int
    records: list[Any]


class _Thread(driver.AIOKafkaConsumerThread):
    """Faust fixes isolation level and fetch wait; its workers here read committed records only, and do not wait 1.5 s for them."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._noted: dict[TopicPartition, deque[tuple[int, int]]] = {}
        self._noted_of: Any = None  # the assignment that they belong to
        self._skipped: dict[TopicPartition, tuple[int, int]] = {}  # where nothing but markers was, since the last Read

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"  # noqa: SLF001 - no setting reaches it
        consumer._fetch_max_wait_ms = FIRST_MS  # noqa: SLF001
        return consumer

    async def _fetch_records(self, consumer: Any, active: Any, timeout: float | None = None, max_records: int | None = None) -> Any:  # noqa: ASYNC109
        """Faust's own, but each partition's records are a Read: where the consumer was before them, and where it is behind them."""
        fetcher = consumer._fetcher  # noqa: SLF001
        found = await self._taken(consumer, active, max_records)
        if not found and timeout:
            waiter = fetcher._create_fetch_waiter()  # noqa: SLF001 - as it waits itself
            await asyncio.wait([waiter], timeout=timeout)
            if waiter.cancel() or fetcher._closed:  # noqa: SLF001
                return {}
            waiter.result()
            found = await self._taken(consumer, active, max_records)
        # it asks these two of itself before each fetch
        fetcher._fetch_min_bytes, fetcher._fetch_max_wait_ms = (GATHER_BYTES, GATHER_MS) if found else (FIRST_BYTES, FIRST_MS)  # noqa: SLF001
        return found

    async def _taken(self, consumer: Any, active: Any, max_records: int | None) -> dict[Any, Read]:
        """What was fetched already. Nothing else is done between the looks at where the consumer is, so nobody has put it elsewhere."""
        subscriptions = consumer._fetcher._subscriptions  # noqa: SLF001
        if subscriptions.reassignment_in_progress:
            await subscriptions.wait_for_assignment()
        before = _positions(consumer)
        found = await super()._fetch_records(consumer, active, timeout=0, max_records=max_records)
        noted, reads = self._notes(), {}
        for tp, end in _positions(consumer).items():
            if end == before.get(tp, end):
                continue
            start, reached = self._skipped.pop(tp, (before[tp], before[tp]))
            if reached != before[tp]:
                start = before[tp]
            if records := found.get(tp):
                reads[tp] = Read(start, end, records)
                noted.setdefault(tp, deque(maxlen=NOTED_MAX)).append((records[-1].offset, records[0].timestamp))
            else:
                self._skipped[tp] = start, end
        return reads

    def _notes(self) -> dict[TopicPartition, deque[tuple[int, int]]]:
        """The fetches of the assignment that there is now; an earlier one's are fetched again, by whoever has the partition."""
        assignment = _assignment(self._consumer)
        if assignment is not self._noted_of:
            self._noted, self._noted_of, self._skipped = {}, assignment, {}
        return self._noted

    async def inputs(self, done: Mapping[Any, int]) -> dict[Any, Input]:
        """Every assigned partition; fetches that end before the offset in `done` are forgotten. To be run on this thread's loop."""
        assignment, noted = _assignment(self._consumer), self._notes()
        if assignment is None:
            return {}
        states = {tp: assignment.state_value(tp) for tp in assignment.tps}
        for tp, queue in noted.items():
            while queue and queue[0][0] < done.get(tp, 0):
                queue.popleft()
        now = {tp: (state.position if state.has_valid_position else None, tuple(noted.get(tp, ()))) for tp, state in states.items()}
        ends = await self._ends(states)
        committed = self.consumer._committed_offset  # noqa: SLF001 - where Faust began to read, at the assignment
        found = {}
        for tp, (position, fetches) in now.items():
            end = max(ends.get(tp, 0), states[tp].lso or 0, position or 0)
            found[tp] = Input(committed.get(tp), position, end, max(end, states[tp].highwater or 0), fetches)
        return found

    async def _ends(self, partitions: Collection[Any]) -> Mapping[Any, int]:
        """Asked of the broker, as a fetch says it too, but while a partition waits it is not fetched. Nothing, if it does not answer."""
        with suppress(TimeoutError, KafkaError):
            async with asyncio.timeout(ANSWER_S):
                consumer: Any = self._consumer
                return await consumer.end_offsets(partitions)  # type: ignore[no-any-return]
        return {}


def _positions(consumer: Any) -> dict[TopicPartition, int]:
    """Where the consumer is in each partition that it has."""
    assignment = _assignment(consumer)
    states = {tp: assignment.state_value(tp) for tp in assignment.tps} if assignment else {}
    return {tp: state.position for tp, state in states.items() if state.has_valid_position}


def _assignment(consumer: Any) -> Any:
    subscription = consumer._subscription.subscription if consumer else None  # noqa: SLF001 - there is no call for it that does not wait
    return subscription.assignment if subscription else None


class _Consumer(driver.Consumer):
    """Delivers a partition's records as one event for each fetch, and commits the offsets that the agents hold.

    Faust delivers each record by itself, at 70 µs and several turns of the event loop; a Step then found few to take along, and 100,000
    single documents took minutes. Its own count of acknowledged events, for commits, stops at the first transaction marker.
    """

    def _new_consumer_thread(self) -> _Thread:
        return _Thread(self, loop=self.loop, beacon=self.beacon)

    async def _drain_messages(self, fetcher: Any) -> None:
        """Faust's own, but for a fetch being handed over as a whole.

        Faust waits for each partition's events to be taken: each time everybody else had their turn before the next partition got its own,
        and a document that others went before was in the worker for 140 ms until its Step began.
        """
        try:
            while not (self.should_stop or fetcher.should_stop):
                events = await self._fetched()
                if not self.flow_active:  # fetched after a rebalance's seek, and before its end: nobody fetches that again
                    await self.wait(self.can_resume_flow)  # type: ignore[arg-type] # mode names its own Event only
                await self.wait_first(self._deliver(events), self.suspend_flow.wait())
        except self.consumer_stopped_errors:
            if not self.app.should_stop:
                raise

    async def _fetched(self) -> list[Any]:
        """One event for each partition that there is something of: the value of its message is a Fetch."""
        found, active = await self._wait_next_records(FETCH_S)
        reads, events = cast("dict[Any, Read]", found or {}), []
        for tp, read in reads.items():
            if active is None or tp in active or tp in self._buffered_partitions:
                together: Any = self._to_message(tp, read.records[-1])
                together.value = Fetch(read.start, read.end, messages_of(read.records))
                events.append(together)
        return events

    async def _deliver(self, events: Iterable[Any]) -> None:
        """Put events into their streams' queues; waits where one is full. What is of an earlier assignment is not handed over."""
        active = self._get_active_partitions()
        for event in events:
            if not self.flow_active or event.generation_id != self.app.consumer_generation_id:
                return
            if event.tp in active or event.tp in self._buffered_partitions:
                await self.callback(event)
                self._read_offset[event.tp] = event.offset

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:  # noqa: ARG002 - Faust's signature
        app: Any = self.app
        done = {tp: offset for tp, offset in app.done().items() if tp in self.assignment()}
        return await self._commit(done) if done else False

    def starts(self) -> dict[Any, int]:
        """The group's offset of each assigned partition that it has one of."""
        return {tp: start for tp in self.assignment() if (start := self._committed_offset.get(tp))}

    async def inputs(self, done: Mapping[Any, int]) -> dict[Any, Input]:
        """Every assigned partition, as `_Thread.inputs` says; not by Faust's queue of calls, which may be what does not move."""
        thread: Any = self._thread
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(thread.inputs(done), thread.thread_loop))


class Transport(driver.Transport):
    """Faust's transport with this consumer."""

    Consumer = _Consumer


def messages_of(records: Iterable[Any]) -> list[Message]:
    """Aiokafka's records as ours; a value that is null is empty."""
    return [Message(r.topic, r.partition, r.offset, r.timestamp, r.key, r.value or b"", tuple(r.headers)) for r in records]
