"""The loop around the Step: takes what waits in a partition's stream, hands it over, and ends the process on a fault.

`Runner.run` is the body of a Faust agent with isolated partitions: one task a partition, so that while one partition awaits its commit, the
others compute.

- **Several messages a Step.** A transaction costs about ten milliseconds; an originator that sends one document a message would get
  fewer than 500 a second. So whatever already waits in the stream's queue is taken along, up to a bound; nothing is waited for.
- **Never cut a Step.** Faust cancels an agent's task when its partition goes; the Step runs in a task of its own, shielded, and the
  rebalance waits for it (at most TRANSACTION_MS, then the broker aborts it). A new holder opens only after that.
- **Held over a rebalance.** A partition that stays with this worker keeps its state: nobody else can have written its table without fencing
  our producer, and then the next Step fails and the process starts anew.
- **Nothing is skipped.** A fetch begins where the consumer group's offset says, and that is not to be trusted: all agents on a topic share
  it, a new agent has not read what others have, people reset it. So the first Step of an assignment compares its input with the table's
  offset, and reads by itself what lies between.
- **Fail-stop.** Fenced, refused, too large, an unknown exception: log it and end the process at once, without acknowledging anything. Its
  supervisor starts it again; what was not committed is read again.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterable
from traceback import format_exception
from typing import Any, Final, NoReturn, Protocol

import structlog

from streams.effects import TAKE_BYTES, Message
from streams.topics import Topic

FAIL_STOP: Final = 3  # the exit code that tells a supervisor: start me again

log = structlog.get_logger()


class Held(Protocol):
    """A source partition as an agent holds it: `streams/step.py` for tables, `streams/sink.py` for PostgreSQL."""

    offset: int

    async def open(self) -> None: ...
    async def step(self, messages: list[Message]) -> None: ...
    async def close(self) -> None: ...


FailStop = Callable[[str, int, int, BaseException], NoReturn]  # agent, partition, first offset of the Step, why
Source = Callable[[str, int, int, int], AsyncIterator[list[Message]]]  # topic, partition, first offset, and the one after the last


def fail_stop(agent: str, partition: int, offset: int, fault: BaseException) -> NoReturn:
    """End this process at once: buffers of the log are flushed, nothing else is."""
    log.critical("fail-stop", agent=agent, partition=partition, offset=offset, fault=repr(fault), trace="".join(format_exception(fault)))
    os._exit(FAIL_STOP)


class Runner:
    """One agent's partitions in this process. `hold` makes a Held for a partition; `source` reads a stretch of it anew."""

    def __init__(
        self,
        app: Any,
        name: str,
        topic: Topic,
        hold: Callable[[int], Held],
        source: Source,
        take_bytes: int = TAKE_BYTES,
        fail_stop: FailStop = fail_stop,
    ) -> None:
        self.app, self.name, self.topic, self.partitions = app, name, topic.name, topic.partitions
        self._hold, self._source, self._take_bytes, self._fail_stop = hold, source, take_bytes, fail_stop
        self.held: dict[int, Held] = {}
        self._streams: dict[int, Any] = {}
        self._steps: dict[int, asyncio.Task[None]] = {}
        self._connected: set[int] = set()  # partitions whose fetches of this assignment are known to follow the table's offset
        app.on_partitions_revoked.connect(self._revoked, weak=False)
        app.on_partitions_assigned.connect(self._assigned, weak=False)

    async def run(self, stream: Any) -> None:
        """Process a partition's stream until Faust takes it away. The value of each message is a list of our Messages."""
        async for event in stream.events():
            number = event.message.partition
            self._streams[number] = stream
            for messages in _cut([*event.message.value, *self._waiting(stream, _size(event.message.value))], self._take_bytes):
                before = self._steps.get(number)
                task = self._steps[number] = asyncio.ensure_future(self._step(number, messages, before))
                await asyncio.shield(task)

    def _waiting(self, stream: Any, size: int) -> Iterable[Message]:
        """What else is in the stream's queue, of the same assignment, as long as the bound is not reached."""
        queue = stream.channel.queue
        while size < self._take_bytes and not queue.empty() and self.app.flow_control.is_active():
            message = queue.get_nowait().message
            if message.generation_id == self.app.consumer_generation_id:
                size += _size(message.value)
                yield from message.value

    async def _step(self, number: int, messages: list[Message], before: asyncio.Task[None] | None) -> None:
        try:
            if before is not None:  # Faust restarted this partition's task while its last Step went on
                await before
            held = self.held.get(number)
            if held is None:
                held = self._hold(number)
                await held.open()
                self.held[number] = held
                log.info("partition opened", agent=self.name, partition=number, offset=held.offset)
            if number not in self._connected:
                await self._connect(held, number, messages[0].offset)
            await held.step(messages)
        except BaseException as fault:  # noqa: BLE001 - whatever it is: this process must not go on, and must not acknowledge
            self._fail_stop(self.name, number, messages[0].offset, fault)

    async def _connect(self, held: Held, number: int, first: int) -> None:
        """Do what lies between the table's offset and the first message fetched: most often a transaction's marker, which is nothing."""
        if first > held.offset + 1:
            async for missed in self._source(self.topic, number, held.offset + 1, first):
                for messages in _cut(missed, self._take_bytes):
                    log.warning("read what the group's offset skips", agent=self.name, partition=number, messages=len(messages))
                    await held.step(messages)
        self._connected.add(number)

    async def _revoked(self, _app: Any, revoked: Iterable[Any], **_: Any) -> None:
        await self.settle(tp.partition for tp in revoked if tp.topic == self.topic)
        self._connected.clear()

    async def settle(self, numbers: Iterable[int] | None = None) -> None:
        """Wait for the Steps under way, of all partitions or of `numbers`."""
        numbers = list(self._steps) if numbers is None else numbers
        await asyncio.gather(*(self._steps[n] for n in numbers if n in self._steps))

    async def _assigned(self, _app: Any, assigned: Iterable[Any], **_: Any) -> None:
        ours = {tp.partition for tp in assigned if tp.topic == self.topic}
        await self.close(self.held.keys() - ours)

    async def close(self, numbers: Iterable[int] | None = None) -> None:
        """Let go of partitions (default: all), after their Steps under way."""
        gone = list(self.held) if numbers is None else list(numbers)
        await self.settle(gone)
        for number in gone:
            self._streams.pop(number, None)
            self._steps.pop(number, None)
        await asyncio.gather(*(self.held.pop(number).close() for number in gone))

    def waiting(self, number: int) -> int:
        """Messages of a partition that were read from the broker and are in no committed Step yet."""
        stream, step = self._streams.get(number), self._steps.get(number)
        return (stream.channel.queue.qsize() if stream is not None else 0) + (step is not None and not step.done())


def _size(messages: Iterable[Message]) -> int:
    return sum(len(message.value) for message in messages)


def _cut(messages: list[Message], take_bytes: int) -> Iterable[list[Message]]:
    """The messages in order, in lists that end when they have reached `take_bytes`."""
    size, start = 0, 0
    for end, message in enumerate(messages, 1):
        size += len(message.value)
        if size >= take_bytes or end == len(messages):
            yield messages[start:end]
            size, start = 0, end
