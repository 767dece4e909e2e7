"""What the Step and the runner ask of a broker, and Kafka's answer to it.

The protocols are the whole of it: `tests/simulation/` has another broker behind them, and one contract suite for both.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from streams import metrics

BATCH_BYTES: Final = 900 * 1024  # of one record batch, unless a single record is larger
FETCH_BYTES: Final = 4 * 1024 * 1024
READERS_MAX: Final = 4  # at once, each with 20 MB of fetches and records; eight read 1,000,000 rows no faster
READ_WAIT_MS, FOLLOW_WAIT_MS = 100, 500  # a fetch that finds nothing waits so long at the broker; what comes is answered at once
FOLLOW_MS: Final = 60_000  # of one wait for records; it ends when they come
TRANSACTION_MS: Final = 10_000  # a transaction that takes longer is aborted by the broker, and its producer fenced


class Producer(Protocol):
    """A transactional producer, with aiokafka's calls."""

    async def start(self) -> None:
        """Fence every earlier producer of the same transactional id, and abort what it left open."""

    def transaction(self) -> AbstractAsyncContextManager[Any]:
        """A transaction: committed where its block ends, aborted where that raises."""

    async def send_batch(self, batch: Any, topic: str, *, partition: int) -> Any:
        """An awaitable of the batch's metadata, whose `offset` is that of its first record."""

    async def stop(self) -> None: ...

    def create_batch(self) -> Any:
        """A builder: `append(timestamp=, key=, value=, headers=)` (None: it is full), `size()`, `close()`, `record_count()`."""


class Broker(Protocol):
    """Partitions with transactions."""

    def producer(self, transactional_id: str) -> Producer: ...

    def read(self, topic: str, number: int, start: int = 0, end: int | None = None) -> AsyncGenerator[list[Any]]:
        """Yield a partition's committed records, in lists, from `start` (or the first that is kept) up to and without `end`.

        `end` is by default the partition's end now. By position and not by record: a transaction's marker takes an offset but is no
        record, and who waits for the record before the end waits for ever where a marker stands.
        """

    def follow(self, topic: str, number: int, start: int) -> AsyncGenerator[list[Any]]:
        """As `read`, but without an end: yields what comes, as it is committed."""


@dataclass(frozen=True, slots=True)
class KafkaBroker:
    """The real one; `address` is its bootstrap server."""

    address: str
    _readers: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(READERS_MAX), init=False, repr=False, compare=False)

    def producer(self, transactional_id: str) -> Producer:
        # no compression: with lz4 the diff of 400,000 assets went at 79,000/s instead of 129,000/s
        return AIOKafkaProducer(  # type: ignore[no-any-return]
            bootstrap_servers=self.address,
            client_id=transactional_id,
            transactional_id=transactional_id,
            transaction_timeout_ms=TRANSACTION_MS,
            max_batch_size=BATCH_BYTES,
            max_request_size=8 * BATCH_BYTES,
        )

    async def read(self, topic: str, number: int, start: int = 0, end: int | None = None) -> AsyncGenerator[list[Any]]:
        partition = TopicPartition(topic, number)
        async with self._readers, self._reader(partition, start, READ_WAIT_MS) as reader:
            if end is None:
                end = (await reader.end_offsets([partition]))[partition]
            while await reader.position(partition) < end:
                for records in (await reader.getmany(partition, timeout_ms=200)).values():
                    metrics.RECORDS_READ.labels(topic, number).inc(len(records))
                    yield [record for record in records if record.offset < end]

    async def follow(self, topic: str, number: int, start: int) -> AsyncGenerator[list[Any]]:
        async with self._reader(TopicPartition(topic, number), start, FOLLOW_WAIT_MS) as reader:
            while True:
                for records in (await reader.getmany(timeout_ms=FOLLOW_MS)).values():
                    yield records

    @asynccontextmanager
    async def _reader(self, partition: TopicPartition, start: int, wait_ms: int) -> AsyncIterator[AIOKafkaConsumer]:
        reader = AIOKafkaConsumer(
            bootstrap_servers=self.address,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=wait_ms,
            max_partition_fetch_bytes=FETCH_BYTES,
        )
        try:
            await reader.start()
            reader.assign([partition])
            # Not seek_to_beginning: assign() has begun a reset of its own, and now and then the later of the two wins; seek() ends it.
            reader.seek(partition, start)
            yield reader
        finally:
            await reader.stop()
