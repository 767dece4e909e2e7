"""`GET /investments`: page by page, those of the caller."""

from starlette.requests import Request
from starlette.responses import Response

from streams.gateway.access import caller
from streams.gateway.context import gateway_of
from streams.gateway.replies import json, whole


async def investments(request: Request) -> Response:
    """An investor sees its own, an originator those in its assets, an operator all."""
    principal = caller(request)
    limit = whole(request, "limit", default=100, low=1, high=1000)
    after = request.query_params.get("after")
    investor = principal.id if principal.kind == "investor" else None
    originator = principal.id if principal.kind == "originator" else None
    page, cursor = await gateway_of(request).database.investments(investor=investor, originator=originator, after=after, limit=limit)
    return json({"investments": page, "next": cursor})
