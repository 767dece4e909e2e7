"""The gateway's one way to the broker: an idempotent producer with a bounded number of chunks in flight.

`put` waits for a free place, and whoever waits does not read its upload further: that is the back-pressure. aiokafka's idempotent
producer tries for ever; here a chunk that is not acknowledged in time fails everything in flight and discards the producer, because
after a lost chunk its sequence numbers are of no use. The next call connects anew.
"""

import asyncio
import contextlib
from typing import Final

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from streams import topics
from streams.effects import Record
from streams.gateway.limits import Limits

log = structlog.get_logger()

WRITES: Final = (topics.INGEST, topics.REJECTED, topics.BATCHES, topics.PORTFOLIOS)


class BrokerError(Exception):
    """The broker is absent, or has not acknowledged in time. What is not acknowledged may have arrived all the same."""


class Outlet:
    """Connects at the first use. All methods belong to one event loop."""

    def __init__(self, bootstrap: str, limits: Limits) -> None:
        self._bootstrap, self._limits = bootstrap, limits
        self._producer: AIOKafkaProducer | None = None
        self._connecting = asyncio.Lock()
        self._places = asyncio.Semaphore(limits.chunks_in_flight)
        self._acks: set[asyncio.Future[None]] = set()
        self._discarding: set[asyncio.Task[None]] = set()

    async def connect(self) -> None:
        """Connect, if that is not done.

        Raises:
            BrokerError: the broker does not answer, or its topics are not ours.
        """
        await self._connected()

    async def put(self, record: Record) -> asyncio.Future[None]:
        """Hand a record over; records of one caller keep their order. The future is done when all replicas have it.

        Raises:
            BrokerError: now, or later by the future.
        """
        try:
            async with asyncio.timeout(self._limits.ack_s):
                await self._places.acquire()
        except TimeoutError:
            raise self._give_up(self._producer, f"no acknowledgement for {self._limits.ack_s:g} seconds") from None
        ack: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._acks.add(ack)
        ack.add_done_callback(self._release)
        try:
            producer = await self._connected()
            await self._send(producer, record, ack)
        except BaseException:
            ack.cancel()
            raise
        return ack

    async def write(self, record: Record) -> None:
        """Hand a record over and wait until all replicas have it.

        Raises:
            BrokerError: it was not acknowledged.
        """
        await self.settled([await self.put(record)])

    async def settled(self, acks: list[asyncio.Future[None]]) -> None:
        """Wait until all of them are done.

        Raises:
            BrokerError: one of them failed, or was not acknowledged in time.
        """
        producer = self._producer
        if acks:
            _, late = await asyncio.wait(acks, timeout=self._limits.ack_s)
            if late:
                self._give_up(producer, f"no acknowledgement for {self._limits.ack_s:g} seconds")
        for ack in acks:
            ack.result()

    async def check(self) -> None:
        """Ask the broker for something.

        Raises:
            BrokerError: it does not answer.
        """
        producer = await self._connected()
        try:
            async with asyncio.timeout(self._limits.connect_s):
                await producer.client.fetch_all_metadata()
        except (TimeoutError, KafkaError, OSError) as fault:
            raise BrokerError(f"the broker at {self._bootstrap} does not answer") from fault

    async def close(self) -> None:
        """End the connection, when nothing is in flight any more."""
        if self._producer:
            self._discard(self._producer)
        if self._discarding:
            await asyncio.wait(self._discarding, timeout=self._limits.connect_s)

    async def _send(self, producer: AIOKafkaProducer, record: Record, ack: asyncio.Future[None]) -> None:
        try:
            async with asyncio.timeout(self._limits.ack_s):
                sent = await producer.send(
                    record.topic.name, record.value, record.key, record.partition, headers=record.headers and list(record.headers)
                )
        except (TimeoutError, KafkaError) as fault:
            raise self._give_up(producer, f"the broker takes nothing: {fault or type(fault).__name__}") from fault

        def done(sent: asyncio.Future[object]) -> None:
            if sent.cancelled() or sent.exception():
                self._give_up(producer, f"the broker refuses: {'' if sent.cancelled() else sent.exception()}")
            elif not ack.done():
                ack.set_result(None)

        sent.add_done_callback(done)

    def _release(self, ack: asyncio.Future[None]) -> None:
        self._acks.discard(ack)
        self._places.release()
        if not ack.cancelled():
            ack.exception()  # whoever gave up waiting has said why

    async def _connected(self) -> AIOKafkaProducer:
        async with self._connecting:
            if self._producer is None:
                self._producer = await self._connect()
            return self._producer

    async def _connect(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            bootstrap_servers=self._bootstrap,
            client_id="tranche-gateway",
            acks="all",
            enable_idempotence=True,
            max_batch_size=1,  # a chunk is a batch of its own
            max_request_size=topics.MESSAGE_BYTES_MAX,
            request_timeout_ms=int(self._limits.ack_s * 1000),
            retry_backoff_ms=500,  # of a broker that is gone; each try is a line in the log
        )
        try:
            async with asyncio.timeout(self._limits.connect_s):
                await producer.start()
                for topic in WRITES:
                    found = len(await producer.partitions_for(topic.name))
                    if found != topic.partitions:
                        raise BrokerError(f"topic {topic.name} has {found} partitions, not {topic.partitions}")  # noqa: TRY301 - the way out
        except (TimeoutError, KafkaError, OSError) as fault:
            self._discard(producer)
            raise BrokerError(f"the broker at {self._bootstrap} does not answer, or lacks the topics") from fault
        except BaseException:
            self._discard(producer)
            raise
        return producer

    def _give_up(self, producer: AIOKafkaProducer | None, reason: str) -> BrokerError:
        """Fail all that is in flight and discard the producer, unless that is done; returns the fault."""
        fault = BrokerError(reason)
        if producer is not None and producer is self._producer:
            log.warning("broker given up", reason=reason, in_flight=len(self._acks))
            self._discard(producer)
            for ack in tuple(self._acks):
                if not ack.done():
                    ack.set_exception(fault)
        return fault

    def _discard(self, producer: AIOKafkaProducer) -> None:
        if producer is self._producer:
            self._producer = None
        task = asyncio.get_running_loop().create_task(_end(producer))
        self._discarding.add(task)
        task.add_done_callback(self._discarding.discard)


async def _end(producer: AIOKafkaProducer) -> None:
    """Close a producer without waiting for what it has not delivered: its own `stop` would wait for ever."""
    producer._closed = True  # noqa: SLF001 - aiokafka has no other way to stop without flushing
    with contextlib.suppress(KafkaError, OSError, asyncio.CancelledError):
        await producer._sender.close()  # noqa: SLF001 - cancels its retries
    with contextlib.suppress(KafkaError, OSError):
        await producer.client.close()
