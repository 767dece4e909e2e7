"""`GET /health` and `GET /metrics`: for whoever runs the gateway."""

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import Response

from streams.gateway.context import gateway_of
from streams.gateway.outlet import BrokerError
from streams.gateway.replies import json


async def health(request: Request) -> Response:
    """200 while the broker answers and the inbox is watched, else 503; the database is reported, but uploads do not need it."""
    gateway = gateway_of(request)
    found = {"broker": "up", "database": await gateway.database.state(), "inbox": gateway.inbox}
    try:
        await gateway.outlet.check()
    except BrokerError as fault:
        found["broker"] = f"down: {fault}"
    if found["broker"] != "up" or gateway.inbox.startswith("down"):
        return json({"status": "down", **found}, 503, {"Retry-After": str(gateway.limits.retry_s)})
    return json({"status": "up", **found})


async def metrics(_: Request) -> Response:
    """All metrics (`streams/metrics.py`) in Prometheus' text format."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
