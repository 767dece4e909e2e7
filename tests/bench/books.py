"""The input of every bench: a loan book of never-seen assets, the same for us and for the peers, made from a seed.

A document has all required fields of the contract (`schemas/asset.py`) and no other, which makes it as small as the contract
allows: 373 bytes. It is encoded once by pymongo; the values that differ are patched in at their places, for all assets at once.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import bson
import numpy as np
from bson.decimal128 import Decimal128
from numpy.typing import NDArray

from streams.partition import asset_key, partition_of
from streams.topics import ASSET_PARTITIONS

ORIGINATORS: Final = ("bluebird", "harbor", "prairie")  # those of schemas/originators.yaml
CHUNK_DOCUMENTS: Final = 500
SEED: Final = 7
DAY_MS: Final = 24 * 3600 * 1000
FIRST_ISSUED: Final = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)

Bytes2D = NDArray[np.uint8]


class Item(NamedTuple):
    """What goes to the broker as one message; `documents` is how many assets are in it."""

    partition: int
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]
    documents: int


@dataclass(frozen=True, slots=True)
class Book:
    """One originator's delivery: `documents[i]` has the key `keys[i]`, belongs to `partitions[i]` and begins at byte `positions[i]`."""

    originator: str
    documents: list[bytes]
    keys: list[bytes]
    partitions: list[int]
    positions: NDArray[np.uint64]

    def chunks(self, batch: str) -> Iterator[Item]:
        """The delivery as the gateway hands it on: up to 500 documents of one partition a message."""
        by_partition: list[list[int]] = [[] for _ in range(ASSET_PARTITIONS)]
        for i, partition in enumerate(self.partitions):
            by_partition[partition].append(i)
        for first in range(0, max(map(len, by_partition)), CHUNK_DOCUMENTS):
            for partition, members in enumerate(by_partition):
                if part := members[first : first + CHUNK_DOCUMENTS]:
                    value = b"".join([self.documents[i] for i in part])
                    yield Item(partition, self.originator.encode(), value, self._headers(batch, self.positions[part]), len(part))

    def singles(self) -> Iterator[Item]:
        """The delivery of an originator that produces each document as one message, by its own key."""
        for document, key, partition in zip(self.documents, self.keys, self.partitions, strict=True):
            yield Item(partition, key, document, [("originator", self.originator.encode())], 1)

    def _headers(self, batch: str, positions: NDArray[np.uint64]) -> list[tuple[str, bytes]]:
        packed = positions.astype("<u8").tobytes()
        return [("originator", self.originator.encode()), ("batch", batch.encode()), ("positions", packed)]


def make(assets: int) -> list[Book]:
    """Books of `assets` assets in all, dealt out to the originators."""
    share, rest = divmod(assets, len(ORIGINATORS))
    rng = np.random.default_rng(SEED)
    return [_book(originator, share + (n < rest), rng) for n, originator in enumerate(ORIGINATORS)]


def interleave(streams: list[Iterator[Item]]) -> Iterator[Item]:
    """One item of each in turn, as if the originators delivered at the same time."""
    while streams:
        for stream in list(streams):
            if (item := next(stream, None)) is None:
                streams.remove(stream)
            else:
                yield item


def documents(originator: str, first: int, count: int, rng: np.random.Generator) -> bytes:
    """Documents of assets `first` … `first` + `count` - 1 one after the other, all of the template's size."""
    return _patch(template(originator), _names(first, count), rng).tobytes()


def _names(first: int, count: int) -> list[str]:
    return [f"L{number:07}" for number in range(first, first + count)]


def _book(originator: str, assets: int, rng: np.random.Generator) -> Book:
    names, size = _names(0, assets), len(template(originator))
    flat = documents(originator, 0, assets, rng)
    each = [flat[at : at + size] for at in range(0, len(flat), size)]
    keys = [asset_key(originator.encode(), name.encode()) for name in names]
    partitions = [partition_of(key, ASSET_PARTITIONS) for key in keys]
    return Book(originator, each, keys, partitions, np.arange(assets, dtype=np.uint64) * np.uint64(size))


def template(originator: str) -> bytes:
    """The document that every asset's is made of."""
    return bson.encode(
        {
            "originator_id": originator,
            "asset_id": "L0000000",
            "product": "consumer-loan-usd",
            "status": "current",
            "currency": "USD",
            "country": "US",
            "sale": "partial",
            "issued": FIRST_ISSUED,
            "term_months": 36,
            "rate": Decimal128("0.1000"),
            "principal": Decimal128("10000.00"),
            "outstanding": Decimal128("10000.00"),
            "paid": {"principal": Decimal128("0.00"), "interest": Decimal128("0.00"), "fees": Decimal128("0.00")},
            "days_past_due": 0,
        }
    )


def _patch(template: bytes, names: list[str], rng: np.random.Generator) -> Bytes2D:
    """One row of bytes a document. A Decimal128's first eight bytes are its coefficient's lower half: here cents, or 1/10,000 of a rate."""
    n = len(names)
    principal = rng.integers(1_000_00, 40_000_00, n)
    repaid = principal * rng.integers(0, 90, n) // 100
    issued_ms = int(FIRST_ISSUED.timestamp()) * 1000 - rng.integers(0, 700, n) * DAY_MS
    rows = np.tile(np.frombuffer(template, np.uint8), (n, 1))
    _write(rows, template, b"\x02asset_id\0", np.array(names, "S8"), skip=4)
    _write(rows, template, b"\x09issued\0", issued_ms.astype("<i8"))
    _write(rows, template, b"\x10term_months\0", rng.choice([24, 36, 48, 60], n).astype("<i4"))
    _write(rows, template, b"\x13rate\0", rng.integers(500, 3000, n).astype("<i8"))
    _write(rows, template, b"\x13principal\0", principal.astype("<i8"))
    _write(rows, template, b"\x13outstanding\0", (principal - repaid).astype("<i8"))
    _write(rows, template, b"\x13principal\0", repaid.astype("<i8"), after=b"\x03paid\0")
    _write(rows, template, b"\x13interest\0", (repaid // 7).astype("<i8"))
    _write(rows, template, b"\x10days_past_due\0", (rng.integers(0, 20, n) == 0).astype("<i4") * 3)
    return rows


def _write(rows: Bytes2D, template: bytes, field: bytes, values: NDArray[np.generic], skip: int = 0, after: bytes = b"") -> None:
    at = template.index(field, template.index(after)) + len(field) + skip
    rows[:, at : at + values.itemsize] = values.view(np.uint8).reshape(len(values), values.itemsize)
