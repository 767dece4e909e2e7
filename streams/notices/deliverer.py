"""The deliverer: a service of every worker. For each originator with a delivery it cuts files and delivers them, one after the other.

Any number of workers do this side by side; the spool gives each file to one of them at a time. An originator that does not take its
files is waited for with growing pauses, and holds up nobody else. While the database is away everything waits for it.
"""

import asyncio
from typing import Final, NamedTuple

import asyncpg
import structlog

from schemas.catalog import Catalog
from streams import metrics
from streams.notices import cutting, ways
from streams.notices.spool import File, Spool
from streams.notices.ways import DeliveryError, Way, way_to
from streams.settings import Settings, SettingsError
from streams.store import Store, transient
from streams.webhooks.client import Webhooks

LOOK_S: Final = 1.0  # between two looks at an originator's spool
HOLD_S: Final = 1.5 * ways.LIMIT_S  # a file that a worker has claimed and not delivered is another's after that

log = structlog.get_logger()


class Delivery(NamedTuple):
    """What is configured for one originator."""

    originator: str
    way: Way
    after_s: float
    bytes_max: int


class Deliverer:
    """Delivers for ever, until it is cancelled: at any moment, without harm."""

    def __init__(self, spool: Spool, deliveries: list[Delivery], webhooks: Webhooks) -> None:
        self._spool, self._deliveries, self._webhooks = spool, deliveries, webhooks

    async def run(self) -> None:
        """A task for each originator. A fault that is neither a receiver's nor the database's goes up: it is ours."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for one in self._deliveries:
                    tasks.create_task(self._keep(one))
        finally:
            await self._webhooks.close()

    async def _keep(self, one: Delivery) -> None:
        while True:
            try:
                on = await self.step(one)
            except Exception as fault:
                if not transient(fault) and not isinstance(fault, asyncpg.PostgresError):
                    raise
                log.warning("notices wait for the database", originator=one.originator, reason=repr(fault))
                on = False
            if not on:
                await asyncio.sleep(LOOK_S)

    async def step(self, one: Delivery) -> bool:
        """Deliver the file that is due, or else cut the next one; whether there may be more to do at once."""
        oldest_s = await self._spool.oldest_s(one.originator)
        metrics.NOTICES_OLDEST.labels(one.originator).set(oldest_s or 0)
        if oldest_s is None:
            return False
        file = await self._spool.claim(one.originator, HOLD_S)
        if file is None:
            return await self._spool.cut(one.originator, one.after_s, one.bytes_max)
        return await self._deliver(one, file)

    async def _deliver(self, one: Delivery, file: File) -> bool:
        told = log.bind(originator=one.originator, file=file.name, notices=file.notices, attempts=file.attempts)
        try:
            await one.way(file.name, file.body)
        except DeliveryError as fault:
            pause_s = cutting.pause_s(file.attempts)
            metrics.NOTICE_FAULTS.labels(one.originator).inc()
            told.warning("notices not delivered", reason=str(fault), again_s=pause_s)
            await self._spool.failed(file, pause_s)
            return False
        await self._spool.done(file)
        metrics.NOTICE_FILES.labels(one.originator).inc()
        told.info("notices delivered")
        return True


def deliverer_of(settings: Settings, catalog: Catalog, store: Store) -> Deliverer:
    """The deliverer for all originators of `catalog` that have `deliver_to`.

    Raises:
        SettingsError: deliveries over HTTP are signed, and there is no secret to sign with.
    """
    told = [one for one in catalog.originators.values() if one.deliver_to]
    posted = [one.originator for one in told if one.deliver_to.startswith("http")]
    if posted and not settings.secret:
        raise SettingsError(f"TRANCHE_SECRET: needed to sign what is delivered to {posted[0]}")
    webhooks = Webhooks(settings.secret, allow_private=settings.webhooks_to == "any")
    deliveries = [Delivery(one.originator, way_to(one, webhooks), one.deliver_after_s, one.deliver_bytes) for one in told]
    return Deliverer(Spool(store), deliveries, webhooks)
