"""The table of latest versions: one row an asset, and what a new document makes of it.

A row is 71 bytes, little-endian: digest of the document's bytes (XXH3-128), version, digest of the terms (XXH3-64), status, the
cumulative amounts of `schemas.asset.PAYMENTS` in cents, term in months, and the latest `updated_at` that any version gave (ms). The digest
stands first: "unchanged" is one comparison.
"""

from struct import Struct
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

from schemas.asset import LINE, LOAN, Change, Field, Kind, Status
from schemas.columns import ATTRIBUTES

ROW: Final = Struct("<16si8sB4qHq")
STATUSES: Final = tuple(Status)
_ENDS: Final = {Status.RECALLED: Change.RECALLED, Status.DEFAULTED: Change.DEFAULTED, Status.REPAID: Change.REPAID}
_SELDOM: Final = ("first_due", "maturity", "schedule_convention", "schedule")  # columns that count only where they are said
_TERMS: Final = tuple(f for f in LOAN if f.term and f.column not in _SELDOM)
ABSENT: Final = -(2**63)  # stands for null where numbers are compared
_FEW: Final = 8  # rows, up to which plain values are faster than Arrow's calls, at 10 to 20 µs each


class Latest(NamedTuple):
    """The latest version of an asset, as the table has it."""

    digest: bytes
    version: int
    terms: bytes
    status: int  # index in STATUSES
    outstanding: int
    paid_principal: int
    paid_interest: int
    paid_fees: int
    term_months: int
    updated_ms: int  # ABSENT: no version ever said

    def pack(self) -> bytes:
        return ROW.pack(*self)

    @property
    def payments(self) -> tuple[int, int, int, int]:
        """The amounts of `schemas.asset.PAYMENTS`."""
        return self.outstanding, self.paid_principal, self.paid_interest, self.paid_fees


def unpack(row: bytes) -> Latest:
    return Latest._make(ROW.unpack(row))


def change_of(old: Latest, new: Latest) -> Change:
    """What happened between two versions: the first of Change, in its order, that applies. Not for the first version."""
    if new.status != old.status and (end := _ENDS.get(STATUSES[new.status])):
        return end
    if STATUSES[old.status] in _ENDS and STATUSES[new.status] not in _ENDS:
        return Change.RETURNED
    if new.terms != old.terms:
        return Change.EXTENDED if new.term_months > old.term_months else Change.TERMS_CHANGED
    if new.payments != old.payments:
        return Change.REPAYMENT_REPORTED
    return Change.STATUS_CHANGED


def digests_of_terms(columns: pa.RecordBatch) -> list[bytes]:
    """XXH3-64 of each row's terms (fields with `term`, and the attributes as they are written): equal digests, same agreement.

    A row of int64 is made of the terms, a text by its own XXH3-64, so that hashing a row is one call. Loans have no attributes: where all
    rows are loans, the column may be missing. What few documents say is added where it is said, and so costs and changes no other's digest.
    """
    matrix = np.empty((columns.num_rows, len(_TERMS)), "<i8")
    for i, field in enumerate(_TERMS):
        matrix[:, i] = _numbers(columns[field.column], field)
    width = 8 * len(_TERMS)
    data = matrix.tobytes()
    starts = range(0, len(data), width)
    more = [said for name in (ATTRIBUTES.name, *_SELDOM) if (said := _said(columns, name))]
    if not more:
        return [xxhash.xxh3_64_digest(data[at : at + width]) for at in starts]
    texts = map(b"".join, zip(*more, strict=True))
    return [xxhash.xxh3_64_digest(data[at : at + width] + text) for at, text in zip(starts, texts, strict=True)]


def _said(columns: pa.RecordBatch, name: str) -> list[bytes]:
    """What each row says in a column, and that it is this column; nothing where it does not say it, and no list where none does."""
    place = columns.schema.get_field_index(name)
    if place < 0 or columns[place].null_count == columns.num_rows:
        return []
    if name == ATTRIBUTES.name:
        return [(text or "").encode() for text in columns[place].to_pylist()]
    if name == "schedule":
        return [b"" if value is None else b"\0schedule" + value.tobytes() for value in matrices(columns[place])]
    return [b"" if value is None else f"\0{name}{value}".encode() for value in columns[place].to_pylist()]


def matrices(schedules: pa.ListArray) -> list[NDArray[np.int64] | None]:
    """Each schedule as a matrix, a row a line, the columns LINE."""
    flat = schedules.flatten()
    lines = np.column_stack([flat.field(f.column).to_numpy() for f in LINE]) if len(flat) else np.empty((0, len(LINE)), np.int64)
    ends = np.cumsum(schedules.value_lengths().fill_null(0).to_numpy())
    return [one if there else None for one, there in zip(np.split(lines, ends[:-1]), schedules.is_valid().to_pylist(), strict=True)]


def _numbers(column: pa.Array, field: Field) -> NDArray[np.int64]:
    if len(column) <= _FEW:
        hashed = _hash if field.kind is Kind.TEXT else int
        return np.array([ABSENT if value is None else hashed(value) for value in column.to_pylist()], np.int64)
    if field.kind is not Kind.TEXT:
        return column.fill_null(ABSENT).to_numpy(zero_copy_only=False) if column.null_count else column.to_numpy()  # type: ignore[no-any-return]
    encoded = column.dictionary_encode()
    hashes = [_hash(text) for text in encoded.dictionary.to_pylist()]
    codes = encoded.indices.fill_null(len(hashes)).to_numpy(zero_copy_only=False)
    return np.array([*hashes, ABSENT], np.int64)[codes]  # type: ignore[no-any-return]


def _hash(text: str) -> int:
    return xxhash.xxh3_64_intdigest(text.encode()) - 2**63


def texts(column: pa.Array) -> list[str]:
    """A column of few different texts as Python strings; `to_pylist` makes a new one for each row, at ten times the cost."""
    encoded = column.dictionary_encode()
    found = encoded.dictionary.to_pylist()
    return [found[code] for code in encoded.indices.to_numpy().tolist()]
