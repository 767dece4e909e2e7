"""Invoices are traded, and nothing but their product file knows what an invoice is."""

from pathlib import Path

import pytest

from agents.merger.agent import sinks
from schemas import events
from streams import queries, topics
from streams.trace import difference
from tests import loans
from tests.database import feed, message
from tests.flow import Flow
from tests.invoices import catalog, day, encoded, invoice, money
from tests.wanted import wants

CATALOG = catalog()
VERSIONS = sinks(CATALOG)[0]
ROOT = Path(__file__).parents[2]


def portfolio(**criteria):
    bucket = events.Bucket("invoices", 100, wants(**criteria))
    return events.encode(events.Portfolio("short", "anna", 1, "EUR", 1_000_000, (bucket,), 500_000))


@pytest.fixture
def flow():
    return Flow(CATALOG)


def test_an_invoice_goes_in_and_an_investment_comes_out(flow):
    flow.send(topics.PORTFOLIOS, portfolio(risk_groups=("A",), countries=("DE",), rate_ppm_min=80_000, remaining_months_max=2), b"anna")
    flow.deliver(encoded())
    (row,) = flow.assessed()
    assert (row["principal"], row["rate"], row["country"], row["sale"], row["term_months"]) == (120_000, 80_000, "DE", "all_or_none", 2)
    # 1,200.00 at 8 % for two months is 16.00 of interest, all of it paid with the principal on the day it is due
    assert (row["instalment_cents"], row["last_instalment_cents"], row["interest_cents"], row["remaining_months"]) == (0, 121_600, 1_600, 2)
    assert (row["score"], row["risk_group"], row["price_bp"]) == (50 + 20 + 20 + 10, "A", 9_950)
    (investment,) = flow.investments()
    assert (investment.asset, investment.investor, investment.amount_cents, investment.rate_ppm) == ("INV1", "anna", 120_000, 80_000)
    assert flow.rejected() == []


def test_what_has_no_place_in_the_market_is_kept_in_the_words_of_the_document(flow):
    flow.deliver(encoded(delivered=day("2026-10-30"), recourse=money("0.25"), confirmed_at=day("2026-11-04T08:31:00.250")))
    assert flow.changed()[0]["attributes"] == (
        '{"number":"2026/1187","debtor.name":"Sägewerk \\"Nord\\"","debtor.rating":2,"debtor.limit":"25000.00","industry":"transport",'
        '"recourse":"0.25","delivered":"2026-10-30","confirmed_at":"2026-11-04T08:31:00.250000Z","due":"2027-01-02"}'
    )


PAID = {"open": money("900.00"), "settled": money("300.00")}


