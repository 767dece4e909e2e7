"""Assessed asset versions for the router's tests: columns from a few words, everything else sensible."""

import pyarrow as pa

from schemas.columns import ASSESSED, encode
from streams.effects import Message
from tests.rows import CHANGED_ROW

ROW = {
    **CHANGED_ROW, "outstanding": 2_700_000,
    "remaining_months": 34, "instalment_cents": 95_793, "last_instalment_cents": 95_778, "interest_cents": 648_533, "score": 107,
    "risk_group": "E", "price_bp": 9_950, "expected_loss_ppm": 30_000,
}  # fmt: skip


def assessed(*rows: dict) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([{**ROW, **row} for row in rows], schema=ASSESSED)


def message(batch: pa.RecordBatch, offset: int = 0) -> Message:
    return Message("assets.assessed", 0, offset, 0, None, encode(batch), ())
