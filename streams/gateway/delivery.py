"""One batch on its way from the originator's file to the broker."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final, NamedTuple

import xxhash

from schemas import events
from streams import topics
from streams.effects import Headers, Record
from streams.frames import identify
from streams.gateway.chunks import Chunk, Chunker
from streams.gateway.limits import Limits
from streams.gateway.outlet import BrokerError, Outlet
from streams.gateway.splitter import Oversized, Splitter
from streams.gateway.spooled import Spooled

TOO_LARGE: Final = "larger than a document may be"
More = Callable[[Chunk], Awaitable[Headers]]


class Origin(NamedTuple):
    """How a batch comes (`schemas.events.WAYS`), from whom, since when, and which batch it restarts or drops."""

    way: str
    sender: str
    began: datetime
    restart_of: str = ""


class Delivery:
    """Takes the file's pieces, hands chunks over, and says at the end what the broker has.

    Call `take` for each piece, then `finish` once. `documents` and `size` count what was cut and received; `kept` counts the documents
    that the broker has acknowledged, so after a fault of the broker it is the least that it has.
    """

    def __init__(
        self,
        batch: str,
        originator: str,
        origin: Origin,
        outlet: Outlet,
        limits: Limits,
        *,
        spooled: Spooled | None = None,
        more: More | None = None,
    ) -> None:
        """`spooled` keeps the file until it is backed up; `more` gives further headers of a chunk, before it is handed over."""
        self.batch, self.originator, self.origin, self._spooled = batch, originator, origin, spooled
        self.documents = self.size = self.oversized = self.kept = 0
        self._outlet, self._more = outlet, more
        self._splitter = Splitter()
        self._chunker = Chunker(originator, topics.INGEST.partitions, limits.chunk_bytes, limits.chunk_documents)
        self._digest = xxhash.xxh3_128()
        self._acks: set[asyncio.Future[None]] = set()
        self._refused: BaseException | None = None

    @property
    def digest(self) -> str:
        """XXH3-128 of what came, hexadecimal."""
        return self._digest.hexdigest()

    async def take(self, piece: bytes) -> None:
        """Cut, route and hand over; waits while too many chunks are in flight.

        Raises:
            FrameError: the sequence cannot be cut further. What came before is good, and is handed over by `finish`.
            BrokerError: the broker does not take it. SpoolError: there is no room to keep it until it is backed up.
        """
        if self._spooled:
            self._spooled.write(piece, self.kept, self.oversized)
        self._digest.update(piece)
        self.size += len(piece)
        cut = self._splitter.feed(piece)
        self.documents += len(cut.docs) + len(cut.oversized)
        for chunk in self._chunker.add(cut.positions, cut.docs):
            await self._put(await self._ingest(chunk), chunk.documents)
        for large in cut.oversized:
            await self._put(self._rejected(large), 1)
            self.oversized += 1
        if cut.fault:
            raise cut.fault

    def end(self) -> None:
        """The file is complete.

        Raises:
            FrameError: it is cut off.
        """
        fault = self._splitter.close()
        if fault:
            raise fault

    async def finish(self, error: str = "", position: int = 0, same_as: str = "") -> events.BatchReceived:
        """Hand over what is left, wait for all acknowledgements, and publish that the batch was received, and which one it repeats.

        Raises:
            BrokerError: the broker does not take it.
        """
        for chunk in self._chunker.rest():
            await self._put(await self._ingest(chunk), chunk.documents)
        await self._outlet.settled(list(self._acks))
        self._check()
        return await self._publish(self.documents, error, position, same_as)

    async def fail(self, error: str) -> None:
        """Publish that the broker did not take all of the batch.

        Raises:
            BrokerError: it does not take this either.
        """
        await self._publish(self.kept, error, self.size)

    async def _publish(self, documents: int, error: str, position: int, same_as: str = "") -> events.BatchReceived:
        event = events.BatchReceived(
            self.batch,
            self.originator,
            documents,
            self.size,
            self.digest,
            self.oversized,
            error,
            position,
            way=self.origin.way,
            sender=self.origin.sender,
            began_ms=int(self.origin.began.timestamp() * 1000),
            same_as=same_as,
            restart_of=self.origin.restart_of,
        )
        if self._spooled:
            self._spooled.ending(event)
        await self._outlet.write(Record(topics.BATCHES, self.batch.encode(), events.encode(event)))
        if self._spooled:
            self._spooled.ended(event)
        return event

    async def _put(self, record: Record, documents: int) -> None:
        self._check()
        ack = await self._outlet.put(record)
        self._acks.add(ack)
        ack.add_done_callback(lambda ack: self._acknowledged(ack, documents))

    def _acknowledged(self, ack: asyncio.Future[None], documents: int) -> None:
        self._acks.discard(ack)
        if ack.exception():
            self._refused = ack.exception()
        else:
            self.kept += documents

    def _check(self) -> None:
        if self._refused:
            raise BrokerError(str(self._refused)) from self._refused

    async def _ingest(self, chunk: Chunk) -> Record:
        headers: Headers = (("originator", self.originator.encode()), ("batch", self.batch.encode()), ("positions", chunk.positions))
        more = await self._more(chunk) if self._more else ()
        return Record(topics.INGEST, None, chunk.value, chunk.partition, (*headers, *more))

    def _rejected(self, large: Oversized) -> Record:
        asset = (identify(large.head).asset or b"").decode(errors="replace")
        event = events.Rejected(self.batch, self.originator, asset, large.position, "", f"{large.size} bytes, {TOO_LARGE}", "", large.head)
        return Record(topics.REJECTED, self.originator.encode(), events.encode(event))
