"""One asset version as a row of `assets.changed`, and as one of `assets.assessed`, for tests to vary."""

from typing import Any

from streams.settings import load

CATALOG = load({}).load_catalog()

CHANGED_ROW: dict[str, Any] = {
    "originator_id": "bluebird", "asset_id": "L1", "product": "consumer-loan-usd", "status": "current", "currency": "USD", "country": "US",
    "sale": "partial", "issued": 17_600, "term_months": 36, "rate": 140_700, "principal": 2_800_000, "outstanding": 2_800_000,
    "paid_principal": 0, "paid_interest": 0, "paid_fees": 0, "days_past_due": 0, "version": 1, "change": "created", "digest": bytes(16),
    "batch": "b1", "position": 0, "delta_principal": 0, "delta_interest": 0, "delta_fees": 0,
    "product_version": 2,
}  # fmt: skip

ASSESSED_ROW: dict[str, Any] = {
    **CHANGED_ROW, "outstanding": 2_700_000,
    "remaining_months": 34, "instalment_cents": 95_793, "last_instalment_cents": 95_778, "interest_cents": 648_533, "score": 107,
    "risk_group": "E", "reasons": "rate -55, borrower_home -10", "price_bp": 9_950, "buyer_price_bp": 9_975, "expected_loss_ppm": 30_000,
    "model": "built_in",
}  # fmt: skip
