"""What an investment costs is told to the cent, and its parts always add up."""

from decimal import ROUND_HALF_UP, Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.asset import CENTS_MAX
from schemas.catalog import parse
from schemas.pricing import PAR, Pricing, faults, parts
from schemas.yamls import CatalogError
from tests.rows import CATALOG

amounts = st.integers(1, CENTS_MAX)
prices = st.integers(1, 20_000)


@given(amounts, prices, st.integers(0, 5_000), st.integers(0, 1_000_000))
def test_the_parts_are_each_rounded_half_a_cent_up_and_add_up(amount, price, fee, fixed):
    found = parts(amount, price, price + fee, fixed)
    cent = Decimal(1)
    assert found.originator == (Decimal(amount) * price / PAR).quantize(cent, ROUND_HALF_UP)
    assert found.buyer - fixed == (Decimal(amount) * (price + fee) / PAR).quantize(cent, ROUND_HALF_UP)
    assert found.originator + found.fee == found.buyer
    assert found.fee >= fixed


@pytest.mark.parametrize(
    ("amount", "price", "buyer", "expected"),
    [(2_500, 10_025, 10_050, (2_506, 2_513, 7)), (2_500, 9_950, 9_950, (2_488, 2_488, 0)), (50, 9_900, 10_100, (50, 51, 1))],
)
def test_half_a_cent_goes_up_for_both(amount, price, buyer, expected):
    assert parts(amount, price, buyer, 0) == expected


def test_a_buyer_never_pays_less_than_the_originator_gets():
    with pytest.raises(ValueError, match=r"the buyer's price, 9999 bp, is below the sell price, 10000 bp"):
        parts(100, 10_000, 9_999, 0)


LATE = {"from_days": 3, "price_bp": -100}
WRONG = [
    ({"late": [LATE, LATE]}, "pricing.late", "each from_days must be above the one before"),
    ({"late": [LATE, {"from_days": 4, "price_bp": -9_000}]}, r"pricing.late\[1\].price_bp", "leaves a group 0 bp"),
    ({"fee_bp": 5_000, "late": [{"from_days": 1, "price_bp": 8_000}]}, "pricing", "a buyer would pay 23050 bp; 20000 is the most"),
]


@pytest.mark.parametrize(("said", "field", "why"), WRONG)
def test_prices_out_of_bounds_are_told_with_their_field(said, field, why):
    pricing = msgspec.convert(said, Pricing)
    ((path, told),) = faults(pricing, [9_000, 10_050], [pricing.fee_bp] * 2)
    assert path == field.replace("\\", "")
    assert told.startswith(why)


def test_prices_that_are_right_have_no_fault():
    assert not list(faults(msgspec.convert({"fee_bp": 25, "late": [LATE]}, Pricing), [9_000, 10_050], [25, 0]))


def test_a_group_may_have_a_fee_of_its_own():
    usd = CATALOG.products["consumer-loan-usd"]
    own = msgspec.structs.replace(usd, groups=(msgspec.structs.replace(usd.groups[0], fee_bp=0), *usd.groups[1:]))
    assert own.fees_bp == (0, *[usd.pricing.fee_bp] * (len(usd.groups) - 1))


def test_investors_with_a_fee_of_their_own_are_listed_once():
    given = ({}, ("o.yaml", "[]"), ("EUR",))
    assert parse(*given, ("i.yaml", "- {investor: ann, fee_bp: 0}")).investors["ann"].fee_bp == 0
    for text, why in (
        ("- {investor: ann}\n- {investor: ann}", r"i.yaml:2: \[1\].investor: 'ann' is listed twice"),
        ("- {investor: ann, fee_bp: -1}", r"i.yaml:1: \[0\].fee_bp: "),
        ("- {investor: Ann}", r"i.yaml:1: \[0\].investor: "),
    ):
        with pytest.raises(CatalogError, match=why):
            parse(*given, ("i.yaml", text))
