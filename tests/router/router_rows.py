"""Assessed asset versions for the router's tests: columns from a few words, everything else sensible."""

import pyarrow as pa

from schemas.columns import ASSESSED, encode
from streams.effects import Message
from tests.rows import ASSESSED_ROW

ROW = ASSESSED_ROW


def assessed(*rows: dict) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([{**ROW, **row} for row in rows], schema=ASSESSED)


def message(batch: pa.RecordBatch, offset: int = 0) -> Message:
    return Message("assets.assessed", 0, offset, 0, None, encode(batch), ())
