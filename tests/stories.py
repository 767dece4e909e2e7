"""One asset in the database, bluebird/loan-7: four versions, 13 investments, two refused documents; and something of other assets.

Its batches are one that the gateway received, one of which nothing is stored, and one that its originator produced itself.
"""

from agents.merger.agent import sinks
from schemas import catalog, events
from streams import topics
from streams.store import Store
from tests.database import assessed, feed, message

VERSIONS, BATCHES, REJECTIONS, INVESTMENTS = sinks(catalog.Catalog({}, {}, ()))
MINUTE_MS = 60_000
SENT_MS = 1_770_000_000_000
FIRST = {
    "asset_id": "loan-7", "version": 1, "change": "created", "digest": bytes(range(16)), "batch": "bluebird.one", "position": 1_179,
    "product": "consumer-loan-usd", "country": "US", "issued": 17_600, "term_months": 36, "rate": 140_700, "principal": 120_000,
    "outstanding": 100_000, "paid_principal": 20_000, "paid_interest": 1_000, "paid_fees": 0, "days_past_due": 0, "instalment": None,
    "purpose": "car", "grade": None, "remaining_months": 30, "score": 131, "risk_group": "B", "price_bp": 9_950, "instalment_cents": 4_106,
    "attributes": None, "expected_loss_ppm": 12_300, "expected_return_ppm": 56_100, "duration_days": 400,
    "reasons": "rate -65, purpose -14", "buyer_price_bp": 9_975, "product_version": 2, "model": "built_in",
    "schedule": [{"due": 17_631, "principal": 60_000, "interest": 800}, {"due": 18_700, "principal": 60_000, "interest": 401}],
    "schedule_convention": "act-360", "schedule_differences": [{"line": 1, "principal": 0, "interest": 1}],
    "first_due": None, "maturity": None,
    "last_instalment_cents": 4_093, "residual_cents": -13,
}  # fmt: skip
PAID = {**FIRST, "version": 2, "change": "repayment_reported", "digest": bytes(range(1, 17)), "batch": "bluebird.two", "position": 0}
PAID |= {"outstanding": 96_000, "paid_principal": 24_000, "remaining_months": 29, "instalment": 4_100, "purpose": None}
REWRITTEN = {**PAID, "version": 3, "change": "status_changed", "digest": bytes(range(2, 18)), "batch": "bluebird.three"}
LATE = {**REWRITTEN, "version": 4, "change": "status_changed", "digest": bytes(range(3, 19)), "status": "late", "days_past_due": 12}
STORY = (FIRST, PAID, REWRITTEN, LATE)


def investment(number: int, version: int = 1, asset: str = "loan-7", investor: str = "ann", cents: int = 2_500) -> bytes:
    sell = f"bluebird/{asset}/{version}"
    return events.encode(
        events.Investment(
            investment=f"{sell}/{number}",
            sell_offer=sell,
            buy_offer=f"{investor}/steady/1/safe",
            originator="bluebird",
            asset=asset,
            version=version,
            investor=investor,
            portfolio="steady",
            bucket="safe",
            currency="USD",
            amount_cents=cents,
            price_bp=9_950,
            rate_ppm=140_700,
            risk_group="B",
        )
    )


def rejected(asset: str = "loan-7", reason: str = "is NaN, not a number") -> bytes:
    told = events.Rejected(
        batch="bluebird.one",
        originator="bluebird",
        asset=asset,
        position=7,
        field="rate",
        reason=reason,
        source="assets.ingest-0-1",
        document=b"12345",
    )
    return events.encode(told)


async def tell(store: Store) -> None:
    """Write the story, as the merger does."""
    other = {**FIRST, "asset_id": "loan-8"}
    await feed(store, VERSIONS, [message(topics.ASSESSED, assessed(*STORY, other), 6, 2)])
    told = events.BatchReceived(
        batch="bluebird.one", originator="bluebird", documents=3, bytes=4_000, digest="9599ddfd987d8d2fffb311b42fa402b6"
    )
    count = events.BatchProgress(batch="bluebird.three", originator="bluebird", counts={"status_changed": 2})
    for n, event in enumerate((told, count)):
        await feed(store, BATCHES, [message(topics.BATCHES, events.encode(event), n, timestamp_ms=SENT_MS)])
    letters = [rejected(), rejected("loan-8"), rejected(reason="is missing")]
    await feed(store, REJECTIONS, [message(topics.REJECTED, value, n, timestamp_ms=SENT_MS + n) for n, value in enumerate(letters)])
    made = [investment(n, investor=("ann", "bob")[n % 2]) for n in range(1, 13)]
    made += [investment(1, version=2, cents=50_000), investment(1, asset="loan-8")]
    ours = [message(topics.INVESTMENTS, value, n, timestamp_ms=SENT_MS + MINUTE_MS) for n, value in enumerate(made)]
    await feed(store, INVESTMENTS, ours)
