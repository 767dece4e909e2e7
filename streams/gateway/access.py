"""Who calls, and what is theirs: first 401, then 404, then 403."""

from starlette.requests import Request

from streams.gateway.context import gateway_of
from streams.gateway.problems import ProblemError
from streams.tokens import Kind, Principal, TokenError, verify


def caller(request: Request) -> Principal:
    """Who calls.

    Raises:
        ProblemError: 401, there is no valid token.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    try:
        if scheme.lower() == "bearer":
            return verify(gateway_of(request).secret, token.strip())
        detail = "Send the header 'Authorization: Bearer <token>'."
    except TokenError as fault:
        detail = f"The bearer token is not valid: {fault}."
    raise ProblemError(401, "unauthorized", detail, {"WWW-Authenticate": 'Bearer realm="tranche"'})


def require(principal: Principal, kind: Kind) -> str:
    """The id of a caller of this kind.

    Raises:
        ProblemError: 403, it is of another kind.
    """
    if principal.kind != kind:
        raise ProblemError(403, "forbidden", f"This is for a token of kind {kind}, not {principal.kind}.")
    return principal.id


def subject(request: Request) -> str:
    """The originator that the path names, for itself and for operators: for these also one that has left the catalog.

    Raises:
        ProblemError: as `tenant`.
    """
    return request.path_params["originator"] if caller(request).kind == "operator" else tenant(request)


def tenant(request: Request) -> str:
    """The originator that the path names, if it is the caller.

    Raises:
        ProblemError: 401 without a valid token, 404 for an originator that the catalog does not have, 403 for somebody else's.
    """
    principal = caller(request)
    originator: str = request.path_params["originator"]
    if originator not in gateway_of(request).originators:
        raise ProblemError(404, "unknown-originator", f"The catalog has no originator {originator!r}.", originator=originator)
    if principal != Principal("originator", originator):
        raise ProblemError(403, "forbidden", f"This token is not originator {originator}'s.")
    return originator
