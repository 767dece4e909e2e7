"""Each reason with its numbers, of the asset and counted of all; what a portfolio is that was withdrawn."""

import msgspec
import pytest
from histories import Market, buy, buy_withdrawn, released, run, sell, sell_withdrawn
from judge import asked, counted

from agents.matcher import rows, rules, why
from agents.matcher.book import Book
from agents.matcher.draft import Draft
from agents.matcher.reasons import (
    Beyond,
    Full,
    Held,
    Limit,
    Money,
    NotOnOffer,
    Rest,
    Sold,
    SoldOut,
    TakenBack,
    Unfit,
    Unknown,
    Unmet,
    Unsigned,
)
from schemas.criteria import Criteria, Predicate


def reason(market, portfolio="ann/p", asset="harbor/a1", bucket="b1"):
    (found,) = (one.why for one in asked(market, portfolio, asset).buckets if one.bucket.bucket == bucket)
    return found


def test_a_bid_is_told_as_held_as_sold_and_as_taken_back():
    market = run(Market(), [buy("ann"), sell(amount=60, all_or_none=True)])
    assert reason(market) == Held(50)
    run(market, [buy("ben", amount=10)])
    assert reason(market) == Sold(50, 1, 1)
    run(market, [released(sell(amount=60, all_or_none=True), 1)])
    assert reason(market) == TakenBack(1)
    assert reason(market, "ben/p") == Sold(10, 1, 2)


def test_what_is_not_on_offer_is_told_apart():
    market = run(Market(), [buy("ann", amount=100, risk_groups=("B",)), buy("ben"), sell(amount=50), buy("cy")])
    assert reason(market, asset="harbor/a2") == Unknown()
    assert reason(market) == SoldOut(1, 50, 1, 1, last=3, placed=1)
    assert reason(market, "cy/p") == SoldOut(1, 50, 1, 1, last=3, placed=4)
    run(market, [sell_withdrawn(version=2)])
    assert reason(market) == NotOnOffer(2, 50)
    run(market, [sell(version=3, amount=50)])
    assert reason(market) == NotOnOffer(3, 50)


def test_the_conjunction_that_fails_in_the_fewest_is_told_with_what_the_asset_has():
    others = [(Predicate("country", ("EE",)), Predicate("rate", low=200_000), Predicate("term", low=1))]
    market = run(Market(), [sell(), buy("ann", countries=("FI",), rate_ppm_min=150_000, others=others)])
    assert reason(market) == Unfit((Unmet(Predicate("country", ("FI",)), "DE"), Unmet(Predicate("rate", low=150_000), 100_000)))
    assert counted(market).buckets[0].unfit == {("criteria", "country"): 1}


def test_a_limit_of_the_portfolio_is_told_and_not_the_criteria_that_ask_more_wherever_it_decides():
    limits = (Predicate("days_past_due", high=5), Predicate("rate", low=60_000))
    wish = buy("ann", rate_ppm_min=80_000, countries=("FI",), limits=limits)
    market = run(Market(), [sell(rate_ppm=50_000), sell("a2", rate_ppm=70_000), sell("a3", missing=("rate",)), wish])
    for asset, has in (("harbor/a1", 50_000), ("harbor/a3", None)):
        assert reason(market, asset=asset) == Beyond((Unmet(limits[1], has),))
    fails = (Unmet(Predicate("country", ("FI",)), "DE"), Unmet(Predicate("rate", low=80_000), 70_000))
    assert reason(market, asset="harbor/a2") == Unfit(fails)
    assert counted(market).buckets[0].unfit == {("portfolio_limit", "rate"): 2, ("criteria", "country"): 1}
    built = Market()
    built.book.apply(market.rows)
    assert asked(built) == asked(market)


def test_criteria_that_take_nothing_and_agreements_that_are_lacking_are_told():
    nothing = msgspec.structs.replace(buy("ann"), criteria=Criteria(()))
    market = run(Market(), [sell(agreements=("loan", "mezzanine")), sell("a2"), nothing, buy("ben", agreements=("loan",))])
    assert reason(market, asset="harbor/a2") == Unfit(())
    assert reason(market, "ben/p") == Unsigned(("mezzanine",))
    assert counted(market, "ben/p").buckets[0].unfit == {("agreements", "mezzanine"): 1}


