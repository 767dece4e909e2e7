"""BSON documents to Arrow columns, a chunk at a time.

Documents of one originator are written by one program and nearly all have one layout: the same fields, in the same order, of the same
types; only texts differ in length. So the first document's layout is read once (`streams/layout.py`), and then all documents are walked in
lock-step, one field a step: compare the field's type and name in all of them, note the positions, jump. Documents that leave the
layout take part in the next round, with the next layout; what is left after ROUNDS, and whatever a check does not like, goes to
`streams/document.py`, which reads one document plainly and says what is wrong. The two agree on every document:
tests/streams/test_decode.py.

Why not pymongoarrow, at about 225,000 such documents a second: where an int is expected it takes a double or a bool, truncating it, and a
field that stands twice in one document shifts the column of the documents after it; both pass silently.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from schemas.asset import DOCUMENT_BYTES_MAX, Field, Kind
from schemas.columns import ARROW
from streams import document
from streams.document import DECIMALS, IDS
from streams.layout import Buffer, Walked, lock_step, read_layout
from streams.schedules import schedules

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
ROUNDS: Final = 16
FEW: Final = 8  # fewer documents than this are read faster one by one
PAD: Final = bytes(DOCUMENT_BYTES_MAX + 16)  # a walk may run past a document's end by its layout's fixed parts before that is found out
_FREE_TEXT: Final = np.array([b >= 0x20 and b != 0x7F for b in range(256)])
_ID_TEXT: Final = np.array([b in IDS for b in range(256)])


class Fault(NamedTuple):
    """Document `row` of the input was refused, for a field or (empty) as a whole."""

    row: int
    field: str
    reason: str


class Decoded(NamedTuple):
    """Columns of the accepted documents, in their order; `rows` says which of the input each is; all others have a fault."""

    columns: pa.RecordBatch
    rows: Ints
    faults: list[Fault]


def decode(docs: Sequence[bytes], fields: Sequence[Field]) -> Decoded:
    """Decode and check documents that have passed `frames.split`. A null stands where a field is absent that may be."""
    if len(docs) < FEW:
        return _plain(docs, range(len(docs)), fields)
    schema = _schema(fields)
    buffer = Buffer(b"".join([*docs, PAD]), np.fromiter(map(len, docs), np.int64, len(docs)))
    walked = _walk(docs, fields, buffer)
    rows = np.flatnonzero(walked.done)
    good = np.ones(len(rows), np.bool_)
    arrays = [_column(buffer, walked, rows, f, good) for f in fields]
    fast = pa.RecordBatch.from_arrays(arrays, schema=schema)
    if good.all() and len(rows) == len(docs):
        return Decoded(fast, rows, [])
    return _with_plain(docs, fields, fast.filter(pa.array(good)), rows[good])


def _walk(docs: Sequence[bytes], fields: Sequence[Field], buffer: Buffer) -> Walked:
    walked = Walked(fields, len(docs))
    left = np.flatnonzero(buffer.sizes <= DOCUMENT_BYTES_MAX)
    for _ in range(ROUNDS):
        if len(left) < FEW:
            break
        layout = read_layout(docs[left[0]], fields)
        if layout is None:
            left = left[1:]
            continue
        passed = lock_step(docs, buffer, layout, left, walked)
        passed[0] = True  # were it not, the plain reader would say why; the next round needs another leader
        left = left[~passed]
    return walked


def _with_plain(docs: Sequence[bytes], fields: Sequence[Field], fast: pa.RecordBatch, rows: Ints) -> Decoded:
    """Read what the lock-step left over one by one, and put the accepted in their places."""
    plain = _plain(docs, np.setdiff1d(np.arange(len(docs)), rows, assume_unique=True).tolist(), fields)
    if not len(plain.rows):
        return Decoded(fast, rows, plain.faults)
    places = np.concatenate([rows, plain.rows])
    order = np.argsort(places, kind="stable")
    both = pa.Table.from_batches([fast, plain.columns]).take(pa.array(order)).combine_chunks()
    return Decoded(both.to_batches()[0], places[order], plain.faults)


def _plain(docs: Sequence[bytes], index: Iterable[int], fields: Sequence[Field]) -> Decoded:
    """Read the documents at `index` one by one."""
    faults: list[Fault] = []
    values: list[Mapping[str, Any]] = []
    rows: list[int] = []
    for i in index:
        try:
            values.append(document.read(docs[i], fields))
            rows.append(i)
        except document.FieldError as fault:
            faults.append(Fault(i, fault.field, fault.reason))
    return Decoded(pa.RecordBatch.from_pylist(values, schema=_schema(fields)), np.array(rows, np.int64), faults)


def _schema(fields: Iterable[Field]) -> pa.Schema:
    return pa.schema([pa.field(f.column, ARROW[f.kind]) for f in fields])


def _column(buffer: Buffer, walked: Walked, rows: Ints, field: Field, good: Mask) -> pa.Array:
    """One field of `rows`; `good` is lowered for each row that the plain reader must look at."""
    at = walked.at[field.name][rows]
    present = at >= 0
    if field.required:
        good &= present
    elif not present.any():
        return pa.nulls(len(rows), ARROW[field.kind])
    at = np.where(present, at, 0)
    if field.kind is Kind.TEXT:
        return _texts(buffer, at, present, field, good)
    if field.kind is Kind.SCHEDULE:
        return schedules(buffer, at, present, good)
    if field.kind is Kind.WHOLE:
        numbers = np.where(walked.wide[field.name][rows], buffer.int64[at], buffer.int32[at])
    elif field.kind is Kind.DAY:
        numbers, rest = np.divmod(buffer.int64[at], document.DAY_MS)
        good &= (rest == 0) | ~present
    elif field.kind is Kind.MOMENT:
        numbers = buffer.int64[at]
    else:
        numbers = buffer.decimals(at, DECIMALS[field.kind], present, good)
    good &= ((numbers >= field.low) & (numbers <= field.high)) | ~present
    return pa.array(numbers, mask=~present)


def _texts(buffer: Buffer, at: Ints, present: Mask, field: Field, good: Mask) -> pa.Array:
    sizes = np.where(present, buffer.int32[at].astype(np.int64) - 1, 0)
    fits = (sizes > 0) & (sizes <= field.length) & (buffer.bytes[at + 4 + sizes] == 0)
    good &= fits | ~present
    sizes = np.where(fits, sizes, 0)
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
    data = buffer.bytes[np.arange(offsets[-1]) + np.repeat(at + 4 - offsets[:-1], sizes)]
    allowed = (_ID_TEXT if field.name.endswith("_id") else _FREE_TEXT)[data]
    if not allowed.all():
        good[np.repeat(np.arange(len(at)), sizes)[~allowed]] = False
    if (data >= 0x80).any():  # not ASCII
        for row in np.unique(np.repeat(np.arange(len(at)), sizes)[data >= 0x80]).tolist():
            good[row] &= _is_utf8(data[offsets[row] : offsets[row + 1]].tobytes())
    mask = None if present.all() else pa.array(present).buffers()[1]
    array = pa.Array.from_buffers(pa.string(), len(at), [mask, pa.py_buffer(offsets), pa.py_buffer(data)])
    if field.choices:
        good &= pc.is_in(array, value_set=pa.array(field.choices)).to_numpy(zero_copy_only=False) | ~present
    return array


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
