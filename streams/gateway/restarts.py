"""`POST /batches/{batch}/restart`: a batch is sent through again, from its backup, as a new batch that says `restart_of`.

It takes the place that it had in the order of batches: a document of an asset whose latest version is of a batch that came later is stale,
all others are compared as ever, so what is in already comes out unchanged.

With `drop` what the batch did is undone first. All is immutable, so that is a version more of each asset (`streams/restoring.py`), which a
batch of its own brings, a `drop`: the version before the batch again, or the recall of an asset that the batch created. Assets that have
a later version of another batch are left alone. Each version says which one it follows (`streams/supersession.py`), so whatever
comes meanwhile is left alone too, and a drop that broke off is ended by another.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from starlette.requests import Request
from starlette.responses import Response

from schemas.asset import Change
from schemas.events import DROP, RESTART
from streams.effects import Headers
from streams.frames import identify, split
from streams.gateway.access import caller
from streams.gateway.batches import status_of
from streams.gateway.chunks import Chunk, positions_of
from streams.gateway.context import Gateway, gateway_of
from streams.gateway.delivery import Delivery, More, Origin
from streams.gateway.outlet import BrokerError
from streams.gateway.problems import ProblemError, retry_later
from streams.gateway.replies import flag, json
from streams.gateway.spooled import Spooled
from streams.gateway.uploads import SPOOL_FULL, answered, batch_id, counted, failed, kept, place, reachable, receive
from streams.supersession import HEADER, STALE, Supersession, pack

FINAL: Final = ("done", "done with rejections", "failed")

log = structlog.get_logger()


async def restart(request: Request) -> Response:
    """Send a finished batch through again; 202 when the broker has all of it."""
    drop, found, gateway = flag(request, "drop"), await status_of(request), gateway_of(request)
    principal = caller(request)
    if found["state"] not in FINAL:
        detail = f"The batch is {found['state']}; only one that is done or failed can be restarted."
        raise ProblemError(409, "unfinished-batch", detail, batch=found["batch"])
    again = _Restart(gateway, found, f"{principal.kind} {principal.id}")
    structlog.contextvars.bind_contextvars(batch=again.first)
    with place(gateway):
        await reachable(gateway)
        backups = await _backups(gateway, again.first)
        dropped = await again.drop() if drop else None
        answer = await again.send(backups)
    return json({**answer, "restart_of": again.first, "dropped": dropped}, 202, {"Location": str(answer["status_url"])})


async def _backups(gateway: Gateway, batch: str) -> Any:
    """The store that has a backup of this batch.

    Raises:
        ProblemError: 409, there is none of it; 503, the store does not answer.
    """
    if not gateway.backups:
        raise ProblemError(409, "no-backup", "This gateway keeps no backups: TRANCHE_BACKUPS is not set.", batch=batch)
    from streams import backups  # noqa: PLC0415 - large, and a gateway that only takes uploads does not need it

    try:
        store = await asyncio.to_thread(backups.Backups, gateway.backups)
        await store.find(batch)
    except backups.UnknownBackupError as unknown:
        raise ProblemError(409, "no-backup", f"There is no backup of the batch, or not yet: {unknown}.", batch=batch) from unknown
    except backups.StoreError as away:
        raise retry_later("backups-unavailable", f"{away}. Nothing was done.", gateway.limits.retry_s) from away
    return store


async def _pieces(gateway: Gateway, store: Any, batch: str) -> AsyncGenerator[bytes]:
    """The bytes of a backup.

    Raises:
        ProblemError: 503, the store does not answer.
    """
    from streams.backups import StoreError  # noqa: PLC0415 - see above

    try:
        async for piece in store.pieces(batch):
            yield piece
    except StoreError as away:
        raise retry_later("backups-unavailable", f"{away}. What came before is kept; restart it again.", gateway.limits.retry_s) from away


@asynccontextmanager
async def _counting(gateway: Gateway, delivery: Delivery) -> AsyncIterator[None]:
    """Has a delivery counted, and ended as failed if broker, database or backups end it early.

    Raises:
        ProblemError: 503, they do.
    """
    try:
        yield
    except BrokerError as refused:
        await failed(gateway, delivery, refused)
        raise retry_later("broker-unavailable", f"{refused}. Restart it again.", gateway.limits.retry_s) from refused
    except ProblemError as fault:
        await failed(gateway, delivery, fault)
        raise
    finally:
        counted(delivery)


class _Restart:
    """One restart of a batch, whose status is `found`."""

    def __init__(self, gateway: Gateway, found: dict[str, Any], sender: str) -> None:
        self.first, self._originator, self._sender, self._gateway = str(found["batch"]), str(found["originator"]), sender, gateway
        self._versions = sum(found["counts"][change] for change in Change)
        self._since = found["received_at"] or found["last_event"]
        self._ours: list[str] = []
        self._superseding: dict[int, Supersession] = {}  # by position, of the documents that are not handed over yet

    async def drop(self) -> dict[str, Any]:
        """Undo what the batch did; what became of its assets, by number.

        Raises:
            ProblemError: 409, its versions are not all stored yet; 503, database or broker do not answer.
        """
        database = self._gateway.database
        stored = await database.stored(self._originator, self.first)
        if stored < self._versions:
            detail = f"{stored} of the batch's {self._versions} versions are stored; nothing was done. Try again."
            raise ProblemError(409, "unfinished-batch", detail, batch=self.first)
        await self._gateway.read_products()
        delivery = self._delivery(batch_id(self._originator), DROP, self._undoing)
        counts = Counter(restored=0, recalled=0, kept=0)
        async with _counting(self._gateway, delivery), aclosing(database.affected(self._originator, self.first)) as effects:
            async for effect in effects:
                await self._undo(effect, delivery, counts)
            if delivery.documents:
                await delivery.finish()
        log.info("batch dropped", by=delivery.batch, documents=delivery.documents, **counts)
        return {"batch": delivery.batch if delivery.documents else None, **counts}

    async def send(self, backups: Any) -> dict[str, object]:
        """Send the batch through again; what its sender is told.

        Raises:
            ProblemError: 503, broker, database or backups do not answer.
        """
        batch = batch_id(self._originator)
        async with kept(self._gateway, batch) as spooled:
            delivery = self._delivery(batch, RESTART, self._late, spooled)
            async with _counting(self._gateway, delivery):
                fault = await receive(_pieces(self._gateway, backups, self.first), delivery)
                received = await delivery.finish(*((fault.reason, fault.position) if fault else ()))
        # Where the first one broke off, so does this: that is no news.
        return answered(self._gateway, delivery, received, fault if fault and fault.kind == SPOOL_FULL else None)

    def _delivery(self, batch: str, way: str, more: More, spooled: Spooled | None = None) -> Delivery:
        self._ours.append(batch)
        origin = Origin(way, self._sender, datetime.now(UTC), self.first)
        return Delivery(batch, self._originator, origin, self._gateway.outlet, self._gateway.limits, spooled=spooled, more=more)

    async def _undo(self, effect: Any, delivery: Delivery, counts: Counter[str]) -> None:
        from streams.restoring import undo  # noqa: PLC0415 - bson, which a gateway that only takes uploads does not need

        restored = effect.before or effect.latest
        undone = undo(self._gateway.kind(restored["product"]), effect.latest, effect.before, effect.updated)
        if effect.newest > effect.latest["version"] or undone is None:
            counts["kept"] += 1
            return
        document, self._superseding[delivery.size] = undone
        counts["restored" if effect.before else "recalled"] += 1
        await delivery.take(document)

    async def _undoing(self, chunk: Chunk) -> Headers:
        return ((HEADER, pack([self._superseding.pop(position) for position in positions_of(chunk)])),)

    async def _late(self, chunk: Chunk) -> Headers:
        """Which documents are too late, because a later batch has changed their assets."""
        assets = [(identify(document).asset or b"").decode(errors="replace").replace("\0", "\ufffd") for document in split(chunk.value)[0]]
        late = await self._gateway.database.overtaken(self._originator, assets, self.first, self._since, self._ours)
        return ((HEADER, pack([STALE if asset in late else None for asset in assets])),) if late else ()
