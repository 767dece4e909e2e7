"""From the documents to the investments: who has signed what a product needs sells and buys its assets, and nobody else."""

from datetime import date

import pytest
from msgspec.structs import replace

from schemas.agreements import Needed
from schemas.catalog import Investor
from schemas.events import Bucket, Portfolio, SellOffer, SellOfferWithdrawn, encode
from streams import topics
from tests.flow import Flow
from tests.loans import encoded, paid
from tests.rows import CATALOG

DAY = date(2026, 1, 15)
USD = replace(CATALOG.products["consumer-loan-usd"], agreements=Needed(originator=("servicing-2026",), investor=("risk-notice-2026",)))


def catalog(originators=("bluebird",), investors=("ann",)):
    """The shipped one, whose dollar loans need an agreement of each side, with those who have signed it."""
    listed = {name: replace(CATALOG.originators[name], agreements={"servicing-2026": DAY}) for name in originators}
    return replace(
        CATALOG,
        products={**CATALOG.products, USD.product: USD},
        originators={**CATALOG.originators, **listed},
        investors={name: Investor(name, agreements={"risk-notice-2026": DAY}) for name in investors},
    )


def place(flow, *investors, version=1, currency="USD"):
    for who in investors:
        portfolio = Portfolio("all", who, version, currency, 1_000_000, (Bucket("any", 100),), 50_000)
        flow.send(topics.PORTFOLIOS, encode(portfolio), who.encode())


@pytest.mark.parametrize("first", ["portfolios", "documents"])
def test_only_those_who_have_signed_sell_and_buy(first):
    flow = Flow(catalog())
    if first == "portfolios":
        place(flow, "ann", "ben", "cy")
    flow.deliver(encoded(), asset="LC1")
    flow.deliver(encoded("LC1", "harbor"), asset="LC1", originator="harbor")
    if first == "documents":
        place(flow, "ann", "ben", "cy")
    assert {(one.investor, one.originator) for one in flow.investments()} == {("ann", "bluebird")}
    (refused,) = flow.rejected()
    assert (refused.originator, refused.field) == ("harbor", "product")
    assert refused.reason == "'consumer-loan-usd' needs agreements that are not signed: servicing-2026"


def test_a_product_that_needs_none_is_sold_to_everybody():
    flow = Flow(catalog(originators=(), investors=()))
    place(flow, "ann", "ben", currency="EUR")
    flow.deliver(encoded(product="consumer-loan-eur", currency="EUR"), asset="LC1")
    assert sorted(one.investor for one in flow.investments()) == ["ann", "ben"]
    assert flow.rejected() == []


def test_what_was_sold_before_an_agreement_ended_is_still_reported_on_and_offered_no_more():
    flow = Flow(catalog())
    flow.deliver(encoded(), asset="LC1")
    flow.restart(catalog(originators=()))
    flow.deliver(encoded(paid=paid("1984.14", "1300.00")), encoded(status="recalled"), encoded("LC1"), asset="LC1")
    assert [row["change"] for row in flow.changed()] == ["created", "repayment_reported", "recalled", "returned"]
    assert (len(flow.records[topics.REPAYMENTS.name]), flow.rejected()) == (2, [])
    assert [type(one) for one in flow.offers()] == [SellOffer, SellOfferWithdrawn]


def test_an_investor_that_has_signed_buys_once_its_portfolio_is_placed_again():
    flow = Flow(catalog(investors=()))
    flow.deliver(encoded(), asset="LC1")
    place(flow, "ann")
    flow.restart(catalog())
    assert flow.investments() == []
    place(flow, "ann", version=2)
    assert [one.buy_offer for one in flow.investments()] == ["ann/all/2/any"]
