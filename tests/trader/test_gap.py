import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.trader import gap
from schemas.criteria import Criteria, Predicate
from schemas.events import Bucket, BuyOffer, BuyOfferWithdrawn, Portfolio
from tests.wanted import wants

MARKETS = ("EUR", "USD", "GBP")
SAFE = wants(risk_groups=("A",))


def portfolio(version=1, size=10_000, shares=(60, 40), **rest):
    buckets = tuple(Bucket(f"b{n}", share, SAFE) for n, share in enumerate(shares))
    return Portfolio("p", "ann", version, rest.pop("currency", "EUR"), size, buckets, 500, **rest)


@st.composite
def percents(draw):
    cuts = sorted(draw(st.lists(st.integers(0, 100), max_size=20)))
    return [high - low for low, high in zip([0, *cuts], [*cuts, 100], strict=True)]


@given(st.integers(0, 10**14), percents())
def test_shares_add_up_to_the_cent_and_are_less_than_a_cent_off(amount, found):
    parts = gap.shares(amount, found)
    assert sum(parts) == amount
    assert all(abs(part * 100 - amount * percent) < 100 for part, percent in zip(parts, found, strict=True))


def test_the_largest_remainder_gets_the_odd_cent():
    assert gap.shares(101, [33, 33, 34]) == [33, 33, 35]
    assert gap.shares(100, [50, 50]) == [50, 50]
    assert gap.shares(101, [50, 50]) == [51, 50]


def test_a_first_version_places_a_buy_offer_for_each_bucket():
    ((market, found),) = gap.plan(portfolio(), None).events
    assert market == "EUR"
    assert found == [
        BuyOffer("ann/p/1/b0", "ann", "p", 1, "b0", "EUR", 6_000, 500, SAFE),
        BuyOffer("ann/p/1/b1", "ann", "p", 1, "b1", "EUR", 4_000, 500, SAFE),
    ]


def test_a_newer_version_withdraws_before_it_places():
    ((_, found),) = gap.plan(portfolio(2, shares=(100,)), gap.plan(portfolio(), None).row).events
    assert found[:2] == [BuyOfferWithdrawn("ann/p/1/b0", "ann"), BuyOfferWithdrawn("ann/p/1/b1", "ann")]
    assert [offer.offer for offer in found[2:]] == ["ann/p/2/b0"]


def test_a_version_in_another_currency_withdraws_from_the_old_market():
    (old, gone), (new, placed) = gap.plan(portfolio(2, currency="USD"), gap.plan(portfolio(), None).row).events
    assert (old, {type(event) for event in gone}) == ("EUR", {BuyOfferWithdrawn})
    assert (new, {type(event) for event in placed}) == ("USD", {BuyOffer})


@pytest.mark.parametrize("version", [1, 2])
def test_a_stale_or_repeated_version_changes_nothing(version):
    assert gap.plan(portfolio(version), gap.plan(portfolio(2), None).row) is None


def test_a_closed_portfolio_only_withdraws_and_can_open_again():
    closed = gap.plan(portfolio(2, closed=True), gap.plan(portfolio(), None).row)
    ((_, gone),) = closed.events
    assert gone == [BuyOfferWithdrawn("ann/p/1/b0", "ann", "closed"), BuyOfferWithdrawn("ann/p/1/b1", "ann", "closed")]
    assert gap.plan(portfolio(2), closed.row) is None
    ((_, placed),) = gap.plan(portfolio(3), closed.row).events
    assert len(placed) == 2


def test_a_paused_portfolio_withdraws_and_a_newer_version_goes_on():
    paused = gap.plan(portfolio(2, paused=True), gap.plan(portfolio(), None).row)
    ((_, gone),) = paused.events
    assert gone == [BuyOfferWithdrawn("ann/p/1/b0", "ann", "paused"), BuyOfferWithdrawn("ann/p/1/b1", "ann", "paused")]
    assert gap.plan(portfolio(3, paused=True), paused.row).events == (), "nothing is left to withdraw"
    ((_, placed),) = gap.plan(portfolio(3), paused.row).events
    assert placed == gap.buy_offers(portfolio(3))


