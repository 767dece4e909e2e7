"""Who meets whom, and for how much: both books keep the rules of `agents/matcher/rules.py`."""

import pytest
from histories import buy, buy_withdrawn, made, run, sell, sell_withdrawn


def test_a_sell_offer_meets_the_buy_offers_that_are_there(book):
    run(book, [buy("ann"), buy("ben"), sell(amount=100)])
    assert made(book) == [("harbor/a1/1/1", "ann/p/1/b1", 50), ("harbor/a1/1/2", "ben/p/1/b1", 50)]


def test_a_buy_offer_meets_the_sell_offers_that_are_there(book):
    run(book, [sell("a1"), sell("a2"), buy("ann", amount=90)])
    assert made(book) == [("harbor/a1/1/1", "ann/p/1/b1", 50), ("harbor/a2/1/1", "ann/p/1/b1", 40)]


@pytest.mark.parametrize(
    "criteria",
    [
        {"rate_ppm_min": 100_001},
        {"rate_ppm_max": 99_999},
        {"remaining_months_max": 23},
        {"risk_groups": ("B",)},
        {"countries": ("EE", "FI")},
        {"originators": ("prairie",)},
        {"risk_groups": ("A",), "countries": ("EE",)},
    ],
)
def test_a_criterion_that_does_not_take_the_asset_keeps_it_out(book, criteria):
    run(book, [buy(**criteria), sell(), buy("ben", **criteria)])
    assert not book.investments


@pytest.mark.parametrize(
    "criteria",
    [
        {"rate_ppm_min": 100_000, "rate_ppm_max": 100_000},
        {"remaining_months_max": 24},
        {"risk_groups": ("B", "A")},
        {"originators": ("harbor",)},
    ],
)
def test_the_bounds_of_criteria_are_included(book, criteria):
    run(book, [buy(**criteria), sell(), buy("ben", **criteria)])
    assert len(book.investments) == 2


@pytest.mark.parametrize(
    ("needed", "signed", "sales"),
    [
        ((), (), 2),
        ((), ("x",), 2),
        (("x",), ("x",), 2),
        (("x", "y"), ("z", "y", "x"), 2),
        (("x",), (), 0),
        (("x", "y"), ("x",), 0),
        (("x",), ("y", "z"), 0),
    ],
)
def test_who_has_not_all_agreements_of_an_asset_does_not_buy_it(book, needed, signed, sales):
    run(book, [buy(agreements=signed), sell(agreements=needed), buy("ben", agreements=signed)])
    assert [one.investor for one in book.investments] == ["ann", "ben"][:sales]


def test_an_investor_that_signs_later_buys_by_the_next_version_of_its_portfolio(book):
    first = buy()
    run(book, [first, sell(agreements=("x",)), buy_withdrawn(first), buy(version=2, agreements=("x",))])
    assert [one.buy_offer for one in book.investments] == ["ann/p/2/b1"]


def test_many_sets_of_agreements_are_told_apart(book):
    run(book, [sell(f"a{n}", agreements=(f"x{n}",), amount=50) for n in range(100)])
    run(book, [buy(f"i{n}", amount=50, agreements=(f"x{n}", "more")) for n in range(0, 100, 2)])
    run(book, [buy(f"i{n}", amount=50, agreements=(f"x{n}",)) for n in range(1, 100, 2)])
    assert sorted((one.asset[1:], one.investor[1:]) for one in book.investments) == sorted((f"{n}", f"{n}") for n in range(100))


def test_days_past_due_are_compared(book):
    run(book, [buy(days_past_due_max=5), sell("a1", days_past_due=5), sell("a2", days_past_due=6)])
    assert [one.asset for one in book.investments] == ["a1"]


def test_more_values_than_a_mask_has_bits_are_told_apart(book):
    groups = [f"G{n}" for n in range(150)]
    run(book, [buy("any", amount=50 * 150), *(buy(f"i{group}", risk_groups=(group,)) for group in groups)])
    run(book, [buy(f"j{group}", risk_groups=(group,)) for group in groups])  # now that all values have their bits
    run(book, [sell(f"a{n}", amount=150, risk_group=group) for n, group in enumerate(groups)])
    assert len(book.investments) == 450
    assert all(one.investor in {"any", f"i{one.risk_group}", f"j{one.risk_group}"} for one in book.investments)


