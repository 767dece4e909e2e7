"""The body of an upload, piece by piece: plain or compressed, raw or the file of a form, bounded in size and in silence.

The coding wraps all of a body, so it is undone before a form is read.
"""

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

from starlette.requests import ClientDisconnect, Request

from streams.gateway.coding import CODINGS, Unpacker
from streams.gateway.digests import Digests, FieldError
from streams.gateway.limits import Limits
from streams.gateway.multipart import FilePart
from streams.gateway.problems import ProblemError

RAW: Final = ("", "application/bson", "application/octet-stream")
FORM: Final = "multipart/form-data"


class IdleError(Exception):
    """No byte came for too long."""


class Body:
    """One request's body. Nothing is read before `pieces`."""

    def __init__(self, request: Request, limits: Limits) -> None:
        """Refuse what the headers already show to be wrong.

        Raises:
            ProblemError: 400, 413 or 415.
        """
        self._request, self._limits = request, limits
        self._type = request.headers.get("content-type", "")
        kind = self._type.partition(";")[0].strip().lower()
        if kind not in (*RAW, FORM):
            raise ProblemError(415, "media-type", f"Send {RAW[1]}, {RAW[2]} or {FORM}, not {kind}.")
        self._is_form = kind == FORM
        self._coding = _coding(self._header("content-encoding"))
        try:
            self._digests = Digests(self._header)
        except FieldError as fault:
            raise ProblemError(400, "invalid-parameter", f"{fault}.", field=fault.field) from fault
        length = request.headers.get("content-length", "0")
        if length.isdecimal() and int(length) > limits.upload_bytes:
            raise ProblemError(413, "too-large", f"An upload has at most {limits.upload_bytes} bytes.", limit=limits.upload_bytes)

    async def pieces(self) -> AsyncGenerator[bytes]:
        """The bytes of the file, in pieces of at most a few hundred KiB.

        Raises:
            IdleError, TooLargeError, ClientDisconnect, CodingError, DigestError, MultipartError: the body cannot be read further.
        """
        form = FilePart(self._type) if self._is_form else None
        unpacker, more = Unpacker(self._coding, self._limits), True
        while more:
            piece, more = await self._receive()
            self._digests.feed(piece)
            for part in unpacker.feed(piece):
                data = form.feed(part) if form else part
                if data:
                    yield data
        self._digests.close()  # the first of the three: if it does not fit, that is why the others do not
        unpacker.close()
        if form:
            form.close()

    async def _receive(self) -> tuple[bytes, bool]:
        """What came, and whether more comes."""
        try:
            async with asyncio.timeout(self._limits.idle_s):
                message = await self._request.receive()
        except TimeoutError:
            raise IdleError(f"no byte came for {self._limits.idle_s:g} seconds") from None
        if message["type"] == "http.disconnect":
            raise ClientDisconnect("the client went away")
        return message.get("body", b""), message.get("more_body", False)

    def _header(self, name: str) -> str:
        return ", ".join(self._request.headers.getlist(name))


def _coding(value: str) -> str:
    """The content coding to undo, empty for none.

    Raises:
        ProblemError: 415, it is another, or there are several.
    """
    names = [name for part in value.lower().split(",") if (name := part.strip()) not in ("", "identity")]
    coding = ", ".join("gzip" if name == "x-gzip" else name for name in names)  # RFC 9110, 8.4.1.3
    if coding and coding not in CODINGS:
        accepted = ", ".join(CODINGS)
        detail = f"Send the body plain, or with one content encoding of {accepted}, not {coding}."
        raise ProblemError(415, "media-type", detail, {"Accept-Encoding": accepted})  # only now: RFC 9110, 12.5.3
    return coding
