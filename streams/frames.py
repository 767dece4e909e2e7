"""BSON sequences: documents one after the other, the format of a loan book file and of a message on `assets.ingest`.

Pure Python on purpose: the gateway cuts and routes whole files with it, and stays small because nothing here needs numpy or Arrow.
`docs` that pass here have a true length and end; what is inside is checked when they are decoded (`streams/decode.py`).
"""

from struct import Struct
from struct import error as StructError  # noqa: N812 - an exception, named like one
from typing import Final, NamedTuple

from schemas.asset import FRAME_BYTES_MAX, FRAME_BYTES_MIN

_int32: Final = Struct("<i").unpack_from
_TEXT, _DOCUMENT, _ARRAY, _BINARY, _REGEX, _POINTER, _CODE, _SYMBOL, _SCOPED = 0x02, 0x03, 0x04, 0x05, 0x0B, 0x0C, 0x0D, 0x0E, 0x0F
_FIXED: Final = {0x01: 8, 0x06: 0, 0x07: 12, 0x08: 1, 0x09: 8, 0x0A: 0, 0x10: 4, 0x11: 8, 0x12: 8, 0x13: 16, 0xFF: 0, 0x7F: 0}


class FrameError(ValueError):
    """A BSON sequence that cannot be cut further: `position` is the byte where the frame at fault begins."""

    def __init__(self, position: int, reason: str) -> None:
        super().__init__(f"byte {position}: {reason}")
        self.position, self.reason = position, reason


class Identity(NamedTuple):
    """A document's originator and asset id; None where the field is absent or no text."""

    originator: bytes | None
    asset: bytes | None


def length_at(data: bytes | bytearray | memoryview, at: int, position: int) -> int:
    """The length that the frame at `data[at:]` claims, in bytes; `position` is where that is in the whole sequence.

    Raises:
        FrameError: no BSON document has such a length. At least four bytes must be there.
    """
    (size,) = _int32(data, at)
    if not FRAME_BYTES_MIN <= size <= FRAME_BYTES_MAX:
        raise FrameError(position, f"length prefix {size} is not between {FRAME_BYTES_MIN} and {FRAME_BYTES_MAX}; is this BSON?")
    return size  # type: ignore[no-any-return]


def split(data: bytes) -> tuple[list[bytes], FrameError | None]:
    """All documents of a sequence, and what stopped the cutting, if anything did: what came before is good."""
    docs: list[bytes] = []
    at, end = 0, len(data)
    try:
        while at + 4 <= end:
            (size,) = _int32(data, at)
            stop = at + size
            if size < FRAME_BYTES_MIN or stop > end or data[stop - 1]:
                length_at(data, at, at)
                if stop > end:
                    raise FrameError(at, f"the document says {size} bytes, {end - at} are left")
                raise FrameError(at, f"the document of {size} bytes does not end with a zero byte")
            docs.append(data[at:stop])
            at = stop
        if at != end:
            raise FrameError(at, f"{end - at} bytes are left, too few for a document")
    except FrameError as fault:
        return docs, fault
    return docs, None


def identify(doc: bytes) -> Identity:
    """Read `originator_id` and `asset_id` among the top-level fields, wherever they stand; a damaged document has what came before."""
    originator = asset = None
    at, end = 4, len(doc) - 1
    try:
        while at < end and (originator is None or asset is None):
            kind = doc[at]
            name_end = doc.index(0, at + 1)
            value = name_end + 1
            if kind == _TEXT:
                (size,) = _int32(doc, value)
                if size < 1 or value + 4 + size > end:
                    break
                name = doc[at + 1 : name_end]
                if name == b"originator_id" and originator is None:
                    originator = doc[value + 4 : value + 3 + size]
                elif name == b"asset_id" and asset is None:
                    asset = doc[value + 4 : value + 3 + size]
                at = value + 4 + size
            else:
                at = value + value_size(doc, value, kind)
    except (ValueError, IndexError, KeyError, StructError):
        pass  # damaged behind this point: decoding the document will say where and how
    return Identity(originator, asset)


def value_size(doc: bytes, at: int, kind: int) -> int:
    """Bytes that the value of BSON type `kind` at `doc[at:]` takes (https://bsonspec.org/spec.html).

    Raises:
        KeyError: there is no such type. ValueError, struct.error: the value is damaged.
    """
    if kind in (_DOCUMENT, _ARRAY, _SCOPED):
        return _positive(doc, at, 5)
    if kind in (_TEXT, _CODE, _SYMBOL):
        return 4 + _positive(doc, at, 1)
    if kind == _BINARY:
        return 5 + _positive(doc, at, 0)
    if kind == _POINTER:
        return 16 + _positive(doc, at, 1)
    if kind == _REGEX:
        return doc.index(0, doc.index(0, at) + 1) + 1 - at
    return _FIXED[kind]


def _positive(doc: bytes, at: int, least: int) -> int:
    (size,) = _int32(doc, at)
    if size < least:
        raise ValueError(f"byte {at}: length {size}")
    return size  # type: ignore[no-any-return]
