"""What all routes share: one of each a process."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from aiokafka.errors import KafkaError
from starlette.requests import Request

from schemas.catalog import Investor, Originator
from schemas.kinds import AssetKind, kind_of
from streams.gateway.database import Database
from streams.gateway.limits import Limits
from streams.gateway.outlet import Outlet
from streams.gateway.problems import retry_later
from streams.gateway.spool import Spool
from streams.gateway.spooled import Spooled
from streams.products import ProductsTable


class Recent:
    """The latest batches that this gateway received, for as long as the database may not show them; the oldest is forgotten first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._batches: OrderedDict[str, dict[str, Any]] = OrderedDict()

    def add(self, batch: str, status: dict[str, Any]) -> None:
        self._batches[batch] = status
        self._batches.move_to_end(batch)
        if len(self._batches) > self._most:
            self._batches.popitem(last=False)

    def get(self, batch: str) -> dict[str, Any] | None:
        return self._batches.get(batch)

    def of(self, originator: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Those of one originator, with their ids."""
        return ((batch, status) for batch, status in self._batches.items() if status["originator"] == originator)


class InboxState(NamedTuple):
    """Whether the inbox is watched. `fault` is what ended that; the gateway is unhealthy then."""

    says: str
    fault: str = ""

    def __str__(self) -> str:
        return f"{self.says}: {self.fault}" if self.fault else self.says


NO_INBOX: Final = InboxState("not configured")


@dataclass(slots=True)
class Gateway:
    secret: str
    originators: dict[str, Originator]
    products: ProductsTable
    investors: dict[str, Investor]
    limits: Limits
    outlet: Outlet
    database: Database
    recent: Recent
    backups: str  # the store's URL; empty: none
    uploading: int = 0
    inbox: InboxState = NO_INBOX
    spool: Spool | None = None  # without backups there is none
    dry_run_environ: dict[str, str] = field(default_factory=dict)  # of a dry run's process
    dry_running: int = 0

    def kind(self, product: str) -> AssetKind:
        """The kind of a product's assets, as `read_products` found it; of one that is not known, loans."""
        known = self.products.products.get(product)
        return kind_of(known.document if known else ())

    async def read_products(self) -> None:
        """Take in what is new on the topic. Whoever needs products reads it before: a gateway that only takes uploads does not follow it.

        Raises:
            ProblemError: 503, the broker does not answer.
        """
        try:
            async with asyncio.timeout(self.limits.connect_s):
                await self.products.catch_up()
        except (KafkaError, OSError) as fault:  # a TimeoutError, too
            raise retry_later("broker-unavailable", f"The broker does not answer ({type(fault).__name__}).", self.limits.retry_s) from fault

    def spooled(self, batch: str) -> AbstractAsyncContextManager[Spooled | None]:
        """The place of a new batch in the spool, if there is one, as `Spool.open`."""
        return self.spool.open(batch) if self.spool else nullcontext()


def gateway_of(request: Request) -> Gateway:
    gateway: Gateway = request.app.state.gateway
    return gateway
