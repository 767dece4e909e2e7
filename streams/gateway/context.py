"""What all routes share: one of each a process."""

from collections import OrderedDict
from dataclasses import dataclass, field

from starlette.requests import Request

from schemas.catalog import Originator
from streams.gateway.database import Database
from streams.gateway.limits import Limits
from streams.gateway.outlet import Outlet


class Recent:
    """The latest batches that this gateway received, for as long as the database may not show them; the oldest is forgotten first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._batches: OrderedDict[str, dict[str, object]] = OrderedDict()

    def add(self, batch: str, status: dict[str, object]) -> None:
        self._batches[batch] = status
        self._batches.move_to_end(batch)
        if len(self._batches) > self._most:
            self._batches.popitem(last=False)

    def get(self, batch: str) -> dict[str, object] | None:
        return self._batches.get(batch)


@dataclass(slots=True)
class Gateway:
    secret: str
    originators: dict[str, Originator]
    limits: Limits
    outlet: Outlet
    database: Database
    recent: Recent
    uploading: int = 0
    inbox: str = "not configured"
    dry_run_environ: dict[str, str] = field(default_factory=dict)  # of a dry run's process
    dry_running: int = 0


def gateway_of(request: Request) -> Gateway:
    gateway: Gateway = request.app.state.gateway
    return gateway
