"""Both books, the real one and the naive one, keep the rules of `agents/matcher/rules.py` and agree in every random history."""

import random

import pytest
from histories import Market, buy, buy_withdrawn, histories, run, sell, sell_withdrawn
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import Asset as NaiveAsset
from naive import Buy as NaiveBuy
from naive import NaiveBook, fits

from agents.matcher import rules
from agents.matcher.book import Book
from agents.matcher.draft import Draft
from schemas.events import BuyOffer, SellOffer


@pytest.fixture(params=[Market, NaiveBook])
def book(request):
    return request.param()


def made(book):
    return [(one.investment, one.buy_offer, one.amount_cents) for one in book.investments]


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


def test_an_all_or_none_asset_is_invested_in_only_when_all_of_it_is_bid(book):
    run(book, [buy("ann"), sell(all_or_none=True)])
    assert not book.investments
    assert book.summary()[1]["ann/p/1/b1"][:3] == (950, 50, 0)
    run(book, [buy("ben")])
    assert made(book) == [("harbor/a1/1/1", "ann/p/1/b1", 50), ("harbor/a1/1/2", "ben/p/1/b1", 50)]
    assert book.summary()[1]["ann/p/1/b1"][:3] == (950, 0, 50)


def test_held_money_is_not_bid_twice(book):
    run(book, [buy("ann", amount=50), sell("a1", all_or_none=True), sell("a2")])
    assert not book.investments


def test_a_withdrawn_sell_offer_gives_held_money_back_to_what_waits(book):
    run(book, [buy("ann", amount=50), sell("a1", all_or_none=True), sell("a2"), sell_withdrawn("a1")])
    assert made(book) == [("harbor/a2/1/1", "ann/p/1/b1", 50)]


def test_money_given_back_lets_a_buy_offer_take_what_it_could_not_quite_afford(book):
    run(book, [buy("ann", amount=97), sell("a1", all_or_none=True), sell("a2", amount=49, low=25)])  # 47 are open
    assert not book.investments
    run(book, [sell_withdrawn("a1")])
    assert made(book) == [("harbor/a2/1/1", "ann/p/1/b1", 49)]


def test_a_newer_version_is_matched_for_its_amount_less_what_was_sold(book):
    run(book, [buy("ann"), sell(amount=90), sell(version=2, amount=80), buy("ben", amount=20), buy("cy")])
    assert made(book) == [("harbor/a1/1/1", "ann/p/1/b1", 50), ("harbor/a1/2/1", "ben/p/1/b1", 20), ("harbor/a1/2/2", "cy/p/1/b1", 10)]


def test_a_newer_version_below_what_was_sold_is_not_on_offer(book):
    run(book, [buy("ann"), sell(amount=90), sell(version=2, amount=40), buy("ben")])
    assert len(book.investments) == 1
    run(book, [sell(version=3, amount=70)])
    assert made(book)[1:] == [("harbor/a1/3/1", "ben/p/1/b1", 20)]


def test_a_newer_version_releases_the_held_bids_of_the_older_one(book):
    run(book, [buy("ann"), sell(all_or_none=True), sell(version=2, amount=50, all_or_none=True)])
    assert made(book) == [("harbor/a1/2/1", "ann/p/1/b1", 50)]


@pytest.mark.parametrize("stale", [sell(version=3, amount=90), sell(version=2), sell_withdrawn(version=3), sell_withdrawn(version=1)])
def test_a_version_that_is_not_newer_changes_nothing(book, stale):
    run(book, [buy("ann"), sell(version=3, all_or_none=True)])
    before = book.summary()
    run(book, [stale])
    assert book.summary()[1:] == before[1:]


def test_an_offer_older_than_a_withdrawal_does_not_come_back(book):
    run(book, [sell_withdrawn(version=4), sell(version=3), buy("ann")])
    assert not book.investments


def test_a_withdrawn_buy_offer_takes_its_held_bids_with_it(book):
    gone = buy("ann")
    run(book, [gone, buy("ben"), sell(amount=150, all_or_none=True), buy_withdrawn(gone), buy("cy")])
    assert not book.investments
    run(book, [buy("dee")])
    assert [one.investor for one in book.investments] == ["ben", "cy", "dee"]


def test_a_bid_taken_out_makes_room_for_one_that_waits(book):
    gone = buy("ann", most=65)
    run(book, [gone, sell(all_or_none=True, low=30, high=100), buy("ben", most=34)])
    assert book.summary()[1]["ben/p/1/b1"][1] == 0  # 35 are left, and less than 30 may not remain
    run(book, [buy_withdrawn(gone)])
    assert book.summary()[1]["ben/p/1/b1"][1] == 34


