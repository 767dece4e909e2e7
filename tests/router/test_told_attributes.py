"""What a sell offer says of its asset for criteria."""

import json

import msgspec
from router_rows import assessed

from agents.router.attributes import Told
from agents.router.routing import Router
from schemas.columns import by_product
from tests.invoices import catalog
from tests.rows import CATALOG

PRODUCTS = catalog().products


def told(*rows):
    batch = assessed(*rows)
    products, places = by_product(batch, PRODUCTS)
    found = Told(batch, [tuple(product.attributes.values()) for product in products], places)
    return [found.of(place) for place in range(len(rows))]


def test_what_an_asset_does_not_say_is_left_out():
    plain, full = told({}, {"purpose": "car", "borrower_income": 5_000_000, "expected_return_ppm": -20_000})
    assert full.items() - plain.items() == {("purpose", "car"), ("borrower_income", 5_000_000), ("expected_return", -20_000)}
    assert plain.keys() - full.keys() == set()


def test_what_a_kind_says_besides_is_in_its_units_and_not_what_it_says_of_another_kind():
    said = {
        "number": "7", "debtor.name": "x" * 200, "debtor.rating": 2, "debtor.limit": "25000.00", "recourse": "0.5",
        "delivered": "2026-11-02", "industry": 3, "confirmed_at": "2026-11-02T10:00:00Z",
    }  # fmt: skip
    (one,) = told({"product": "invoice-eur", "product_version": 1, "currency": "EUR", "attributes": json.dumps(said)})
    own = {name: value for name, value in one.items() if name not in told({})[0]}
    assert own == {
        "number": "7", "debtor_name": "x" * 200, "debtor_rating": 2, "debtor_limit": 2_500_000, "recourse": 500_000, "delivered": 20_759,
    }  # fmt: skip


def test_rows_of_several_products_say_each_what_theirs_lets_investors_use():
    loan, invoice = told({}, {"product": "invoice-eur", "product_version": 1, "currency": "EUR", "attributes": '{"number": "7"}'})
    assert "number" not in loan
    assert "purpose" not in invoice
    assert invoice["number"] == "7"


def test_a_sell_offer_has_only_what_the_file_of_its_product_lists_and_days_past_due():
    products = {name: msgspec.structs.replace(one, criteria=("rate", "country")) for name, one in CATALOG.products.items()}
    events = Router(msgspec.structs.replace(CATALOG, products=products)).route(assessed({}), {}, {})
    assert events[1][0].attributes == {"rate": 140_700, "country": "US", "days_past_due": 0}
