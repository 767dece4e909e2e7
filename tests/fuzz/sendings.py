"""How a file gets to intake: through the gateway's own delivery, in random pieces, or as messages that its originator made.

Both say which documents intake must account for, and compare the cutting with `frames.split` of the whole file.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import accumulate
from random import Random
from struct import unpack
from typing import Any, Final, NamedTuple

from schemas.asset import DOCUMENT_BYTES_MAX
from schemas.events import UPLOAD, decode_batch, decode_rejected
from streams import topics
from streams.effects import Message, Record
from streams.frames import FrameError, split
from streams.gateway.delivery import Delivery, Origin
from streams.gateway.limits import Limits
from streams.partition import partition_of

TIME_MS: Final = 1_795_392_000_000  # 2026-11-23
Place = tuple[str, int]  # a document's batch and byte position


class FoundError(AssertionError):
    """What must not be: the message says what was found and what was to be."""


def expect(what: str, found: object, wanted: object) -> None:
    """Raises FoundError if they differ."""
    if found != wanted:
        raise FoundError(f"{what}: found {str(found)[:2000]}, not {str(wanted)[:2000]}")


@dataclass(frozen=True)
class Sending:
    """One file: `frames` are its documents, and what is between them; `seed` decides how it is cut and where it goes."""

    originator: str
    frames: tuple[bytes, ...]
    direct: bool  # the originator produces it itself
    seed: int


class Sent(NamedTuple):
    """What came of the cutting: messages by partition; what intake must account for: documents, and rests that cannot be cut."""

    messages: Mapping[int, Sequence[Message]]
    documents: Mapping[Place, bytes]
    faults: Mapping[Place, str]
    oversized: int
    lost_bytes: int  # behind a fault of a frame


def send(sending: Sending, batch: str) -> Sent:
    """Raises FoundError: a document, or a byte, is not accounted for."""
    return (_directly if sending.direct else _through_the_gateway)(sending, f"{sending.originator}.{batch}")


class _Kept:
    """An outlet (`streams.gateway.outlet`) that keeps what it is given."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    async def put(self, record: Record) -> asyncio.Future[None]:
        self.records.append(record)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done

    async def settled(self, acks: list[asyncio.Future[None]]) -> None:
        await asyncio.gather(*acks)

    async def write(self, record: Record) -> None:
        await self.put(record)


def _through_the_gateway(sending: Sending, batch: str) -> Sent:
    data, rng = b"".join(sending.frames), Random(sending.seed)
    docs, fault = split(data)
    kept = _Kept()
    limits = replace(Limits(), chunk_bytes=rng.choice((1000, 20_000, 128 * 1024)), chunk_documents=rng.choice((1, 10, 1000)))
    origin = Origin(UPLOAD, f"originator {sending.originator}", datetime.fromtimestamp(TIME_MS / 1000, UTC))
    delivery = Delivery(batch, sending.originator, origin, kept, limits)  # type: ignore[arg-type]
    raised = asyncio.run(_deliver(delivery, _pieces(rng, data)))
    expect("the fault of the frame", raised and (raised.position, raised.reason), fault and (fault.position, fault.reason))
    positions = [0, *accumulate(map(len, docs))]
    expect("bytes", positions[-1] + len(data) - (fault.position if fault else len(data)), len(data))
    every = {(batch, position): doc for position, doc in zip(positions, docs, strict=False)}
    messages: dict[int, list[Message]] = {}
    found: dict[Place, bytes] = {}
    for record in kept.records:
        if record.topic is topics.INGEST:
            where = messages.setdefault(record.partition, [])  # type: ignore[arg-type]
            message = as_message(record, record.partition, len(where))
            where.append(message)
            found.update(_placed(message, found))
    large = [decode_rejected(record.value) for record in kept.records if record.topic is topics.REJECTED]
    expect("documents handed over", found, {place: doc for place, doc in every.items() if len(doc) <= DOCUMENT_BYTES_MAX})
    expect("documents passed over", sorted(event.position for event in large), sorted(at for _, at in every.keys() - found.keys()))
    received = decode_batch(kept.records[-1].value)
    expect("documents received", (received.documents, received.oversized), (len(docs), len(large)))
    return Sent(messages, found, {}, len(large), len(data) - positions[-1])


async def _deliver(delivery: Delivery, pieces: Sequence[bytes]) -> FrameError | None:
    fault = None
    try:
        for piece in pieces:
            await delivery.take(piece)
        delivery.end()
    except FrameError as raised:
        fault = raised
    await delivery.finish(*((fault.reason, fault.position) if fault else ()))
    return fault


def _pieces(rng: Random, data: bytes) -> list[bytes]:
    size = rng.choice((7, 100, 3000, 65_536))
    cuts = sorted(rng.sample(range(1, len(data)), min(len(data) - 1, len(data) // size))) if len(data) > 1 else []
    return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def _directly(sending: Sending, batch: str) -> Sent:
    """A message for some of the frames each: to the partition where it belongs, or to any."""
    rng, frames = Random(sending.seed), list(sending.frames)
    messages: dict[int, list[Message]] = {}
    documents: dict[Place, bytes] = {}
    faults: dict[Place, str] = {}
    lost = 0
    for number in range(len(frames)):
        if not frames:
            break
        size = rng.choice((1, 1, 5, 100))
        value, frames = b"".join(frames[:size]), frames[size:]
        name = f"{batch}-{number}"
        headers: list[tuple[str, bytes | None]] = [("originator", sending.originator.encode()), ("batch", name.encode())]
        if rng.random() < 0.2:
            headers.append(
                ("positions", rng.choice((b"", None, b"x", rng.randbytes(7), b"\xff" * 8 * size)))
            )  # of no use: those within the message count
        partition = rng.randrange(topics.ASSET_PARTITIONS)
        where = messages.setdefault(partition, [])
        where.append(Message(topics.INGEST.name, partition, len(where), TIME_MS, None, value, tuple(headers)))
        docs, fault = split(value)
        ends = list(accumulate(map(len, docs)))
        documents.update({(name, end - len(doc)): doc for doc, end in zip(docs, ends, strict=True)})
        if fault:
            expect("the byte where the cutting ended", fault.position, ends[-1] if ends else 0)
            faults[name, fault.position] = fault.reason
            lost += len(value) - fault.position
    return Sent(messages, documents, faults, 0, lost)


def as_message(record: Record, partition: int | None, offset: int) -> Message:
    """A record as a consumer would get it."""
    assert record.value is not None
    if partition is None:
        assert record.key is not None
        partition = partition_of(record.key, record.topic.partitions)
    return Message(record.topic.name, partition, offset, TIME_MS, record.key, record.value, record.headers)


def _placed(message: Message, known: Mapping[Place, Any]) -> dict[Place, bytes]:
    """The documents of a chunk by their places; none of them may be there already."""
    headers = dict(message.headers)
    docs, fault = split(message.value)
    expect("the fault of a chunk", fault, None)
    positions = unpack(f"<{len(docs)}Q", headers["positions"] or b"")
    placed = {((headers["batch"] or b"").decode(), position): doc for position, doc in zip(positions, docs, strict=True)}
    expect("documents that were handed over before", [place for place in placed if place in known], [])
    expect("documents of a chunk", len(placed), len(docs))
    return placed