def test_a_value_beyond_the_masks_is_taken_only_by_who_takes_all(book):
    run(book, [sell(f"a{n}", risk_group=f"G{n}") for n in range(100)])
    run(book, [sell_withdrawn(f"a{n}") for n in range(100)])
    run(book, [buy("ann", risk_groups=("G0", "G1")), buy("ben"), sell("a99", 3, risk_group="G99")])
    assert [one.investor for one in book.investments] == ["ben"]


def test_the_most_filled_asset_comes_first_then_the_oldest(book):
    run(book, [buy("ann", amount=30), sell("a1", amount=300, high=30)])  # a tenth is sold
    run(book, [sell("a2", amount=300), sell("a3", amount=300), buy("ben", amount=70, most=30)])
    assert [(one.asset, one.amount_cents) for one in book.investments[1:]] == [("a1", 30), ("a2", 30), ("a3", 10)]


def test_an_update_keeps_the_place_of_an_asset_and_a_withdrawal_ends_it(book):
    run(book, [sell("a1"), sell("a2"), sell("a3"), sell("a1", 2), sell_withdrawn("a2", 2), sell("a2", 3), buy("ann", amount=150)])
    assert [one.asset for one in book.investments] == ["a1", "a3", "a2"]


def test_the_least_recently_served_comes_first(book):
    run(book, [buy("ann"), buy("ben"), buy("cy"), *(sell(f"a{n}", amount=50) for n in range(6))])
    assert [one.investor for one in book.investments] == ["ann", "ben", "cy"] * 2


def test_placing_again_goes_behind_those_who_wait(book):
    first = buy("ann", version=1)
    run(book, [first, buy("ben"), buy_withdrawn(first), buy("ann", version=2), sell(amount=50)])
    assert [one.investor for one in book.investments] == ["ben"]


def test_who_comes_late_is_reached_past_many_who_may_not_bid_any_more(book):
    run(book, [*(buy("ann", f"b{n}") for n in range(400)), buy("ben"), sell(amount=100)])
    assert [one.investor for one in book.investments] == ["ann", "ben"]


def test_ties_are_broken_by_the_digest_of_both_offers(book):
    investors = [f"i{n}" for n in range(8)]
    run(book, [*(buy(name, most=10) for name in investors), sell("a0", amount=80)])  # all are served by one input
    orders = set()
    for n in range(1, 6):
        start = len(book.investments)
        run(book, [sell(f"a{n}", amount=80)])
        orders.add(tuple(one.investor for one in book.investments[start:]))
    assert len(orders) == 5
    assert all(sorted(order) == investors for order in orders)


@pytest.mark.parametrize(
    ("amount", "low", "high", "most", "bids"),
    [
        (100, 10, 50, 50, [50, 50]),
        (105, 10, 50, 50, [50, 45, 10]),  # the second gives way, so that the rest can be sold
        (15, 10, 50, 50, [15]),
        (5, 10, 50, 50, [5]),  # less than a smallest bid was there from the start
        (16, 10, 12, 50, [16]),  # the sell offer's own limits would leave a rest that nobody may take
        (16, 10, 12, 12, []),  # the buy offers' limits hold, the rest stays on offer
        (120, 30, 50, 50, [50, 40, 30]),
    ],
)
def test_a_bid_leaves_nothing_or_what_can_still_be_sold(book, amount, low, high, most, bids):
    run(book, [*(buy(f"i{n}", most=most) for n in range(9)), sell(amount=amount, low=low, high=high)])
    assert [one.amount_cents for one in book.investments] == bids


def test_an_investor_does_not_exceed_its_limit_through_several_buckets(book):
    run(book, [buy("ann", "b1", most=20), buy("ann", "b2", most=50), buy("ann", "b3", most=50), sell(amount=200)])
    assert [one.amount_cents for one in book.investments] == [20, 30]


def test_an_investor_does_not_exceed_its_limit_through_later_versions(book):
    old = buy("ann", amount=40, most=40)
    run(book, [old, sell(amount=200), buy_withdrawn(old), buy("ann", version=2, most=50), sell(version=2, amount=200)])
    assert [one.amount_cents for one in book.investments] == [40, 10]


def test_a_buy_offer_bids_once_for_an_asset(book):
    run(book, [buy("ann", most=80), sell(amount=200, high=40), sell(version=2, amount=200, high=40)])
    assert [one.amount_cents for one in book.investments] == [40]
