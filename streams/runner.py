"""The loop around the Step: takes what waits in a partition's stream, hands it over, and ends the process on a fault.

`Runner.run` is the body of a Faust agent with isolated partitions: one task a partition, so that while one partition awaits its commit, the
others compute.

- **Several messages a Step.** A transaction costs about ten milliseconds; an originator that sends one document a message would get
  fewer than 500 a second. So whatever already waits in the stream's queue is taken along, up to what `streams/pace.py` finds good, and
  what comes until it says that the Step may begin.
- **Never cut a Step.** Faust cancels an agent's task when its partition goes; the Step runs in a task of its own, shielded, and the
  rebalance waits for it (at most TRANSACTION_MS, then the broker aborts it). A new holder opens only after that.
- **Opened when assigned**, all partitions side by side and before input comes: each fences its earlier holder at once, and a worker without
  input is warm. A rebalance cuts what is still opening, or it would fence a new holder; who keeps the partition begins anew.
- **Held over a rebalance.** A partition that stays with this worker keeps its state: nobody else can have written its table without fencing
  our producer, and then the next Step fails and the process starts anew.
- **Nothing is skipped.** Where the consumer begins is not to be trusted: all agents on a topic share the group's offset, a new agent has
  not read what others have, people reset it. Nor is that every fetch comes here: when one rebalance follows another at once, Faust clears
  queues, lets the flow go on and drops what it has fetched, in any order. So each fetch says from where on it is complete
  (`Fetch.start`), and what lies between there and what is done is read apart.
- **Waiting for somebody outside** (`streams/waiting.py`) is no fault: the Step is tried again until it is answered, or a rebalance comes.
- **Fail-stop.** Fenced, refused, too large, an unknown exception: end the process at once, without acknowledging anything
  (`streams/stops.py`). Its supervisor starts it again; what was not committed is read again.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Any, NoReturn, Protocol

import structlog

from streams.effects import Fetch, Message
from streams.pace import Pace, cut, size_of
from streams.topics import Topic
from streams.waiting import CATCHING_UP, OPENING, Waiting, Work

log = structlog.get_logger()


class Held(Protocol):
    """A source partition as an agent holds it: `streams/step.py` for tables, `streams/sink.py` for PostgreSQL."""

    offset: int

    async def open(self) -> None: ...
    async def step(self, messages: list[Message]) -> None: ...
    async def close(self) -> None: ...


FailStop = Callable[[str, int, int, BaseException], NoReturn]  # agent, partition, first offset of the Step, why
Source = Callable[[str, int, int, int], AsyncIterator[list[Message]]]  # topic, partition, first offset, and the one after the last


class Runner:
    """One agent's partitions in this process. `hold` makes a Held for a partition; `source` reads a stretch of it anew."""

    def __init__(
        self,
        app: Any,
        name: str,
        topic: Topic,
        hold: Callable[[int], Held],
        source: Source,
        pace: Pace,
        *,
        fail_stop: FailStop,
    ) -> None:
        self.app, self.name, self.topic, self.partitions = app, name, topic.name, topic.partitions
        self._hold, self._source, self.pace, self._fail_stop = hold, source, pace, fail_stop
        self.held: dict[int, Held] = {}
        self.work: dict[int, Work] = {}
        self._openings: dict[int, asyncio.Task[None]] = {}
        self._steps: dict[int, asyncio.Task[None]] = {}
        self._waiting = Waiting(app.flow_control.is_active)
        self.reached: dict[int, int] = {}  # what is held includes all up to here: more than its offset says, where markers follow
        app.on_partitions_revoked.connect(self._revoked, weak=False)
        app.on_partitions_assigned.connect(self._assigned, weak=False)

    async def run(self, stream: Any) -> None:
        """Process a partition's stream until Faust takes it away. The value of each message is a Fetch."""
        loop = asyncio.get_running_loop()
        next_s = loop.time()
        async for event in stream.events():
            number, fetched = event.message.partition, [event.message]
            try:
                await self._gather(stream.channel.queue, fetched, next_s)
                next_s = loop.time() + self.pace.gather_s
                for fetch in cut([of.value for of in fetched if self._current(of)], self.pace):
                    if not self._current(fetched[-1]):  # revoked while the last Step went on: the next holder does the rest
                        break
                    await asyncio.shield(self._begin(number, fetch))
            except (asyncio.CancelledError, StopAsyncIteration) as end:
                if self._current(fetched[-1]):  # started anew without a rebalance: nobody delivers the rest again
                    self.begin({number: fetched[-1].value.end})
                if isinstance(end, StopAsyncIteration):  # Faust throws it into the queue of a partition that is revoked: its stream is over
                    return
                raise

    async def _gather(self, queue: Any, fetched: list[Any], until_s: float) -> None:
        """Add to `fetched` what is in the queue, and what comes `until_s`, as long as the bound is not reached.

        There may be a rebalance meanwhile: what came before it is then no longer current, but stands in the list with what came after.
        """
        size, loop = size_of(fetched[0].value.messages), asyncio.get_running_loop()
        while size < self.pace.bytes and self.app.flow_control.is_active():
            if queue.empty() and loop.time() >= until_s:
                return
            try:
                async with asyncio.timeout_at(until_s if queue.empty() else None):
                    fetched.append((await queue.get()).message)
            except TimeoutError:
                return
            size += size_of(fetched[-1].value.messages)

    def _current(self, message: Any) -> bool:
        """Whether a message is of the assignment that this worker has now."""
        return bool(self.app.flow_control.is_active() and message.generation_id == self.app.consumer_generation_id)

    def begin(self, starts: Mapping[int, int]) -> None:
        """Do what lies between the tables and `starts`, partition -> offset, without waiting for a message.

        That is where the consumer begins, or the end of what a cancelled task had taken from its stream, which nobody brings again.
        """
        for number, start in starts.items():
            self._begin(number, Fetch(start, start, []))

    def _begin(self, number: int, fetch: Fetch) -> "asyncio.Task[None]":
        task = self._steps[number] = asyncio.ensure_future(self._step(number, fetch, self._steps.get(number)))
        return task

    async def _step(self, number: int, fetch: Fetch, before: asyncio.Task[None] | None) -> None:
        """Do all up to the end of `fetch`, whatever of it was not done yet."""
        self.work.setdefault(number, Work())
        try:
            if before is not None:  # Faust restarted this partition's task while its last Step went on
                await before
            # events can be faster than the news of their assignment; without flow, and opened by nobody, they are of the one before it
            if number not in self.held and (number in self._openings or self.app.flow_control.is_active()):
                await asyncio.wait({self._open(number)})
            held = self.held.get(number)
            if held is None:  # a rebalance is on: what is not done is fetched again, by whoever holds the partition then
                return
            if not await self._catch_up(held, number, fetch.start):
                return
            if fetch.messages and not await self._do(held, number, fetch.messages):
                return
            self.reached[number] = max(fetch.end, self.reached.get(number, 0))
        except BaseException as fault:  # noqa: BLE001 - whatever it is: this process must not go on, and must not acknowledge
            self._fail_stop(self.name, number, fetch.start, fault)

    def _open(self, number: int) -> "asyncio.Task[None]":
        """The opening of a partition, begun now unless it is under way."""
        opening = self._openings.get(number)
        if opening is None or opening.done():
            opening = self._openings[number] = asyncio.ensure_future(self._opened(number))
        return opening

    async def _opened(self, number: int) -> None:
        held, work = self._hold(number), self.work.setdefault(number, Work())
        work.begin(OPENING)
        try:
            await held.open()
        except BaseException as fault:
            if not isinstance(fault, asyncio.CancelledError) or self._openings.get(number) is asyncio.current_task():
                self._fail_stop(self.name, number, held.offset + 1, fault)
            raise
        finally:
            work.end()
        self.held[number], self.reached[number] = held, 0
        log.info("partition opened", agent=self.name, partition=number, offset=held.offset)

    async def _cut_openings(self, numbers: Iterable[int]) -> None:
        openings = [self._openings.pop(number) for number in numbers if number in self._openings]
        for opening in openings:
            opening.cancel()
        if openings:
            await asyncio.wait(openings)

    async def _do(self, held: Held, number: int, messages: list[Message]) -> bool:
        """Whether it was done; not, if it waited for somebody and was left."""
        offset, work = held.offset, self.work[number]
        work.first_ms = messages[0].timestamp_ms
        if not await self._waiting.done(number, work, lambda: held.step(messages)):
            return False
        if held.offset != offset:
            work.count()
        work.end()
        return True

    async def _catch_up(self, held: Held, number: int, start: int) -> bool:
        """Do what lies before `start`, where a fetch begins: nothing most often, or a transaction's marker, which is no message.

        Whether it was done, as `_do`.
        """
        done = max(held.offset + 1, self.reached.get(number, 0))
        if start <= done:
            return True
        self.work[number].begin(CATCHING_UP)
        async for missed in self._source(self.topic, number, done, start):
            for fetch in cut([Fetch(done, start, missed)], self.pace):
                log.warning("read what was not fetched", agent=self.name, partition=number, messages=len(fetch.messages))
                if not await self._do(held, number, fetch.messages):
                    return False
        self.work[number].end()
        return True

    async def _revoked(self, _app: Any, revoked: Iterable[Any], **_: Any) -> None:
        numbers = [tp.partition for tp in revoked if tp.topic == self.topic]
        await self._cut_openings(numbers)
        await self.settle(numbers)

    async def settle(self, numbers: Iterable[int] | None = None) -> None:
        """Wait for the Steps under way, of all partitions or of `numbers`; one that waits for somebody outside is left."""
        these = set(self._steps) if numbers is None else set(numbers)
        with self._waiting.left(these):
            await asyncio.gather(*(self._steps[n] for n in these if n in self._steps))

    async def _assigned(self, _app: Any, assigned: Iterable[Any], **_: Any) -> None:
        ours = {tp.partition for tp in assigned if tp.topic == self.topic}
        for number in ours - self.held.keys():
            self._open(number)
        await self.close((self.held.keys() | self._openings.keys()) - ours)

    async def close(self, numbers: Iterable[int] | None = None) -> None:
        """Let go of partitions (default: all), after their Steps under way."""
        gone = list(self.held.keys() | self._openings.keys()) if numbers is None else list(numbers)
        await self._cut_openings(gone)
        await self.settle(gone)
        for number in gone:
            self._steps.pop(number, None)
        await asyncio.gather(*(self.held.pop(number).close() for number in gone if number in self.held))
