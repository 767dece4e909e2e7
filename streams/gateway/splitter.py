"""Cutting a BSON sequence as it comes, piece by piece, with at most one document held back.

Pure. For every way to cut the same bytes into pieces it finds the documents, positions and faults of `frames.split`; only a document
that is too large to be an asset is not collected but passed over.
"""

from dataclasses import dataclass, field
from struct import Struct
from typing import Final, NamedTuple

from schemas.asset import DOCUMENT_BYTES_MAX, FRAME_BYTES_MAX, FRAME_BYTES_MIN
from streams.frames import FrameError, cut_off, lie, open_end, too_short

HEAD_BYTES: Final = 4096  # of an oversized document that are kept, so that people can see what it was
TOO_LARGE: Final = "larger than a document may be"
_int32: Final = Struct("<i").unpack_from


class Oversized(NamedTuple):
    """A document of `size` bytes that was passed over; `head` is its beginning."""

    position: int
    size: int
    head: bytes


@dataclass(slots=True)
class Cut:
    """What one piece completed: documents with the byte positions of their first bytes, and the fault that ends the sequence, if any."""

    positions: list[int] = field(default_factory=list)
    docs: list[bytes] = field(default_factory=list)
    oversized: list[Oversized] = field(default_factory=list)
    fault: FrameError | None = None


@dataclass(slots=True)
class _Passing:
    """An oversized document on its way: `left` bytes are still to come."""

    position: int
    size: int
    left: int
    head: bytearray = field(default_factory=bytearray)


class Splitter:
    """Feed it the pieces in order, then close it; after a fault it must not be fed again."""

    def __init__(self, largest: int = DOCUMENT_BYTES_MAX) -> None:
        self._largest = largest
        self._base = 0  # position of the first byte of the rest
        self._rest = b""  # the incomplete document at the end of the last piece
        self._passing: _Passing | None = None

    def feed(self, piece: bytes) -> Cut:
        """Cut what is complete now. Holds back less than one document, and of an oversized one only its head."""
        data, at, cut = self._rest + piece if self._rest else piece, 0, Cut()
        try:
            while True:
                if self._passing:
                    at = self._pass_over(data, at, self._passing, cut)
                at = self._take(data, at, cut)
                if at + 4 > len(data):
                    break
                (size,) = _int32(data, at)
                if size <= self._largest:
                    break
                self._passing = _Passing(self._base + at, size, size)
        except FrameError as fault:
            cut.fault = fault
        self._base += at
        self._rest = data[at:]
        return cut

    def close(self) -> FrameError | None:
        """The sequence ends here: the fault if that is within a document."""
        if self._passing:
            return cut_off(self._passing.position, self._passing.size, self._passing.size - self._passing.left)
        if not self._rest:
            return None
        if len(self._rest) < 4:
            return too_short(self._base, len(self._rest))
        (size,) = _int32(self._rest)
        return cut_off(self._base, size, len(self._rest))

    def _take(self, data: bytes, at: int, cut: Cut) -> int:
        """Collect the documents from `at` to the first that is incomplete, oversized or lies; returns where that begins."""
        end, base, largest, positions, docs = len(data), self._base, self._largest, cut.positions, cut.docs
        while at + 4 <= end:
            (size,) = _int32(data, at)
            stop = at + size
            if stop > end or size > largest or size < FRAME_BYTES_MIN:
                if not FRAME_BYTES_MIN <= size <= FRAME_BYTES_MAX:
                    raise lie(base + at, size)
                return at
            if data[stop - 1]:
                raise open_end(base + at, size)
            positions.append(base + at)
            docs.append(data[at:stop])
            at = stop
        return at

    def _pass_over(self, data: bytes, at: int, passing: _Passing, cut: Cut) -> int:
        stop = min(len(data), at + passing.left)
        passing.head += data[at : min(stop, at + HEAD_BYTES - len(passing.head))]
        passing.left -= stop - at
        if not passing.left:
            if data[stop - 1]:
                raise open_end(passing.position, passing.size)
            cut.oversized.append(Oversized(passing.position, passing.size, bytes(passing.head)))
            self._passing = None
        return stop
