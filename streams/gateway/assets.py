"""`GET /originators/{originator}/assets/{asset}`: all that is stored of one asset."""

from starlette.requests import Request
from starlette.responses import Response

from schemas.asset import VERSION_END
from streams.gateway.access import subject
from streams.gateway.context import gateway_of
from streams.gateway.problems import ProblemError
from streams.gateway.replies import json, whole


async def asset(request: Request) -> Response:
    """The trace of an asset."""
    originator = subject(request)
    wanted: str = request.path_params["asset"]
    limit = whole(request, "limit", default=100, low=1, high=1000)
    before = whole(request, "before", default=VERSION_END, low=1, high=VERSION_END)
    found = await gateway_of(request).database.trace(originator, wanted, before=before, limit=limit)
    if found is None:
        detail = f"Nothing is known of an asset {wanted!r} of {originator!r}."
        raise ProblemError(404, "unknown-asset", detail, originator=originator, asset=wanted)
    return json(found)
