"""Changed asset versions for the assessor's tests: columns from a few words, everything else sensible."""

import pyarrow as pa

from schemas.columns import CHANGED, encode
from streams.effects import Message
from tests.rows import CHANGED_ROW

ROW = CHANGED_ROW


def changed(*rows: dict) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([{**ROW, **row} for row in rows], schema=CHANGED)


def message(batch: pa.RecordBatch, partition: int = 0, offset: int = 0) -> Message:
    return Message("assets.changed", partition, offset, 0, None, encode(batch), ())
