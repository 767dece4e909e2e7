"""Changed asset versions for the assessor's tests: columns from a few words, everything else sensible."""

import pyarrow as pa

from schemas.columns import CHANGED, encode
from streams.effects import Message
from streams.settings import load

CATALOG = load({}).load_catalog()

ROW = {
    "originator_id": "bluebird", "asset_id": "L1", "product": "consumer-loan-usd", "status": "current", "currency": "USD", "country": "US",
    "sale": "partial", "issued": 17_600, "term_months": 36, "rate": 140_700, "principal": 2_800_000, "outstanding": 2_800_000,
    "paid_principal": 0, "paid_interest": 0, "paid_fees": 0, "days_past_due": 0, "version": 1, "change": "created", "digest": bytes(16),
    "batch": "b1", "position": 0, "delta_principal": 0, "delta_interest": 0, "delta_fees": 0,
}  # fmt: skip


def changed(*rows: dict) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([{**ROW, **row} for row in rows], schema=CHANGED)


def message(batch: pa.RecordBatch, partition: int = 0, offset: int = 0) -> Message:
    return Message("assets.changed", partition, offset, 0, None, encode(batch), ())
