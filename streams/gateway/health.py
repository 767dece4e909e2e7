"""`GET /health` and `GET /metrics`: for whoever runs the gateway."""

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import Response

from streams.gateway.context import gateway_of
from streams.gateway.outlet import BrokerError
from streams.gateway.replies import json


async def health(request: Request) -> Response:
    """200 while the broker answers, else 503; the database is reported, but uploads do not need it."""
    gateway = gateway_of(request)
    database = await gateway.database.state()
    try:
        await gateway.outlet.check()
    except BrokerError as fault:
        headers = {"Retry-After": str(gateway.limits.retry_s)}
        return json({"status": "down", "broker": f"down: {fault}", "database": database}, 503, headers)
    return json({"status": "up", "broker": "up", "database": database})


async def metrics(_: Request) -> Response:
    """All metrics (`streams/metrics.py`) in Prometheus' text format."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
