"""The body of an upload, piece by piece: raw or the file of a multipart form, bounded in size and in silence."""

import asyncio
from collections.abc import AsyncGenerator

from starlette.requests import ClientDisconnect, Request

from streams.gateway.limits import Limits
from streams.gateway.multipart import FilePart
from streams.gateway.problems import ProblemError

RAW = ("", "application/bson", "application/octet-stream")
FORM = "multipart/form-data"


class IdleError(Exception):
    """No byte came for too long."""


class TooLargeError(Exception):
    """The body is larger than an upload may be."""


def check(request: Request, limits: Limits) -> None:
    """Refuse what the headers already show to be wrong.

    Raises:
        ProblemError: 413 or 415.
    """
    kind = _media_type(request)
    if kind not in (*RAW, FORM):
        raise ProblemError(415, "media-type", f"Send {RAW[1]}, {RAW[2]} or {FORM}, not {kind}.")
    encoding = request.headers.get("content-encoding", "identity")
    if encoding != "identity":
        raise ProblemError(415, "media-type", f"Send the body as it is, without the content encoding {encoding}.")
    length = request.headers.get("content-length", "0")
    if length.isdecimal() and int(length) > limits.upload_bytes:
        raise ProblemError(413, "too-large", f"An upload has at most {limits.upload_bytes} bytes.", limit=limits.upload_bytes)


async def pieces(request: Request, limits: Limits) -> AsyncGenerator[bytes]:
    """The bytes of the file, in pieces of at most a few hundred KiB.

    Raises:
        IdleError, TooLargeError, ClientDisconnect, MultipartError: the body cannot be read further.
    """
    form = FilePart(request.headers["content-type"]) if _media_type(request) == FORM else None
    size, more = 0, True
    while more:
        try:
            async with asyncio.timeout(limits.idle_s):
                message = await request.receive()
        except TimeoutError:
            raise IdleError(f"no byte came for {limits.idle_s:g} seconds") from None
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        piece, more = message.get("body", b""), message.get("more_body", False)
        size += len(piece)
        if size > limits.upload_bytes:
            raise TooLargeError(f"an upload has at most {limits.upload_bytes} bytes")
        data = form.feed(piece) if form else piece
        if data:
            yield data
    if form:
        form.close()


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()
