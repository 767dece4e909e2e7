from collections import Counter

import msgspec
import numpy as np
import pytest
from histories import buy, sell
from hypothesis import given
from hypothesis import strategies as st

from agents.matcher import meeting, rules
from schemas.asset import CENTS_MAX
from schemas.criteria import Predicate

bid_cents, tie = meeting.bid_cents.py_func, meeting.tie.py_func
CENTS = st.integers(1, 200)


@given(CENTS, CENTS, CENTS, st.integers(0, 300))
def test_a_bid_is_the_largest_that_leaves_nothing_or_what_can_be_sold(left, smallest, more, affordable):
    largest = smallest + more
    bids = [cents for cents in range(smallest, min(left, largest, affordable) + 1) if left - cents == 0 or left - cents >= smallest]
    if affordable >= left and left < 2 * smallest:
        bids.append(left)
    assert bid_cents(left, smallest, largest, affordable) == max(bids, default=0)


@given(CENTS, CENTS, CENTS, st.integers(0, 300), st.integers(0, 300))
def test_what_was_impossible_stays_impossible_after_somebody_elses_bid(left, smallest, more, affordable, other):
    taken = bid_cents(left, smallest, smallest + more, other)
    if taken and not bid_cents(left, smallest, smallest + more, affordable):
        assert not bid_cents(left - taken, smallest, smallest + more, affordable) or taken == left


@given(CENTS, CENTS, CENTS, st.integers(0, 300))
def test_the_least_bid_is_the_least_that_somebody_must_afford(left, smallest, more, affordable):
    can = bid_cents(left, smallest, smallest + more, affordable) > 0
    assert can == (affordable >= rules.least_cents(left, smallest))


def test_ties_favour_nobody():
    digests = np.array([rules.digest(f"inv-{n}/p/1/b") for n in range(10)], np.uint64)
    firsts = Counter(int(np.argmin(tie(digests, np.uint64(rules.digest(f"harbor/loan-{n}/1"))))) for n in range(5_000))
    assert min(firsts.values()) > 400, "each of ten comes first about 500 times"
    assert max(firsts.values()) < 600


def test_ties_are_the_published_function():
    assert rules.digest("ann/p/1/b1") == int.from_bytes(bytes.fromhex("28e8461850915f68"), "little")


def test_a_sound_offer_has_no_fault():
    assert rules.fault(sell(), "EUR") == ""
    assert rules.fault(sell(amount=0), "EUR") == ""
    assert rules.fault(buy(amount=CENTS_MAX, most=CENTS_MAX, risk_groups=("A",)), "EUR") == ""
    assert rules.fault(buy(agreements=("x" * 256,) * 50), "EUR") == rules.fault(sell(agreements=("x" * 256,) * 50), "EUR") == ""


@pytest.mark.parametrize(
    ("offer", "named"),
    [
        (sell(currency="USD"), "currency: 'USD'"),
        (sell(amount=-1), "amount_cents: -1"),
        (sell(amount=CENTS_MAX + 1), "amount_cents: "),
        (sell(rate_ppm=2**70), "rate_ppm: "),
        (sell(version=0), "version: 0"),
        (sell(low=0), "bid_cents_min: 0"),
        (sell(low=51), "bid_cents_min: exceeds"),
        (sell(risk_group="x" * 257), "risk_group: longer"),
        (buy(most=0), "bid_cents_max: 0"),
        (buy(investor="é" * 129), "offer: longer"),
        (buy(investor="\1" * 43), "offer: longer"),
        (msgspec.structs.replace(buy(), investor="ben"), "offer: is not investor/portfolio/version/bucket"),
        (buy(rate_ppm_max=2**63), "criteria: 'rate': the bounds"),
        (buy(countries=("DE", "x" * 257)), "criteria: 'country': a value longer"),
        (buy(originators=tuple(map(str, range(1001)))), "criteria: more than 1000"),
        (msgspec.structs.replace(sell(), attributes={"rate": 2**62}), "attributes.rate: "),
        (msgspec.structs.replace(sell(), attributes={str(n): "\1" * 200 for n in range(60)}), "attributes: 72471 bytes"),
        (msgspec.structs.replace(buy(), currency="GBP"), "currency: 'GBP'"),
        (sell(agreements=tuple(map(str, range(51)))), "agreements: more than 50"),
        (buy(agreements=tuple(map(str, range(51)))), "agreements: more than 50"),
        (sell(agreements=("a", "x" * 257)), "agreements: a value longer than 256"),
        (buy(agreements=("\1" * 43,)), "agreements: a value longer than 256"),
        (msgspec.structs.replace(buy(), limits=(Predicate("rate", low=2**63),)), "limits: 'rate': the bounds"),
    ],
)
def test_an_offer_that_a_book_cannot_take_is_named_with_its_field(offer, named):
    assert rules.fault(offer, "EUR").startswith(named)
