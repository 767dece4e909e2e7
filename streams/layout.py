"""The layout of BSON documents, and the lock-step walk of many documents that share one. See `streams/decode.py`."""

from collections.abc import Iterator, Sequence
from struct import error
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.asset import Field, Kind
from streams.document import ACCEPTED, ARRAY, DOCUMENT, INT64, NULL, may_be_deep
from streams.frames import value_size

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

# BSON types whose value begins with an int32 length: bytes that it does not count, and the least that it may be
LENGTHS: Final = {0x02: (4, 1), 0x0D: (4, 1), 0x0E: (4, 1), 0x05: (5, 0), 0x0C: (16, 1), 0x03: (0, 5), 0x04: (0, 5), 0x0F: (0, 5)}
REGEX: Final = 0x0B
_POWERS: Final = 10 ** np.arange(19, dtype=np.int64)


class Step(NamedTuple):
    """One element of a layout: type byte and name with its final zero; the declared field that it is; or a sub-document's begin or end."""

    head: bytes
    kind: int
    size: int = 0  # of a value of fixed size
    field: str = ""
    enter: bool = False
    leave: bool = False


class Buffer:
    """All documents' bytes with views at any byte position: index an array of positions to get the values there."""

    def __init__(self, data: bytes, sizes: Ints) -> None:
        self.sizes = sizes
        self.starts = np.cumsum(sizes) - sizes
        self.ends = self.starts + sizes - 1  # of each document, where its final zero byte is
        self.bytes = np.frombuffer(data, np.uint8)
        self.int32 = np.ndarray((len(data) - 3,), "<i4", data, strides=(1,))
        self.int64 = np.ndarray((len(data) - 7,), "<i8", data, strides=(1,))
        self.uint64 = np.ndarray((len(data) - 7,), "<u8", data, strides=(1,))

    def decimals(self, at: Ints, places: int, present: Mask, good: Mask) -> Ints:
        """Decimal128 values times 10**places; `good` is lowered for each that the plain reader must look at.

        IEEE 754-2008, binary integer decimal: https://www.mongodb.com/docs/manual/reference/bson-types. Settled here: coefficients below
        2**53 with exponents that keep the result in range; NaN and the rest are the plain reader's.
        """
        low, high = self.uint64[at], self.uint64[at + 8]
        shift = ((high >> np.uint64(49)) & np.uint64(0x3FFF)).astype(np.int64) - 6176 + places
        coefficient = (high & np.uint64((1 << 49) - 1)) == 0
        usual = coefficient & (low < np.uint64(1 << 53)) & (shift >= -18) & (shift <= 3) & ((high >> np.uint64(61)) & np.uint64(3) != 3)
        good &= usual | ~present
        whole = np.where(usual, low, 0).astype(np.int64)
        up, down = _POWERS[np.clip(shift, 0, 3)], _POWERS[np.clip(-shift, 0, 18)]
        good &= (whole % down == 0) | ~present
        scaled = whole // down * up
        return np.where(high >> np.uint64(63), -scaled, scaled)


class Walked:
    """Where the declared fields' values are: byte positions by field name, a row a document, -1 where it has none. `done`: was walked."""

    def __init__(self, fields: Sequence[Field], documents: int) -> None:
        self.at = {f.name: np.full(documents, -1, np.int64) for f in fields}
        self.wide = {f.name: np.zeros(documents, np.bool_) for f in fields if f.kind is Kind.WHOLE}  # is an int64, not an int32
        self.done = np.zeros(documents, np.bool_)


