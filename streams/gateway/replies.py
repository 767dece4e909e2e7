"""JSON answers and the checking of parameters."""

from collections.abc import Mapping

import orjson
from starlette.requests import Request
from starlette.responses import Response

from streams.gateway.problems import ProblemError


def json(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(encode(body), status, headers, "application/json")


def encode(body: object) -> bytes:
    return orjson.dumps(body, option=orjson.OPT_UTC_Z)


def whole(request: Request, name: str, default: int, low: int, high: int) -> int:
    """The query parameter `name` as a whole number, bounds included.

    Raises:
        ProblemError: 400, it is none.
    """
    text = request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) < 20 and low <= int(text) <= high):
        raise ProblemError(400, "invalid-parameter", f"{name}: a whole number from {low} to {high}.", field=name)
    return int(text)


def flag(request: Request, name: str) -> bool:
    """The query parameter `name`, true or false; false without it.

    Raises:
        ProblemError: 400, it is neither.
    """
    text = request.query_params.get(name, "false")
    if text not in ("true", "false"):
        raise ProblemError(400, "invalid-parameter", f"{name}: true or false.", field=name)
    return text == "true"


async def small_body(request: Request, most: int) -> bytes:
    """The body, if it has at most `most` bytes.

    Raises:
        ProblemError: 413, it has more.
    """
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > most:
            raise ProblemError(413, "too-large", f"This body has at most {most} bytes.", limit=most)
    return bytes(body)