def test_limit_money_and_a_rest_are_told_apart():
    market = run(Market(), [sell(amount=200, low=30, high=50), buy("ann", "b1", most=50), buy("ann", "b2", most=60)])
    assert reason(market, bucket="b2") == Limit(60, 50, 30)
    run(market, [buy("ben", amount=20), buy("cy", amount=100, most=50), buy("dee", most=60)])
    assert reason(market, "ben/p") == Money(20, 30)
    run(market, [buy("eve", amount=40)])
    assert [name for name, *_ in market.summary()[2]["harbor/a1"][5]] == ["ann/p/1/b1", "cy/p/1/b1", "dee/p/1/b1"]
    assert reason(market, "eve/p") == Rest(50, 40, 3, 3)


def test_an_asset_with_as_many_bids_as_it_may_have_is_full(monkeypatch):
    monkeypatch.setattr(rules, "BIDS_MAX", 2)
    market = run(Market(), [sell(amount=200), buy("ann"), buy("ben"), buy("cy")])
    assert reason(market, "cy/p") == Full(2)


def test_only_the_newest_version_is_told_of_and_one_that_was_withdrawn_has_no_buckets():
    first, second = buy("ann", "b1"), buy("ann", "b2", version=2)
    market = run(Market(), [first, second])
    assert [one.bucket.bucket for one in asked(market).buckets] == ["b2"]
    run(market, [buy_withdrawn(second), buy_withdrawn(first)])
    assert (asked(market).version, asked(market).buckets) == (2, ())
    assert (counted(market).version, counted(market).buckets) == (2, ())
    assert asked(market, "ann/q") is counted_or_none(market, "ann/q") is asked(market, "nobody/p") is None


@pytest.mark.parametrize("reason", ["paused", "closed", ""])
def test_a_withdrawn_portfolio_says_whether_it_was_paused_or_closed_also_from_rows_until_it_goes_on(reason):
    first, second = buy("ann", "b1"), buy("ann", "b2")
    market, built = run(Market(), [first, second, buy_withdrawn(first), buy_withdrawn(second, reason)]), Market()
    built.book.apply(market.rows)
    for one in (market, built):
        assert (asked(one).state, counted(one).state) == (reason or "withdrawn",) * 2
        run(one, [buy("ann", version=2)])
        assert (asked(one).state, counted(one).state) == ("open", "open")


def test_an_older_version_that_is_withdrawn_later_says_nothing_of_the_newer_one():
    first, second = buy("ann"), buy("ann", version=2)
    market = run(Market(), [first, second, buy_withdrawn(second, "paused"), buy_withdrawn(first, "closed")])
    assert (asked(market).version, asked(market).state) == (2, "paused")


def counted_or_none(market, portfolio):
    return why.of_portfolio(market.book, portfolio)


def test_a_match_that_was_left_undone_would_be_told():
    book = Book()
    book.apply({b"b/ann/p/1/b1": rows.encode(rows.bought(buy("ann"), 1)), b"s/harbor/a1": rows.encode(rows.Asset(1, sell(), 2))})
    assert book.settle()
    (one,) = why.of_asset(book, "ann/p", "harbor/a1").buckets
    assert one.why == why.Possible(50)


def test_a_book_is_not_settled_while_a_step_works_in_it_and_built_from_rows_it_is():
    lived = run(Market(), [sell("a2"), buy("ann")])
    draft = Draft(lived.book)
    draft.take(sell())
    assert not lived.book.settle()
    lived.book.apply(draft.rows())
    lived.rows |= draft.changed
    built = Market()
    built.book.apply(lived.rows)
    assert lived.book.settle()
    assert asked(built) == asked(lived)
    assert reason(built) == Sold(50, 1, 1)


def test_the_counts_are_of_one_moment_and_come_in_slices(monkeypatch):
    monkeypatch.setattr(why, "SLICE", 1)
    market = run(Market(), [*(sell(f"a{n}", risk_group="AB"[n % 2]) for n in range(6)), buy("ann", amount=60, risk_groups=("A",))])
    slices = why.of_portfolio(market.book, "ann/p")
    seen = [next(slices).looked_at]
    run(market, [sell_withdrawn(f"a{n}") for n in range(6)])
    *rest, last = ((one.looked_at, one.buckets[0]) for one in slices)
    assert [*seen, *(looked_at for looked_at, _ in rest), last[0]] == [1, 2, 3, 4, 5, 6, 6]
    assert (last[1].unfit, last[1].decided) == ({("criteria", "risk_group"): 3}, {"sold": 2, "money": 1})


def test_more_assets_than_are_looked_at_are_said_to_be_cut(monkeypatch):
    monkeypatch.setattr(why, "ASSETS_MAX", 2)
    found = counted(run(Market(), [sell("a1"), sell("a2"), sell("a3"), buy("ann", countries=("FI",))]))
    assert (found.on_offer, found.looked_at, found.cut) == (3, 2, True)
    assert found.buckets[0].unfit == {("criteria", "country"): 2}