def read_layout(doc: bytes, fields: Sequence[Field]) -> list[Step] | None:
    """The steps of a document; None if it cannot be walked in lock-step, or has a fault that the plain reader will name."""
    known = {f.name: f for f in fields}
    parents = {name.rpartition(".")[0] for name in known} - {""}
    steps: list[Step] = []
    levels = [(len(doc) - 1, "")]
    at = 4
    seen: set[str] = set()
    try:
        while levels:
            end, path = levels[-1]
            if at >= end:
                if at != end or doc[at]:
                    return None
                levels.pop()
                at += 1
                steps.append(Step(b"", 0, leave=True))
                continue
            kind, value = doc[at], doc.index(0, at + 1, end) + 1
            head, name = doc[at:value], path + doc[at + 1 : value - 1].decode()
            enter = name in parents and kind != NULL
            size = value_size(doc, value, kind)
            if name in seen or value + size > end or kind == REGEX or (enter and kind != DOCUMENT):
                return None
            if name in known:
                if kind not in ACCEPTED[known[name].kind] and (kind != NULL or known[name].required):
                    return None
                seen.add(name)
            if enter:
                seen.add(name)
                levels.append((value + size - 1, f"{name}."))
                at = value + 4
            else:
                at = value + size
            steps.append(Step(head, kind, size, name if name in known else "", enter))
    except (KeyError, ValueError, error):
        return None
    return steps[:-1]  # the document's own end is where every row must arrive


def lock_step(docs: Sequence[bytes], buffer: Buffer, layout: list[Step], rows: Ints, walked: Walked) -> Mask:
    """Walk the documents `rows` along `layout`; note the positions of those that kept to it to their end. Returns which did."""
    starts, ends = buffer.starts[rows], buffer.ends[rows]
    at, passed = starts + 4, np.ones(len(rows), np.bool_)
    found: list[tuple[str, int, Ints]] = []
    inner: list[Ints] = []
    unread: list[tuple[Ints, Ints]] = []  # documents and arrays that nobody declared: begin and end
    for step in layout:
        if step.leave:
            end = inner.pop()
            passed &= (at == end) & (buffer.bytes[end] == 0)
            at = at + 1
            continue
        passed &= matches(buffer, at, step.head)
        at = at + len(step.head)
        if step.field:
            found.append((step.field, step.kind, at))
        if step.kind not in LENGTHS:
            at = at + step.size
            continue
        more, least = LENGTHS[step.kind]
        size = buffer.int32[at].astype(np.int64)
        fits = (size >= least) & (at + size + more <= ends)
        passed &= fits
        if step.enter:
            inner.append(np.where(fits, at + size - 1, starts))
            at = at + 4
        else:
            begin, at = at, np.where(fits, at + size + more, starts)
            if step.kind in (DOCUMENT, ARRAY) and not step.field:
                unread.append((begin - starts, at - starts))
    passed &= at == ends
    if unread:
        passed &= ~np.fromiter(_deep(docs, rows, unread), np.bool_, len(rows))
    _note(walked, found, rows, passed)
    return passed


def _deep(docs: Sequence[bytes], rows: Ints, unread: list[tuple[Ints, Ints]]) -> Iterator[bool]:
    """Whether what is not read of each document could nest too deep."""
    bounds = zip(*(part.tolist() for pair in unread for part in pair), strict=True)
    for row, these in zip(rows.tolist(), bounds, strict=True):
        yield any(may_be_deep(docs[row][begin:end]) for begin, end in zip(these[::2], these[1::2], strict=True))


def matches(buffer: Buffer, at: Ints, head: bytes) -> Mask:
    """Whether `head` stands at each position."""
    same = np.ones(len(at), np.bool_)
    for i in range(0, len(head), 8):
        part = head[i : i + 8]
        word = buffer.uint64[at + i]
        if len(part) < 8:
            word = word & np.uint64((1 << 8 * len(part)) - 1)
        same &= word == np.uint64(int.from_bytes(part, "little"))
    return same


def _note(walked: Walked, found: list[tuple[str, int, Ints]], rows: Ints, passed: Mask) -> None:
    kept = rows[passed]
    for name, kind, at in found:
        if kind != NULL:
            walked.at[name][kept] = at[passed]
            if name in walked.wide:
                walked.wide[name][kept] = kind == INT64
    walked.done[kept] = True