@pytest.mark.parametrize(("fuller", "other"), [("a1", "a2"), ("a2", "a1")])
def test_of_several_assets_that_lose_bids_the_most_filled_is_matched_first(book, fuller, other):
    gone = buy("ann", most=65)
    assets = [sell(other, all_or_none=True, low=30, high=100), sell(fuller, amount=200, all_or_none=True, low=30, high=100, risk_group="B")]
    run(book, [gone, *assets, buy("cy", most=95, risk_groups=("B",)), buy("ben", amount=34, most=34), buy_withdrawn(gone)])
    assert [name for name, *_ in book.summary()[2][f"harbor/{fuller}"][4]] == ["cy/p/1/b1", "ben/p/1/b1"]


def test_a_withdrawn_buy_offer_never_bids_again(book):
    gone = buy("ann")
    run(book, [gone, buy_withdrawn(gone), gone, sell()])
    assert not book.investments


def test_an_older_withdrawal_does_not_let_a_newer_version_come_back(book):
    old, new = buy("ann", version=1), buy("ann", version=2)
    run(book, [old, new, buy_withdrawn(new), buy_withdrawn(old), new, sell()])
    assert not book.investments


def test_nobody_withdraws_the_offer_of_somebody_else(book):
    offer = buy("ann")
    run(book, [offer, buy_withdrawn(offer).__class__(offer.offer, "mallory"), sell(amount=50)])
    assert [one.investor for one in book.investments] == ["ann"]


def test_a_repeated_buy_offer_is_taken_once(book):
    run(book, [buy("ann", amount=50), buy("ann", amount=5000), sell("a1"), sell("a2")])
    assert made(book) == [("harbor/a1/1/1", "ann/p/1/b1", 50)]


def test_an_asset_takes_only_so_many_bids_as_fit_into_its_row(monkeypatch, book):
    monkeypatch.setattr(rules, "BIDS_MAX", 3)
    run(book, [*(buy(f"i{n}") for n in range(5)), sell(amount=500)])
    assert len(book.investments) == 3


@settings(max_examples=300)
@given(histories(least=15))
def test_the_books_agree_after_every_input(history):
    real, naive = Market(), NaiveBook()
    for event in history:
        real.take(event)
        naive.take(event)
        assert real.summary() == naive.summary(), event
        assert real.investments == naive.investments


@settings(max_examples=150)
@given(histories())
def test_the_rules_hold_after_every_input(history):
    market = Market()
    sells: dict[str, SellOffer] = {}
    buys: dict[str, BuyOffer] = {}
    for event in history:
        market.take(event)
        if isinstance(event, SellOffer):
            sells.setdefault(event.offer, event)
        elif isinstance(event, BuyOffer):
            buys.setdefault(event.offer, event)
        assert_sound(market, sells, buys)


def assert_sound(market, sells, buys):
    invested: dict[str, int] = {}
    for one in market.investments:
        invested[one.buy_offer] = invested.get(one.buy_offer, 0) + one.amount_cents
        assert fits(buys[one.buy_offer].criteria, sells[one.sell_offer]), "nothing is bid that does not match"
    assert all(cents <= buys[name].amount_cents for name, cents in invested.items()), "no buy offer over its amount"
    assert len({one.investment for one in market.investments}) == len(market.investments)
    _, held_by, assets = market.summary()
    held: dict[str, int] = {}
    for version, offer, _, _, bids, sold in assets.values():
        assert not (offer is None and bids), "money is held only for what is on offer"
        for name, _, cents in bids:
            held[name] = held.get(name, 0) + cents
        if offer is not None:
            assert offer.version == version
            assert sum(cents for _, _, cents in bids + sold) < offer.amount_cents, "full is closed, and nothing is over 100 %"
        for investor in {investor for _, investor, _ in bids + sold}:
            most = max(buys[name].bid_cents_max for name, who, _ in bids + sold if who == investor)
            assert sum(cents for _, who, cents in bids + sold if who == investor) <= most
    for name, (open_cents, held_cents, invested_cents, *_) in held_by.items():
        assert open_cents >= 0
        assert open_cents + held_cents + invested_cents == buys[name].amount_cents, "conservation"
        assert (held_cents, invested_cents) == (held.get(name, 0), invested.get(name, 0))
    assert_maximal(held_by, assets, buys)


