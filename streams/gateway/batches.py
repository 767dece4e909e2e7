"""`GET /batches/{batch}` and `GET /originators/{originator}/batches`: how far a batch is, and the latest ones."""

from starlette.requests import Request
from starlette.responses import Response

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
    principal, gateway = caller(request), gateway_of(request)
    wanted: str = request.path_params["batch"]
    found = await gateway.database.batch(wanted) or gateway.recent.get(wanted)
    if found is None:
        raise ProblemError(404, "unknown-batch", f"There is no batch {wanted!r}.", batch=wanted)
    if principal.kind != "operator" and principal != Principal("originator", str(found["originator"])):
        raise ProblemError(403, "forbidden", "This batch is another originator's.", batch=wanted)
    return json(found)
