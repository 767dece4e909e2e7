from datetime import date

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from router_rows import assessed

from agents.router.offers import Standing, unpack
from agents.router.routing import Router, UnknownMarketError
from schemas.agreements import Needed
from schemas.catalog import Originator
from schemas.events import SellOffer, SellOfferWithdrawn
from schemas.product import UnknownProductError
from schemas.published import Products, encode
from streams.effects import Table
from tests.rows import CATALOG

ROUTER = Router(CATALOG)
EUR, USD, GBP = range(3)
DAY = date(2026, 1, 15)
KEY = b"bluebird/L1"
OPEN = {KEY: Standing(is_open=True, market=USD, version=1).pack()}
EUROS = {"currency": "EUR", "product": "consumer-loan-eur"}


def route(table, *rows):
    """Events of all markets, and the changed table rows, of rows in one batch."""
    changes = {}
    return ROUTER.route(assessed(*rows), table, changes), {key: unpack(row) for key, row in changes.items()}


def test_the_first_version_of_an_asset_for_sale_is_placed_with_all_that_a_bid_depends_on():
    events, changes = route({}, {"sale": "all_or_none", "days_past_due": 3, "status": "late"})
    offer = SellOffer(
        offer="bluebird/L1/1", originator="bluebird", asset="L1", version=1, product="consumer-loan-usd", currency="USD", country="US",
        amount_cents=2_700_000, price_bp=9_950, rate_ppm=140_700, remaining_months=34, days_past_due=3, risk_group="E", all_or_none=True,
        bid_cents_min=2_500, bid_cents_max=100_000, buyer_price_bp=9_975, product_version=2,
        attributes={
            "originator": "bluebird", "product": "consumer-loan-usd", "status": "late", "country": "US", "sale": "all_or_none",
            "issued": 17_600, "term_months": 36, "rate": 140_700, "principal": 2_800_000, "outstanding": 2_700_000, "days_past_due": 3,
            "risk_group": "E", "remaining_months": 34, "score": 107, "price": 995_000, "buyer_price": 997_500, "expected_loss": 30_000,
        },
    )  # fmt: skip
    assert events == [[], [offer], []]
    assert changes == {KEY: Standing(is_open=True, market=USD, version=1)}


def test_a_newer_version_of_an_open_offer_updates_it():
    events, changes = route(OPEN, {"version": 2, "outstanding": 100})
    assert [(one.offer, one.amount_cents, one.updated) for one in events[USD]] == [("bluebird/L1/2", 100, True)]
    assert changes[KEY].version == 2


@pytest.mark.parametrize(
    "why",
    [
        {"status": "defaulted"},
        {"status": "repaid"},
        {"status": "recalled"},
        {"outstanding": 0},
        {"remaining_months": 0},
        {"days_past_due": 16},
    ],
    ids=str,
)
def test_a_version_that_is_not_for_sale_withdraws_an_open_offer_and_places_none(why):
    events, changes = route(OPEN, {"version": 2, "change": "status_changed", **why})
    assert events == [[], [SellOfferWithdrawn("bluebird/L1/2", "bluebird", "L1", 2, "status_changed")], []]
    assert changes == {KEY: Standing(is_open=False, market=USD, version=2)}
    assert route({}, why) == ([[], [], []], {})


@pytest.mark.parametrize("still", [{"status": "late"}, {"days_past_due": 15}, {"outstanding": 1}, {"remaining_months": 1}], ids=str)
def test_at_the_edge_of_what_is_for_sale_it_is_offered(still):
    assert len(route({}, still)[0][USD]) == 1


