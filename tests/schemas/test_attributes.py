"""What products let investors use in their criteria."""

import json

import pytest

from schemas.asset import Kind
from schemas.attributes import ASSET
from schemas.catalog import attributes_of, parse
from schemas.yamls import CatalogError
from tests.invoices import catalog

GOOD = {
    "product": "p", "version": 1, "currency": "USD", "amortisation": {"kind": "annuity", "rounding": "up"}, "days_past_due_max": 15,
    "bid_cents_min": 1, "bid_cents_max": 2, "scorecard": [{"column": "rate", "missing": 0, "bands": [{"points": 1}]}],
    "groups": [{"name": "A", "from_score": 0}],
}  # fmt: skip
LINE = len(json.dumps(GOOD, indent=1).splitlines())  # where one more field is
DOCUMENT = [
    {"path": "open", "as": "outstanding"}, {"path": "begun", "as": "issued"}, {"path": "late", "as": "days_past_due"},
    *({"value": value, "as": place} for place, value in {
        "status": "current", "currency": "USD", "country": "US", "sale": "partial", "term_months": 12, "rate": 80_000, "principal": 100_000,
        "paid.principal": 0, "paid.interest": 0, "paid.fees": 0,
    }.items()),
]  # fmt: skip


def parsed(*products):
    files = {f"{n}.yaml": json.dumps({**GOOD, "product": f"p{n}", **one}, indent=1) for n, one in enumerate(products)}
    return parse(files, ("originators.yaml", "[{originator: o, name: O}, {originator: n, name: N}]"), ("EUR", "USD"))


def kind(*lines):
    return {"document": [*DOCUMENT, *lines]}


def test_without_a_list_a_loan_has_all_attributes_of_assets():
    assert list(parsed({}).products["p0"].attributes) == [one.name for one in ASSET]


def test_a_list_is_what_investors_may_use_and_days_past_due():
    assert list(parsed({"criteria": ["rate", "country"]}).products["p0"].attributes) == ["rate", "country", "days_past_due"]
    assert list(parsed({"criteria": []}).products["p0"].attributes) == ["days_past_due"]


@pytest.mark.parametrize(
    ("names", "place", "message"),
    [
        (["rate", "zzz"], 2, r"0.yaml:\d+: criteria\[1\]: 'zzz': there is no such attribute; there are borrower_debt_ratio, "),
        (
            ["remaining_month"],
            1,
            r"0.yaml:\d+: criteria\[0\]: 'remaining_month': there is no such attribute; did you mean remaining_months",
        ),
        (["asset_id"], 1, r"0.yaml:\d+: criteria\[0\]: 'asset_id': there is no such attribute"),
        (["rate", "country", "rate"], 3, r"0.yaml:\d+: criteria\[2\]: 'rate' is there twice"),
        ("rate", 0, r"0.yaml:\d+: criteria: "),
    ],
)
def test_a_wrong_list_is_told_with_file_line_and_field(names, place, message):
    with pytest.raises(CatalogError, match=message.replace(r"\d+", str(LINE + place))):
        parsed({"criteria": names})


def test_another_kind_has_what_it_has_a_value_for_and_its_own():
    own = [
        {"path": "car.colour", "kind": "text", "choices": ["red", "blue"]},
        {"path": "car.value", "kind": "money"},
        {"path": "seen", "kind": "moment"},
        {"path": "story", "kind": "text", "length": 300},
        {"path": "score", "kind": "text"},
    ]
    found = parsed(kind(*own)).products["p0"].attributes
    assert found.keys() - {one.name for one in ASSET} == {"car_colour", "car_value"}
    assert {"purpose", "grade", "borrower_income"}.isdisjoint(found), "it has no field for them"
    assert {"rate", "outstanding", "remaining_months", "risk_group"} <= found.keys()
    assert (found["car_colour"].values, found["car_value"].kind, found["score"].kind) == (("red", "blue"), Kind.MONEY, Kind.WHOLE)


def test_a_market_has_the_attributes_of_all_its_products():
    one, other, euros = (
        kind({"path": "colour", "choices": ["red"], "kind": "text"}),
        {
            **kind({"path": "colour", "choices": ["blue"], "kind": "text"}, {"path": "km", "kind": "whole"}),
            "groups": [{"name": "Z", "from_score": 0}],
        },
        {"currency": "EUR"},
    )
    found = parsed(one, other, euros)
    market = attributes_of("USD", found.products.values(), found.originators)
    assert market["colour"].values == ("red", "blue")
    assert market["risk_group"].values == ("A", "Z")
    assert market["product"].values == ("p0", "p1")
    assert market["originator"].values == ("n", "o")
    assert "km" in market
    assert "purpose" not in market
    assert "purpose" in attributes_of("EUR", found.products.values(), found.originators)
    assert attributes_of("GBP", found.products.values(), found.originators) == {}


def test_a_text_that_one_product_leaves_open_is_open():
    found = parsed(kind({"path": "colour", "choices": ["red"], "kind": "text"}), kind({"path": "colour", "kind": "text"}))
    assert attributes_of("USD", found.products.values(), ())["colour"].values == ()


def test_an_attribute_of_two_types_in_one_market_is_refused_unless_one_product_does_not_list_it():
    whole, text = kind({"path": "km", "kind": "whole"}), kind({"path": "km", "kind": "text"})
    with pytest.raises(CatalogError, match=r"1.yaml:\d+: document: km: is a whole in p0; leave it out of the criteria of one, or "):
        parsed(whole, text)
    with pytest.raises(CatalogError, match=r"1.yaml:\d+: criteria\[1\]: km: is a whole in p0"):
        parsed(whole, {**text, "criteria": ["rate", "km"]})
    assert parsed(whole, {**text, "criteria": ["rate"]})
    assert parsed(
        whole,
        {
            **text,
            "document": [{**line, "value": "EUR"} if line.get("value") == "USD" else line for line in text["document"]],
            "currency": "EUR",
        },
    )


def test_invoices_beside_loans_are_a_market():
    found = catalog()
    market = attributes_of("EUR", found.products.values(), found.originators)
    assert {"number", "debtor_name", "debtor_rating", "recourse", "delivered", "due", "purpose", "risk_group"} <= market.keys()
    assert "confirmed_at" not in market
