"""`POST /originators/{originator}/batches`: an originator's loan book goes in."""

import asyncio
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, contextmanager
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final, NamedTuple

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from schemas.events import REPLAY as REPLAY_WAY
from schemas.events import UPLOAD, BatchReceived
from streams import metrics
from streams.frames import FrameError
from streams.gateway.access import tenant
from streams.gateway.body import Body, IdleError
from streams.gateway.coding import CodingError, TooLargeError
from streams.gateway.context import Gateway, gateway_of
from streams.gateway.delivery import Delivery, Origin
from streams.gateway.digests import DigestError
from streams.gateway.multipart import MultipartError
from streams.gateway.outlet import BrokerError
from streams.gateway.problems import ProblemError, retry_later
from streams.gateway.recognition import recognised
from streams.gateway.replies import flag, json
from streams.gateway.spooled import Spooled, SpoolError

log = structlog.get_logger()


REPLAY: Final = "Tranche-Replay-Of"
SPOOL_FULL, UNREADABLE = "spool-full", "unreadable"


class FileError(Exception):
    """A file of the inbox cannot be read, or not to its end."""


# What ends an upload at the byte that it has reached: status and kind.
ENDS: Final[Mapping[type[Exception], tuple[int, str]]] = {
    MultipartError: (400, "multipart"),
    CodingError: (400, "bad-coding"),
    TooLargeError: (413, "too-large"),
    IdleError: (408, "idle"),
    ClientDisconnect: (499, "idle"),
    SpoolError: (503, SPOOL_FULL),
    FileError: (500, UNREADABLE),  # nobody is answered so: the file stays
}


class Fault(NamedTuple):
    """What ended an upload early, as the client sees it."""

    status: int
    kind: str
    reason: str
    position: int  # byte of the file
    members: Mapping[str, str] = MappingProxyType({})


async def upload(request: Request) -> Response:
    """Take a batch; 202 when the broker has all of it, 200 if it is the same file as one before."""
    originator, gateway = tenant(request), gateway_of(request)
    forced = flag(request, "force")
    body = Body(request, gateway.limits)
    batch = batch_id(originator)
    first = _replayed(request, originator)
    structlog.contextvars.bind_contextvars(batch=batch, **first)
    origin = Origin(REPLAY_WAY if first else UPLOAD, f"originator {originator}", datetime.now(UTC), first.get("replay_of", ""))
    with place(gateway):
        await reachable(gateway)
        async with kept(gateway, batch) as spooled:
            delivery = Delivery(batch, originator, origin, gateway.outlet, gateway.limits, spooled=spooled)
            try:
                fault = await receive(body.pieces(), delivery)
                received = await finish(gateway, delivery, fault, forced=forced or bool(first))
            except BrokerError as refused:
                await failed(gateway, delivery, refused)
                members = {"batch": batch, "documents_kept": delivery.kept}
                raise retry_later("broker-unavailable", f"{refused}. Send the batch again.", gateway.limits.retry_s, **members) from refused
            finally:
                counted(delivery)
    answer = {**answered(gateway, delivery, received, fault), **first}
    return json(answer) if received.same_as else json(answer, 202, {"Location": str(answer["status_url"])})


def batch_id(originator: str) -> str:
    """The id of a new batch, of time and chance.

    Events inside the dataflow get their ids from their causes, so that a replay gives the same. A batch has no cause in here: somebody
    sends it, it is a cause, and two deliveries of the same second and content are two.
    """
    return f"{originator}.{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


def _replayed(request: Request, originator: str) -> dict[str, str]:
    """The batch that this one is a replay of, under the name that log and answer have for it; empty if it is none.

    Raises:
        ProblemError: 400, it can be no batch of this originator's.
    """
    first = request.headers.get(REPLAY, "")
    if first and not (first.startswith(f"{originator}.") and first.isascii() and first.isprintable() and len(first) <= 100):
        raise ProblemError(400, "invalid-parameter", f"{REPLAY}: {first[:100]!r} is no batch of {originator}.", field=REPLAY)
    return {"replay_of": first} if first else {}


@contextmanager
def place(gateway: Gateway) -> Iterator[None]:
    """One of the places for uploads, held while the body runs.

    Raises:
        ProblemError: 503, all are taken.
    """
    if gateway.uploading >= gateway.limits.uploads:
        raise retry_later("too-many-uploads", f"{gateway.limits.uploads} uploads are in progress.", gateway.limits.retry_s)
    gateway.uploading += 1
    try:
        yield
    finally:
        gateway.uploading -= 1


