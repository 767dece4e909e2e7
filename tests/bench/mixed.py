"""Two loan books as files: one of never-seen assets, and the next delivery of it, mixed by a seed, with what must come of each document.

Documents are those of `tests/bench/books.py`, 373 bytes each but for the broken ones, and are made as they are written.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from struct import Struct
from typing import Any, BinaryIO, Final, NamedTuple

import bson
import numpy as np
import xxhash
from bson.decimal128 import Decimal128

from schemas.asset import DOCUMENT_BYTES_MAX, Change
from tests.bench.books import SEED, documents, template

ORIGINATOR: Final = "bluebird"
SLICE: Final = 20_000  # documents that are made at a time
# Of 1,000 documents: 90 % unchanged, 9 % changed in one of three ways, 0.9 % new, 0.1 % broken.
SHARES: Final = {
    "unchanged": 900,
    Change.REPAYMENT_REPORTED: 60,
    Change.STATUS_CHANGED: 20,
    Change.TERMS_CHANGED: 10,
    Change.CREATED: 9,
    "rejected": 1,
}
_TEMPLATE: Final = template(ORIGINATOR)
_INT32, _INT64 = Struct("<i"), Struct("<q")
# Where a change is made: the field, from which place on it is looked for, how its value is packed, what is added to it.
_EDITS: Final = {
    Change.REPAYMENT_REPORTED: (b"\x13interest\0", _INT64, 1),
    Change.STATUS_CHANGED: (b"\x10days_past_due\0", _INT32, 4),
    Change.TERMS_CHANGED: (b"\x13rate\0", _INT64, 1),
}
# What makes a document broken, and the field that is then refused; a document without an end to it is passed over by the gateway.
_BREAKS: Final[tuple[tuple[str, Callable[[dict[str, Any]], dict[str, Any]]], ...]] = (
    ("outstanding", lambda loan: {**loan, "outstanding": Decimal128("NaN")}),
    ("outstanding", lambda loan: {**loan, "outstanding": Decimal128("100.005")}),
    ("principal", lambda loan: {**loan, "principal": 28000.0}),
    ("status", lambda loan: {**loan, "status": "ok"}),
    ("currency", lambda loan: {**loan, "currency": "EUR"}),
    ("originator_id", lambda loan: {**loan, "originator_id": "harbor"}),
    ("issued", lambda loan: {name: value for name, value in loan.items() if name != "issued"}),
    ("asset_id", lambda loan: {**loan, "asset_id": None}),
    ("", lambda loan: {**loan, "notes": "n" * DOCUMENT_BYTES_MAX}),
)


class Version(NamedTuple):
    """A version that must come of a document: as `asset_versions` has it."""

    version: int
    change: str
    digest: bytes  # XXH3-128
    position: int


@dataclass(slots=True)
class Expected:
    """What a delivery must come to: counts by outcome, versions by asset, and field and bytes of the refused by their position."""

    documents: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    versions: dict[str, Version] = field(default_factory=dict)
    refused: dict[int, tuple[str, bytes]] = field(default_factory=dict)


def write_base(path: Path, assets: int) -> None:
    """A book of `assets` never-seen assets."""
    rng = np.random.default_rng(SEED)
    with path.open("wb") as file:
        for first in range(0, assets, SLICE):
            file.write(documents(ORIGINATOR, first, min(SLICE, assets - first), rng))


def write_mixed(path: Path, base: Path, count: int) -> Expected:
    """The next delivery, of `count` documents (a multiple of 1,000), of the book `base`, which has at least as many."""
    expected = Expected()
    kinds = np.repeat(np.array(list(SHARES), object), np.array(list(SHARES.values())) * (count // 1000))
    new = _never_seen(count)
    with base.open("rb") as known, path.open("wb") as file:
        for kind in np.random.default_rng(SEED).permutation(kinds):
            file.write(_noted(expected, file.tell(), kind, next(new) if kind == Change.CREATED else _next(known)))
    return expected


def _noted(expected: Expected, position: int, kind: str, doc: bytes) -> bytes:
    """The document that it becomes, with what must come of it noted."""
    expected.documents += 1
    expected.counts[str(kind)] += 1
    if kind == "rejected":
        name, broken = _BREAKS[len(expected.refused) % len(_BREAKS)]
        doc = bson.encode(broken(bson.decode(doc)))
        expected.refused[position] = (name, doc)
    elif kind != "unchanged":
        doc = _edited(doc, kind)
        number = 1 if kind == Change.CREATED else 2
        expected.versions[bson.decode(doc)["asset_id"]] = Version(number, str(kind), xxhash.xxh3_128_digest(doc), position)
    return doc


def _edited(doc: bytes, kind: str) -> bytes:
    if kind not in _EDITS:
        return doc
    name, packed, more = _EDITS[Change(kind)]
    at, edited = _TEMPLATE.index(name) + len(name), bytearray(doc)
    packed.pack_into(edited, at, packed.unpack_from(edited, at)[0] + more)
    return bytes(edited)


def _next(book: BinaryIO) -> bytes:
    return book.read(len(_TEMPLATE))


def _never_seen(first: int) -> Iterator[bytes]:
    """Documents of assets from number `first` on, without end."""
    rng = np.random.default_rng(SEED + 1)
    size = len(_TEMPLATE)
    while True:
        made = documents(ORIGINATOR, first, SLICE, rng)
        yield from (made[at : at + size] for at in range(0, len(made), size))
        first += SLICE