def test_an_asset_is_as_late_as_its_own_product_allows():
    products = {name: msgspec.structs.replace(one, days_past_due_max=5 * (name[-3:] == "eur")) for name, one in CATALOG.products.items()}
    strict = Router(msgspec.structs.replace(CATALOG, products=products))
    rows = [{"asset_id": str(n), "days_past_due": n // 2, **(EUROS if n % 2 else {})} for n in range(14)]
    events = strict.route(assessed(*rows), {}, {})
    assert ([one.days_past_due for one in events[EUR]], [one.days_past_due for one in events[USD]]) == ([0, 1, 2, 3, 4, 5], [0])


NEEDS = Needed(originator=("servicing-2026",), investor=("risk-notice-2026", "k-y-c"))


@pytest.mark.parametrize(("agreements", "offers"), [({}, 0), ({"other": DAY}, 0), ({"servicing-2026": DAY}, 1)], ids=str)
def test_an_asset_is_offered_if_its_originator_has_signed_what_its_product_needs(agreements, offers):
    usd = replace(CATALOG.products["consumer-loan-usd"], agreements=NEEDS)
    listed = {**CATALOG.originators, "bluebird": Originator("bluebird", "B", agreements=agreements)}
    router = Router(replace(CATALOG, products={**CATALOG.products, usd.product: usd}, originators=listed))
    rows = [{}, {"asset_id": "L2", **EUROS}, {"originator_id": "harbor"}, {"originator_id": "gone"}]
    events = router.route(assessed(*rows), {}, {})
    assert [[(one.offer, one.agreements) for one in market] for market in events[:2]] == [
        [("bluebird/L2/1", ())],
        [("bluebird/L1/1", ("risk-notice-2026", "k-y-c"))] * offers,
    ]
    changes = {}
    events = router.route(assessed({"version": 2, "change": "repayment_reported"}), OPEN, changes)
    assert [type(one) for one in events[USD]] == [SellOffer if offers else SellOfferWithdrawn], (
        "what is on offer ends with its next version"
    )
    assert unpack(changes[KEY]).is_open == bool(offers)


def test_an_offer_after_a_withdrawal_is_a_first_one_again():
    events, _ = route(OPEN, {"version": 2, "status": "recalled", "change": "recalled"}, {"version": 3})
    assert [type(one) for one in events[USD]] == [SellOfferWithdrawn, SellOffer]
    assert not events[USD][1].updated


def test_a_change_of_currency_moves_the_offer_to_the_other_market():
    events, changes = route(OPEN, {"version": 2, "change": "terms_changed", **EUROS})
    assert events[USD] == [SellOfferWithdrawn("bluebird/L1/2", "bluebird", "L1", 2, "terms_changed")]
    assert [(one.offer, one.currency, one.updated) for one in events[EUR]] == [("bluebird/L1/2", "EUR", False)]
    assert changes[KEY] == Standing(is_open=True, market=EUR, version=2)


def test_a_withdrawal_goes_to_the_market_that_has_the_offer():
    events, _ = route(OPEN, {"version": 2, "status": "repaid", **EUROS})
    assert [len(market) for market in events] == [0, 1, 0]


def test_duplicates_do_nothing():
    assert route(OPEN, {}, {"status": "recalled"}) == ([[], [], []], {})


def test_assets_with_the_same_id_of_two_originators_are_two():
    events, changes = route(OPEN, {"originator_id": "harbor"})
    assert not events[USD][0].updated
    assert list(changes) == [b"harbor/L1"]


def test_an_asset_is_offered_as_the_version_of_its_product_says_that_it_was_taken_by():
    usd = CATALOG.products["consumer-loan-usd"]
    products = Products({usd.product: usd})
    router = Router(msgspec.structs.replace(CATALOG, products=products))
    stricter = msgspec.structs.replace(usd, version=usd.version + 1, days_past_due_max=0, bid_cents_max=usd.bid_cents_max - 1)
    products.take(1, 0, usd.product.encode(), encode(stricter), CATALOG.markets)
    rows = [{"asset_id": str(n), "product_version": usd.version + n % 2, "days_past_due": n // 2} for n in range(4)]
    events = router.route(assessed(*rows), {}, {})[USD]
    assert [(one.asset, usd.bid_cents_max - one.bid_cents_max) for one in events] == [("0", 0), ("1", 1), ("2", 0)]


@pytest.mark.parametrize("by", [{"product": "car-lease"}, {"product_version": 9}], ids=str)
def test_a_version_of_a_product_that_is_not_known_is_named_with_the_asset(by):
    with pytest.raises(UnknownProductError, match=r"bluebird/L2, version 4: version \d of product '[\w-]+' is not on the topic"):
        route({}, {}, {**by, "asset_id": "L2", "version": 4})


def test_a_currency_without_market_is_named_with_the_asset():
    with pytest.raises(UnknownMarketError, match="bluebird/L2/4: 'CHF' is no market; markets are EUR, USD, GBP"):
        route({}, {"asset_id": "L2", "version": 4, "currency": "CHF"})


def test_no_rows_do_nothing():
    assert route({}) == ([[], [], []], {})


def naive(histories):
    """The book after all versions, in the plainest way: the newest version's offer if it is for sale."""
    newest = {}
    for row in histories:
        if row["version"] > newest.get(row["asset_id"], row)["version"] or row["asset_id"] not in newest:
            newest[row["asset_id"]] = row
    return {asset: (row["version"], row["currency"]) for asset, row in newest.items() if row["status"] == "current"}


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(("current", "recalled")), st.booleans()), max_size=30),
    st.lists(st.integers(1, 6)),
    st.booleans(),
)
def test_the_markets_hold_what_is_for_sale_however_the_versions_are_cut_into_steps(steps, cuts, twice):
    versions: dict[str, int] = {}
    rows = []
    for asset, status, euros in steps:
        versions[asset] = versions.get(asset, 0) + 1
        rows.append({"asset_id": asset, "version": versions[asset], "status": status, "currency": "USD", **(EUROS if euros else {})})
    books: list[dict] = [{}, {}, {}]
    table = Table()
    left = rows * 2 if twice else rows
    while left:
        size = cuts.pop() if cuts else 30
        changes: dict = {}
        for part in (left[: size // 2], left[size // 2 : size]):
            for book, events in zip(books, ROUTER.route(assessed(*part), table, changes), strict=True):
                for event in events:
                    follow(book, event)
        table.apply(changes)
        left = left[size:]
    held = {asset: (version, CATALOG.markets[place]) for place, book in enumerate(books) for asset, version in book.items()}
    assert held == naive(rows)


def follow(book, event):
    """A subscriber's book: strict about what may follow what."""
    if isinstance(event, SellOfferWithdrawn):
        assert event.version > book.pop(event.asset)
    else:
        assert event.updated == (event.asset in book)
        assert event.version > book.get(event.asset, 0)
        book[event.asset] = event.version
