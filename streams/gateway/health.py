"""`GET /health` and `GET /metrics`: for whoever runs the gateway."""

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import Response

from streams.gateway.context import gateway_of
from streams.gateway.outlet import BrokerError
from streams.gateway.replies import json


async def health(request: Request) -> Response:
    """200 while the broker answers and the inbox is watched, else 503.

    The database is reported, but uploads do not need it; so are backups, which are made up for.
    """
    gateway = gateway_of(request)
    found: dict[str, object] = {"broker": "up", "database": await gateway.database.state(), "inbox": str(gateway.inbox)}
    found["backups"] = gateway.spool.state if gateway.spool else {"store": "not configured", "bytes": 0, "batches": 0, "oldest_s": 0}
    try:
        await gateway.outlet.check()
    except BrokerError as fault:
        found["broker"] = f"down: {fault}"
    if found["broker"] != "up" or gateway.inbox.fault:
        return json({"status": "down", **found}, 503, {"Retry-After": str(gateway.limits.retry_s)})
    return json({"status": "up", **found})


async def metrics(_: Request) -> Response:
    """All metrics (`streams/metrics.py`) in Prometheus' text format."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
