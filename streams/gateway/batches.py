"""How far a batch is, the latest ones, and what was refused of one, to be corrected and sent again."""

from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from streams.gateway.access import caller, subject
from streams.gateway.context import gateway_of
from streams.gateway.problems import ProblemError
from streams.gateway.replies import json, whole
from streams.tokens import Principal


async def batches(request: Request) -> Response:
    """The latest batches of an originator, the newest first."""
    originator, limit = subject(request), whole(request, "limit", default=50, low=1, high=1000)
    return json({"batches": await gateway_of(request).database.batches(originator, limit)})


async def batch(request: Request) -> Response:
    """The status of a batch, for its originator and for operators. `received`: the broker has it, and nobody has counted it yet."""
    return json(await status_of(request))


async def rejected(request: Request) -> Response:
    """The rejected documents of a batch as one BSON sequence, each byte for byte as it came, in the order of their positions.

    Those that are not kept whole are left out and counted in `Tranche-Incomplete`. If the database goes meanwhile, the body breaks off
    before its end, which its client sees.
    """
    wanted = str((await status_of(request))["batch"])
    database = gateway_of(request).database
    incomplete = await database.incomplete(wanted)
    docs, last = await database.rejected(wanted, None)

    async def pages() -> AsyncIterator[bytes]:
        page, place = docs, last
        while page:
            yield b"".join(page)
            page, place = await database.rejected(wanted, place)

    return StreamingResponse(pages(), headers={"Tranche-Incomplete": str(incomplete)}, media_type="application/bson")


async def status_of(request: Request) -> dict[str, Any]:
    """The batch that the path names, as far as it is known.

    Raises:
        ProblemError: 401 without a valid token, 503 without the database, 404 if nothing is known, 403 for another originator's.
    """
    principal, gateway = caller(request), gateway_of(request)
    wanted: str = request.path_params["batch"]
    found = await gateway.database.batch(wanted) or gateway.recent.get(wanted)
    if found is None:
        raise ProblemError(404, "unknown-batch", f"There is no batch {wanted!r}.", batch=wanted)
    if principal.kind != "operator" and principal != Principal("originator", str(found["originator"])):
        raise ProblemError(403, "forbidden", "This batch is another originator's.", batch=wanted)
    return found
