"""Errors as clients see them: RFC 9457 `application/problem+json`."""

from collections.abc import Mapping
from http import HTTPStatus

import orjson
import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route

log = structlog.get_logger()

TITLES = {
    "bad-coding": "The compressed body is damaged",
    "bad-sequence": "The body is no sequence of BSON documents",
    "backups-unavailable": "The store of backups does not answer",
    "broker-unavailable": "The broker does not take what was sent",
    "database-unavailable": "The database does not answer",
    "dry-run-failed": "The dry run did not come to its end",
    "forbidden": "This belongs to somebody else",
    "idle": "No data came for too long",
    "internal": "The gateway failed",
    "invalid-parameter": "A parameter has no valid value",
    "invalid-portfolio": "The portfolio is not valid",
    "media-type": "The body has a type that is not taken here",
    "multipart": "The multipart body is damaged",
    "no-backup": "There is no backup of this batch",
    "spool-full": "There is no room to keep it until it is backed up",
    "too-large": "The body is too large",
    "too-many-dry-runs": "Too many dry runs at a time",
    "too-many-uploads": "Too many uploads at a time",
    "unauthorized": "A valid token is needed",
    "unfinished-batch": "The batch is not finished",
    "unknown-asset": "There is no such asset",
    "unknown-batch": "There is no such batch",
    "unknown-originator": "There is no such originator",
    "wrong-digest": "The body is not what its digest says",
}


class ProblemError(Exception):
    """Ends a request with a problem: `kind` is the last part of its `type`, the members go into its JSON."""

    def __init__(self, status: int, kind: str, detail: str, headers: Mapping[str, str] | None = None, /, **members: object) -> None:
        super().__init__(detail)
        self.status, self.kind, self.detail, self.headers, self.members = status, kind, detail, headers, members

    @property
    def body(self) -> dict[str, object]:
        """The problem document."""
        named = {"type": f"urn:tranche:problem:{self.kind}", "title": TITLES[self.kind], "status": self.status, "detail": self.detail}
        return {**named, **self.members}


def retry_later(kind: str, detail: str, seconds: int, **members: object) -> ProblemError:
    """503 that says when to try again."""
    return ProblemError(503, kind, detail, {"Retry-After": str(seconds)}, **members)


def render(request: Request, fault: Exception) -> Response:
    """The response to any exception: problems as they are, everything else without its inside."""
    if isinstance(fault, ProblemError):
        return _response(fault.status, fault.body, fault.headers)
    if isinstance(fault, HTTPException):
        title = HTTPStatus(fault.status_code).phrase
        headers = fault.headers if fault.status_code != HTTPStatus.METHOD_NOT_ALLOWED else {"Allow": _allowed(request)}
        return _response(fault.status_code, {"type": "about:blank", "title": title, "status": fault.status_code}, headers)
    log.error("request failed", exc_info=fault)
    detail = "The fault is in the gateway's log."
    return _response(500, {"type": "urn:tranche:problem:internal", "title": TITLES["internal"], "status": 500, "detail": detail})


def _allowed(request: Request) -> str:
    """Every method that the path has (RFC 9110, 15.5.6): the router names those of the first route on it."""
    routes = [route for route in request.app.routes if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE]
    return ", ".join(sorted({method for route in routes for method in route.methods or ()}))


def _response(status: int, body: dict[str, object], headers: Mapping[str, str] | None = None) -> Response:
    return Response(orjson.dumps(body), status, headers, "application/problem+json")