def test_a_paused_portfolio_must_be_one_that_can_go_on():
    assert gap.fault(portfolio(paused=True), MARKETS) == ""
    assert gap.fault(portfolio(paused=True, shares=(60, 50)), MARKETS).startswith("buckets: the shares add up to 110")


def test_a_portfolio_that_begins_closed_has_no_events_but_a_row():
    plan = gap.plan(portfolio(4, closed=True), None)
    assert plan.events == ()
    assert gap.plan(portfolio(3), plan.row) is None


def test_limits_are_in_the_criteria_of_every_bucket_and_told_beside_them():
    buckets = (Bucket("all", 50), Bucket("steep", 50, wants(rate_ppm_min=90_000, days_past_due_max=30)))
    limited = msgspec.structs.replace(portfolio(rate_ppm_min=60_000, term_months_max=36, days_past_due_max=5), buckets=buckets)
    limits = (Predicate("days_past_due", high=5), Predicate("rate", low=60_000), Predicate("term_months", high=36))
    steeper = (limits[0], Predicate("rate", low=90_000), limits[2])
    assert [(one.criteria, one.limits) for one in gap.buy_offers(limited)] == [
        (Criteria((limits,)), limits),
        (Criteria((steeper,)), limits),
    ]
    assert [one.limits for one in gap.buy_offers(portfolio())] == [(), ()]


def test_the_same_criteria_by_limits_or_by_buckets_are_equal():
    ((_, by_limit),) = gap.plan(portfolio(rate_ppm_min=60_000, days_past_due_max=0), None).events
    same = (Bucket("b0", 60, wants(risk_groups=("A",), rate_ppm_min=60_000)),)
    by_bucket = gap.buy_offers(msgspec.structs.replace(portfolio(), buckets=same))
    assert by_limit[0].criteria == by_bucket[0].criteria


def test_criteria_that_are_too_much_work_within_the_limits_are_a_fault():
    texts = [tuple(f"{n:02}{m:02}" for m in range(15)) for n in range(64)]
    wide = Criteria(tuple((Predicate("a", values), Predicate("rate", low=n)) for n, values in enumerate(texts)))
    wide = msgspec.structs.replace(portfolio(), buckets=(Bucket("wide", 100, wide),))
    assert gap.fault(wide, MARKETS) == ""
    limited = msgspec.structs.replace(wide, term_months_max=36)
    assert gap.fault(limited, MARKETS).startswith("buckets: wide: criteria: the criteria are too complex")


def test_a_sound_portfolio_has_no_fault():
    assert gap.fault(portfolio(), MARKETS) == ""


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"currency": "JPY"}, "currency: 'JPY'"),
        ({"version": 0}, "version: 0"),
        ({"size_cents": 0}, "size_cents: 0"),
        ({"size_cents": 10**14 + 1}, "size_cents: "),
        ({"bid_cents_max": 0}, "bid_cents_max: 0"),
        ({"buckets": ()}, "buckets: the shares add up to 0"),
        ({"buckets": (Bucket("a", 120), Bucket("b", -20))}, "buckets: the shares add up to 100; must be 100, none below 0"),
        ({"buckets": (Bucket("a", 50), Bucket("a", 50))}, "buckets: two have the same name"),
        ({"buckets": tuple(Bucket(f"b{n}", int(n < 100)) for n in range(101))}, "buckets: 101; at most 50"),
        ({"buckets": (Bucket("a/b", 100),)}, "investor, portfolio and buckets' names: "),
        ({"investor": ""}, "investor, portfolio"),
        ({"rate_ppm_min": -1}, "rate_ppm_min: -1; must be 0 or more"),
        ({"term_months_max": 2**62}, "term_months_max: "),
        ({"days_past_due_max": 2**70}, "days_past_due_max: "),
        ({"portfolio": "x\0"}, "investor, portfolio"),
        ({"portfolio": "x" * 65}, "investor, portfolio"),
    ],
)
def test_a_portfolio_that_cannot_be_traded_is_named_with_its_field(changes, named):
    assert gap.fault(msgspec.structs.replace(portfolio(), **changes), MARKETS).startswith(named)