@asynccontextmanager
async def kept(gateway: Gateway, batch: str) -> AsyncIterator[Spooled | None]:
    """The place of a batch in the spool.

    Raises:
        ProblemError: 503, there is no room in it.
    """
    async with AsyncExitStack() as stack:
        try:
            spooled = await stack.enter_async_context(gateway.spooled(batch))
        except SpoolError as full:
            raise retry_later(SPOOL_FULL, f"{full}. Nothing was read.", gateway.limits.retry_s) from full
        yield spooled


async def receive(pieces: AsyncGenerator[bytes], delivery: Delivery) -> Fault | None:
    """Take a file to its end, or to what ends it early."""
    try:
        async with aclosing(pieces):
            async for piece in pieces:
                await delivery.take(piece)
        delivery.end()
    except FrameError as fault:
        return Fault(400, "bad-sequence", fault.reason, fault.position)
    except DigestError as fault:
        members = {"field": fault.field, "expected": fault.expected, "found": fault.found}
        return Fault(400, "wrong-digest", str(fault), delivery.size, members)
    except tuple(ENDS) as fault:
        return Fault(*ENDS[type(fault)], str(fault), delivery.size)
    return None


async def finish(gateway: Gateway, delivery: Delivery, fault: Fault | None, *, forced: bool = False) -> BatchReceived:
    """Publish what was received, and of which batch it is the same file unless that is not to be asked.

    Raises:
        BrokerError: the broker does not take it.
    """
    if fault:
        return await delivery.finish(fault.reason, fault.position)
    return await delivery.finish(same_as="" if forced else await recognised(gateway, delivery))


async def reachable(gateway: Gateway) -> None:
    """See that there is a broker before a byte is read.

    Raises:
        ProblemError: 503, there is none.
    """
    try:
        await gateway.outlet.connect()
    except BrokerError as absent:
        raise retry_later("broker-unavailable", f"{absent}. Nothing was read.", gateway.limits.retry_s) from absent


async def failed(gateway: Gateway, delivery: Delivery, refused: Exception) -> None:
    """Publish what ended a delivery, a fault of the broker most often, if the broker takes that."""
    log.warning("delivery failed", reason=str(refused), documents_kept=delivery.kept, bytes=delivery.size)
    metrics.UPLOADS.labels(delivery.originator, "refused").inc()
    try:
        async with asyncio.timeout(gateway.limits.connect_s):
            await delivery.fail(str(refused))
    except (BrokerError, TimeoutError) as still:
        log.warning("batch has no status", reason=str(still))


def counted(delivery: Delivery) -> None:
    """Count what was received, whatever came of it."""
    metrics.UPLOAD_DOCUMENTS.labels(delivery.originator).inc(delivery.kept)
    metrics.UPLOAD_BYTES.labels(delivery.originator).inc(delivery.size)
    metrics.UPLOAD_REJECTED.labels(delivery.originator).inc(delivery.oversized)


def answered(gateway: Gateway, delivery: Delivery, received: BatchReceived, fault: Fault | None) -> dict[str, object]:
    """What the sender of a batch is told: of a file that was recognised, what the sender of the first was told, and that it was.

    Raises:
        ProblemError: the batch ended early by `fault`.
    """
    counts = {"documents": received.documents, "bytes": received.bytes, "oversized": received.oversized, "digest": received.digest}
    status = {"batch": received.batch, "originator": received.originator, **counts}
    origin = {"way": received.way, "sender": received.sender, "same_as": received.same_as, "restart_of": received.restart_of}
    known = {**status, "state": "received", **origin, "began_at": delivery.origin.began, "received_at": datetime.now(UTC)}
    gateway.recent.add(received.batch, {**known, "error": received.error} if received.error else known)
    log.info("batch received", error=received.error, position=received.position, same_as=received.same_as, **counts)
    metrics.UPLOADS.labels(received.originator, "failed" if fault else "done").inc()
    first = received.same_as or received.batch
    where = f"/batches/{first}"
    if fault:
        later = {"Retry-After": str(gateway.limits.retry_s)} if fault.status == 503 else None
        kept = {"batch": received.batch, "position": fault.position, "documents_kept": received.documents, "status_url": where}
        raise ProblemError(
            fault.status, fault.kind, f"Byte {fault.position}: {fault.reason}. What came before is kept.", later, **kept, **fault.members
        )
    again = {"recognised": True, "counted_as": received.batch} if received.same_as else {}
    return {**status, "batch": first, "status_url": where, **again}