def assert_maximal(held_by, assets, buys):
    """No match is left undone: for no pair is there an amount that breaks no rule."""
    judge = NaiveBook()
    for version, offer, since, count, held, sold in assets.values():
        asset = judge.assets.setdefault(str(len(judge.assets)), NaiveAsset(version, offer, since, count, held, sold))
        for name, (_, held_cents, invested_cents, placed, served) in held_by.items():
            assert judge.largest_bid(asset, NaiveBuy(buys[name], placed, served, held_cents, invested_cents)) == 0, (name, offer)


@settings(max_examples=150)
@given(histories(least=15), st.data())
def test_the_same_log_gives_the_same_rows_however_it_is_cut_into_steps(history, data):
    single, cut = run(Market(), history), Market()
    rest = history
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        cut.step(rest[:size])
        rest = rest[size:]
    assert cut.rows == single.rows
    assert cut.investments == single.investments


@settings(max_examples=100)
@given(histories(), histories(most=10), st.randoms())
def test_a_book_built_from_rows_goes_on_like_the_one_that_wrote_them(history, after, order):
    lived, built = run(Market(), history), Market()
    built.rows = dict(lived.rows)
    rows = list(lived.rows.items())
    order.shuffle(rows)
    for row in rows:
        built.book.apply(dict([row]))
    start = len(lived.investments)
    run(lived, after)
    run(built, after)
    assert built.rows == lived.rows
    assert built.investments == lived.investments[start:]


@settings(max_examples=100)
@given(histories(), histories(most=10))
def test_a_draft_that_is_thrown_away_leaves_no_trace(history, lost):
    market, other = run(Market(), history), run(Market(), history)
    draft = Draft(market.book)
    for event in lost:
        draft.take(event)
    draft.rows()
    run(market, history[::-1] + lost)
    run(other, history[::-1] + lost)
    assert market.rows == other.rows
    assert market.investments == other.investments


def test_a_step_writes_only_the_rows_that_changed():
    market = run(Market(), [buy("ann"), buy("ben", countries=("EE",)), sell("a1", country="FI", risk_group="C")])
    draft = Draft(market.book)
    draft.take(sell("a2", amount=50))
    assert set(draft.rows()) == {b"b/ann/p/1/b1", b"s/harbor/a2", b"m"}
    assert Draft(market.book).rows() == {}


def test_a_step_that_only_looks_at_an_asset_does_not_write_it():
    market = run(Market(), [buy("ann"), sell("a1", amount=200)])
    draft = Draft(market.book)
    draft.take(buy("ann", "b2"))
    draft.take(sell("a1"))
    assert set(draft.rows()) == {b"b/ann/p/1/b2", b"m"}


def test_what_is_closed_makes_room_for_what_comes():
    market = Market()
    for n in range(300):
        offer = buy(f"i{n}", amount=30)
        run(
            market,
            [
                offer,
                sell("a", n * 2 + 1, all_or_none=True),
                sell_withdrawn("a", n * 2 + 2),
                sell(f"b{n}", risk_group="Z"),
                buy_withdrawn(offer),
            ],
        )
        run(market, [sell_withdrawn(f"b{n}")])
    assert market.book.buy_side.columns.slots + market.book.sell_side.columns.slots < 10
    assert not market.book.holding
    assert not market.book.buys


def test_a_foreign_row_is_refused():
    for row in ({b"x": b"1"}, {b"s/harbor/a1": None}):
        with pytest.raises(ValueError, match="matcher: "):
            Book().apply(row)


@pytest.mark.parametrize("seed", range(12))
def test_a_long_history_where_money_is_scarce_is_the_same_in_both_books(seed):
    chance = random.Random(seed)
    market, naive = Market(), NaiveBook()
    placed, log = [], []
    for n in range(300):
        kind = chance.randrange(8)
        if kind < 2 or n < 20:
            most = chance.randrange(10, 30)
            groups = tuple(chance.sample("ABC", 2))
            placed.append(buy(f"i{n % 30}", f"b{n}", chance.choice([most, 2 * most, 70]), most, risk_groups=groups))
            log.append(placed[-1])
        elif kind == 2:
            log.append(buy_withdrawn(placed.pop(chance.randrange(len(placed)))))
        else:
            terms = {"risk_group": chance.choice("ABC"), "all_or_none": chance.random() < 0.6}
            log.append(sell(f"a{chance.randrange(12)}", n, chance.randrange(30, 250), chance.choice([3, 8]), 20, **terms))
    while log:
        size = chance.choice([1, 1, 1, 8])
        market.step(log[:size])
        run(naive, log[:size])
        log = log[size:]
        assert market.summary() == naive.summary()
    assert market.investments == naive.investments
    assert len(naive.investments) > 100
