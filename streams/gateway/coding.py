"""Content codings of an upload (RFC 9110, 8.4), undone as they come, in bounded pieces.

Pure. gzip is RFC 1952, its members one after the other; zstd is RFC 8878, its frames one after the other, skippable ones passed over.
"""

import zlib
from collections.abc import Callable, Iterator
from typing import Final, Protocol

from streams.gateway.limits import Limits

PIECE_BYTES: Final = 64 * 1024  # that come out at once, as many as the server hands over of a plain body
WINDOW_BITS: Final = 23  # zstd may look back 8 MiB: what RFC 8878 (3.1.1.1.2) recommends to support, and `zstd -19` uses


class TooLargeError(Exception):
    """A file is larger than an upload may be, or grows more than a compressed one may."""


class CodingError(ValueError):
    """A compressed body that is damaged or cut off: the message says what is wrong."""


class _Stream(Protocol):
    """One member of gzip or one frame of zstd."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def _gzip() -> tuple[Callable[[], _Stream], type[Exception]]:
    return lambda: zlib.decompressobj(wbits=16 + zlib.MAX_WBITS), zlib.error


def _zstd() -> tuple[Callable[[], _Stream], type[Exception]]:
    from backports.zstd import DecompressionParameter, ZstdDecompressor, ZstdError  # noqa: PLC0415 - most uploads do not need it

    options = {int(DecompressionParameter.window_log_max): WINDOW_BITS}
    return lambda: ZstdDecompressor(options=options), ZstdError


CODINGS: Final = {"gzip": _gzip, "zstd": _zstd}


class Decoder:
    """Feed it the body's pieces in order, then close it; after a fault it must not be fed again."""

    def __init__(self, coding: str) -> None:
        """`coding` is one of CODINGS."""
        self._coding = coding
        self._start, self._fault = CODINGS[coding]()
        self._stream: _Stream | None = self._start()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What comes out of `data`, in pieces of at most PIECE_BYTES; take them all before the next call.

        Raises:
            CodingError: it is damaged here. Up to a piece of what came before may be lost.
        """
        full = False
        while data or full:
            stream = self._stream = self._stream or self._start()
            try:
                piece = stream.decompress(data, PIECE_BYTES)
            except self._fault as fault:
                raise CodingError(f"the {self._coding} body is damaged: {fault}") from fault
            # what it has not read yet: gzip gives it back, zstd keeps it
            data = stream.unused_data if stream.eof else getattr(stream, "unconsumed_tail", b"")
            full = not stream.eof and len(piece) == PIECE_BYTES
            if stream.eof:
                self._stream = None
            if piece:
                yield piece

    def close(self) -> None:
        """Raises CodingError: the body ends before its last member or frame does, or has none."""
        if self._stream:
            raise CodingError(f"the {self._coding} body is cut off")


class Unpacker:
    """A file's bytes out of what is sent of it, plain or in a coding, bounded in size and in growth. Feed it the pieces, then close it."""

    def __init__(self, coding: str, limits: Limits) -> None:
        """`coding` is one of CODINGS, or empty."""
        self._decoder, self._limits = Decoder(coding) if coding else None, limits
        self._sent = self._size = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """As `Decoder.feed`. Raises TooLargeError, too."""
        self._sent += len(data)
        self._check()  # nothing may come out of it
        for piece in self._decoder.feed(data) if self._decoder else (data,):
            self._size += len(piece)
            self._check()
            yield piece

    def close(self) -> None:
        """As `Decoder.close`."""
        if self._decoder:
            self._decoder.close()

    def _check(self) -> None:
        limits = self._limits
        if max(self._sent, self._size) > limits.upload_bytes:
            raise TooLargeError(f"an upload has at most {limits.upload_bytes} bytes")
        if self._size > max(limits.growth_free_bytes, limits.growth_max * self._sent):
            raise TooLargeError(f"{self._sent} compressed bytes grow to more than {limits.growth_max} times as many")
