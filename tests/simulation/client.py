"""The in-memory broker as a process has it: the protocols of `streams/broker.py`, with aiokafka's errors and its ways."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from aiokafka.errors import KafkaError, ProducerFenced

from streams.broker import BATCH_BYTES
from tests.simulation.broker import Cluster
from tests.simulation.clock import Process
from tests.simulation.log import Entry, Log
from tests.simulation.network import Connection, Network

BATCH_OVERHEAD, RECORD_OVERHEAD = 61, 21  # bytes of Kafka's format, at most


class SimulatedBroker:
    """A Broker. Reads are committed ones, unless a test turns that off."""

    isolated = True

    def __init__(self, network: Network, cluster: Cluster, process: Process) -> None:
        self.network, self.cluster, self.process = network, cluster, process

    def producer(self, transactional_id: str) -> "SimulatedProducer":
        return SimulatedProducer(Connection(self.network, self.process, lossy=True), self.cluster, transactional_id)

    async def read(self, topic: str, number: int, start: int = 0, end: int | None = None) -> AsyncIterator[list[Entry]]:
        connection, log = Connection(self.network, self.process), self.cluster.logs[topic, number]
        if end is None:
            end = await connection.ask(f"end of {topic}-{number}", lambda reply: reply(log.stable if self.isolated else log.end))
        position = max(start, log.start)
        while position < end:
            found, position = await connection.ask(f"read {topic}-{number} from {position}", self._fetch, log, position)
            yield [entry for entry in found if entry.offset < end]

    async def follow(self, topic: str, number: int, start: int) -> AsyncIterator[list[Entry]]:
        connection, log = Connection(self.network, self.process), self.cluster.logs[topic, number]
        position = max(start, log.start)
        while True:
            found, position = await connection.ask(f"follow {topic}-{number} from {position}", self._fetch, log, position)
            await asyncio.sleep(self.network.rng.uniform(0, self.network.late_s))
            yield found

    def _fetch(self, reply: Callable[[Any], None], log: Log, position: int, many: int = 0) -> None:
        """Some records, and the position after them, as soon as there is more."""
        isolated, some = self.isolated, []
        many = many or self.network.rng.choice((1, 4, 1000))
        for entry in log.read(position, isolated=isolated):
            if len(some) == many:
                reply((some, some[-1].offset + 1))
                return
            some.append(entry)
        reached = log.stable if isolated else log.end
        if reached <= position:
            log.waiting.append(lambda: self._fetch(reply, log, position, many))
        else:
            reply((some, reached))


class SimulatedProducer:
    """A Producer, with aiokafka's ways: who was fenced can begin nothing more."""

    def __init__(self, connection: Connection, cluster: Cluster, transactional_id: str) -> None:
        self.connection, self.cluster, self.id = connection, cluster, transactional_id
        self._epoch = -1
        self._fenced: KafkaError | None = None
        self._sent: list[asyncio.Future[Any]] = []

    async def start(self) -> None:
        self._epoch = await self.connection.ask(f"start {self.id}", self.cluster.init, self.id)

    async def stop(self) -> None:
        """Nothing is under way."""

    def create_batch(self) -> "Batch":
        return Batch()

    def transaction(self) -> "SimulatedTransaction":
        return SimulatedTransaction(self)

    async def send_batch(self, batch: "Batch", topic: str, *, partition: int) -> "asyncio.Future[Any]":
        self.raise_if_fenced()
        what = f"{self.id} writes {len(batch.records)} to {topic}-{partition}"
        written = self.connection.ask(what, self.cluster.produce, self.id, self._epoch, (topic, partition), batch.records)
        self._sent.append(written)
        return written

    async def end(self, *, commit: bool) -> None:
        self.raise_if_fenced()
        sent, self._sent = self._sent, []
        await asyncio.gather(*sent, return_exceptions=not commit)
        try:
            await self.connection.ask(f"{self.id} {'commits' if commit else 'aborts'}", self._end, commit)
        except ProducerFenced as fault:
            self._fenced = fault
            raise

    def _end(self, reply: Callable[[Any], None], commit: bool) -> None:
        self.cluster.end(reply, self.id, self._epoch, commit=commit)

    def raise_if_fenced(self) -> None:
        for one in self._sent:
            if one.done() and isinstance(one.exception(), ProducerFenced):
                self._fenced = one.exception()
        if self._fenced:
            raise ProducerFenced(str(self._fenced))

    @property
    def fenced(self) -> bool:
        try:
            self.raise_if_fenced()
        except ProducerFenced:
            return True
        return False


class SimulatedTransaction:
    """As aiokafka's: an exception aborts, unless the producer was fenced."""

    def __init__(self, producer: SimulatedProducer) -> None:
        self._producer = producer

    async def __aenter__(self) -> None:
        assert not self._producer.fenced, "aiokafka's producer asserts that it has not failed for good"

    async def __aexit__(self, kind: object, fault: BaseException | None, trace: object) -> None:
        if fault is None:
            await self._producer.end(commit=True)
        elif not self._producer.fenced and not self._producer.connection.process.dead:
            await self._producer.end(commit=False)


class Batch:
    """A builder of a record batch: its records are a list."""

    def __init__(self) -> None:
        self.records: list[tuple[bytes | None, bytes | None, tuple[tuple[str, bytes], ...]]] = []
        self._size = BATCH_OVERHEAD

    def append(self, *, timestamp: int | None, key: bytes | None, value: bytes | None, headers: Any) -> object | None:
        """Add a record; None if it is full."""
        size = RECORD_OVERHEAD + len(key or b"") + len(value or b"") + sum(len(name) + len(text or b"") for name, text in headers)
        if self.records and self._size + size > BATCH_BYTES:
            return None
        self._size += size
        self.records.append((key, value, tuple(headers)))
        return self

    def size(self) -> int:
        return self._size

    def record_count(self) -> int:
        return len(self.records)

    def close(self) -> None:
        """Nothing is left to be built."""