@pytest.mark.parametrize(
    ("changed", "change", "event"),
    [
        ({"number": "2026/1187a"}, "terms_changed", events.SellOffer),
        ({"debtor": {**invoice()["debtor"], "rating": 9}}, "terms_changed", events.SellOffer),
        ({"due": day("2027-01-03")}, "terms_changed", events.SellOffer),  # the second month had begun
        ({"due": day("2027-03-02")}, "extended", events.SellOffer),
        (PAID, "repayment_reported", events.SellOffer),
        ({"days_late": 4, "state": "late"}, "status_changed", events.SellOfferWithdrawn),
        ({"open": money("0"), "settled": money("1200.00"), "state": "repaid"}, "repaid", events.SellOfferWithdrawn),
        ({"state": "recalled"}, "recalled", events.SellOfferWithdrawn),
        ({"state": "defaulted"}, "defaulted", events.SellOfferWithdrawn),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_change_is_found_and_its_offer_follows(flow, changed, change, event):
    flow.deliver(encoded())
    flow.deliver(encoded(), encoded(**changed), encoded(**changed))
    assert [row["change"] for row in flow.changed()] == ["created", change]
    first, second = flow.offers()
    assert (type(first), type(second), second.version) == (events.SellOffer, event, 2)


def test_what_was_paid_is_reported(flow):
    flow.deliver(encoded(), encoded(**PAID))
    (value,) = flow.records[topics.REPAYMENTS.name]
    repayment = events.decode_repayment(value)
    assert (repayment.principal_cents, repayment.interest_cents, repayment.outstanding_cents) == (30_000, 0, 90_000)


@pytest.mark.parametrize(
    ("changed", "field", "reason"),
    [
        ({"amount": 1200.0}, "amount", "must be a Decimal128, is double"),
        ({"amount": money("99.99")}, "amount", "is 99.99, must be between 100.00 and 1000000.00"),
        ({"open": ...}, "open", "is missing"),
        ({"debtor": {"name": "x"}}, "debtor.country", "is missing"),
        ({"debtor": "x"}, "debtor", "must be a document, is string"),
        ({"number": "x" * 41}, "number", "is 41 bytes long, must be between 1 and 40"),
        ({"industry": "mining"}, "industry", "must be one of building, retail, transport"),
        ({"state": "open"}, "state", "must be one of current, late, defaulted, repaid, recalled"),
        ({"money": "USD"}, "money", "must be EUR for product 'invoice-eur'"),
        ({"due": day("2026-11-03")}, "due", "must be after invoiced"),
        ({"due": day("2080-01-01")}, "due", "is over 600 months after invoiced"),
        ({"due": day("2027-01-02T10:00")}, "due", "must be a day: midnight UTC, without a time"),
        ({"product": "invoice-usd"}, "product", "'invoice-usd' is not known"),
        ({"product": ...}, "product", "is missing"),
        ({"product": 7}, "product", "must be a string, is int32"),
    ],
)
def test_a_bad_invoice_is_refused_in_its_own_words_and_its_neighbours_are_accepted(flow, changed, field, reason):
    flow.deliver(encoded(**changed), encoded(days_late=0), loans.encoded("INV1", currency="GBP"))
    mine, other = flow.rejected()
    assert (mine.asset, mine.field, mine.reason, mine.document) == ("INV1", field, reason, encoded(**changed))
    assert (other.field, other.reason) == ("currency", "must be USD for product 'consumer-loan-usd'")
    assert [row["version"] for row in flow.changed()] == [1]


def test_loans_and_invoices_of_one_book_keep_their_order_and_loans_are_what_they_were(flow):
    documents = [loans.encoded("INV1", days_past_due=n) if n % 3 else encoded(days_late=n) for n in range(40)]
    flow.deliver(*documents)
    rows = flow.changed()
    assert [row["days_past_due"] for row in rows] == list(range(40))
    assert [row["attributes"] is None for row in rows] == [n % 3 > 0 for n in range(40)]
    assert [row["instalment_cents"] > 0 for row in flow.assessed()] == [n % 3 > 0 for n in range(40)], "each by its product's amortisation"


async def test_a_version_is_stored_and_told_with_its_attributes(store):
    flow = Flow(CATALOG)
    flow.deliver(encoded(), encoded(industry=..., number="1188", delivered=day("2026-10-30")), loans.encoded("INV1"))
    values = [message(topics.ASSESSED, value, n) for n, value in enumerate(flow.records[topics.ASSESSED.name])]
    await feed(store, VERSIONS, values)
    pool = await store.pool()
    debtors = await pool.fetch("SELECT attributes->>'debtor.name' AS name FROM asset_versions ORDER BY version")
    assert [row["name"] for row in debtors] == ['Sägewerk "Nord"', 'Sägewerk "Nord"', None]
    rows = await queries.versions(pool, "bluebird", "INV1")
    assert [row["attributes"] for row in rows] == [row["attributes"] for row in flow.assessed()]
    first, second, loan = difference.told(rows, None, {})
    assert first["document"] | {"principal": "1200.00", "debtor.limit": "25000.00", "due": "2027-01-02"} == first["document"]
    assert second["differences"] == [
        {"field": "number", "before": "2026/1187", "after": "1188"},
        {"field": "delivered", "before": None, "after": "2026-10-30"},
        {"field": "industry", "before": "transport", "after": None},
    ]
    assert difference.payments(first["assessment"]) == "one payment of 1216.00, 2 months at most"
    assert "number" not in loan["document"]
    assert {"field": "number", "before": "1188", "after": None} in loan["differences"]


def test_no_code_knows_what_an_invoice_is():
    code = [path for folder in ("agents", "schemas", "streams") for path in (ROOT / folder).rglob("*.py")]
    assert len(code) > 100
    assert [path for path in code if "invoice" in path.read_text().lower()] == []
