"""In every random history the two books agree, the rules hold, and the log alone decides."""

import random

import pytest
from histories import Market, buy, buy_withdrawn, histories, released, run, sell, sell_withdrawn
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import Asset as NaiveAsset
from naive import Buy as NaiveBuy
from naive import NaiveBook, fits

from agents.matcher.book import Book
from agents.matcher.draft import Draft
from schemas.events import BuyOffer, SellOffer


@settings(max_examples=300)
@given(histories(least=15))
def test_the_books_agree_after_every_input(history):
    real, naive = Market(), NaiveBook()
    for event in history:
        real.take(event)
        naive.take(event)
        assert real.summary() == naive.summary(), event
        assert real.proposals == naive.proposals


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
    for one in market.investments:
        assert fits(buys[one.buy_offer], sells[one.sell_offer]), "nothing is bid that does not match"
    assert len({one.investment for one in market.investments}) == len(market.investments)
    _, held_by, assets = market.summary()
    held: dict[str, int] = {}
    invested: dict[str, int] = {}
    for version, offer, _, _, bids, sold, refused in assets.values():
        assert not (offer is None and bids), "money is held only for what is on offer"
        for sums, some in ((held, bids), (invested, sold)):
            for name, _, cents, *_ in some:
                sums[name] = sums.get(name, 0) + cents
        if offer is not None:
            assert offer.version == version
            assert sum(cents for _, _, cents, *_ in bids + sold) < offer.amount_cents, "full is closed, and nothing is over 100 %"
        assert not {name for name, *_ in bids} & set(refused), "nobody bids again for the version that was refused it"
        for investor in {investor for _, investor, *_ in bids + sold}:
            most = max(buys[name].bid_cents_max for name, who, *_ in bids + sold if who == investor)
            assert sum(cents for _, who, cents, *_ in bids + sold if who == investor) <= most
    assert all(cents <= buys[name].amount_cents for name, cents in invested.items()), "no buy offer over its amount"
    for name, (open_cents, held_cents, invested_cents, *_) in held_by.items():
        assert open_cents >= 0
        assert open_cents + held_cents + invested_cents == buys[name].amount_cents, "conservation"
        assert (held_cents, invested_cents) == (held.get(name, 0), invested.get(name, 0))
    assert_maximal(held_by, assets, buys)


def assert_maximal(held_by, assets, buys):
    """No match is left undone: for no pair is there an amount that breaks no rule."""
    judge = NaiveBook()
    for row in assets.values():
        asset = judge.assets.setdefault(str(len(judge.assets)), NaiveAsset(*row))
        for name, (_, held_cents, invested_cents, placed, served) in held_by.items():
            assert judge.largest_bid(asset, NaiveBuy(buys[name], placed, served, held_cents, invested_cents)) == 0, (name, asset.offer)


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
    assert cut.proposals == single.proposals


@settings(max_examples=100)
@given(histories(), histories(most=10), st.randoms())
def test_a_book_built_from_rows_goes_on_like_the_one_that_wrote_them(history, after, order):
    lived, built = run(Market(), history), Market()
    built.rows = dict(lived.rows)
    rows = list(lived.rows.items())
    order.shuffle(rows)
    for row in rows:
        built.book.apply(dict([row]))
    start = len(lived.proposals)
    run(lived, after)
    run(built, after)
    assert built.rows == lived.rows
    assert built.proposals == lived.proposals[start:]


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
    assert market.proposals == other.proposals


def test_a_step_writes_only_the_rows_that_changed():
    market = run(Market(), [buy("ann"), buy("ben", countries=("EE",)), sell("a1", country="FI", risk_group="C")])
    draft = Draft(market.book)
    draft.take(sell("a2", amount=50))
    assert set(draft.rows()) == {b"s/harbor/a2", b"m"}
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
    assert len(market.book.buys.offers) + len(market.book.shelf._names) < 10
    assert not market.book.holding
    assert not market.book.buys.slots
    assert len(market.book.wants._entries) < 10


def test_a_foreign_row_is_refused():
    for row in ({b"x": b"1"}, {b"s/harbor/a1": None}):
        with pytest.raises(ValueError, match="matcher: "):
            Book().apply(row)


@pytest.mark.parametrize("seed", range(12))
def test_a_long_history_where_money_is_scarce_is_the_same_in_both_books(seed):
    chance = random.Random(seed)
    market, naive = Market(), NaiveBook()
    placed, offered, log = [], [], []
    for n in range(300):
        kind = chance.randrange(9)
        if kind < 2 or n < 20:
            most = chance.randrange(10, 30)
            groups = tuple(chance.sample("ABC", 2))
            placed.append(buy(f"i{n % 30}", f"b{n}", chance.choice([most, 2 * most, 70]), most, risk_groups=groups))
            log.append(placed[-1])
        elif kind == 2:
            log.append(buy_withdrawn(placed.pop(chance.randrange(len(placed)))))
        elif kind == 3 and offered:
            log.append(released(chance.choice(offered[-6:]), *range(1, chance.randrange(2, 9))))
        else:
            terms = {"risk_group": chance.choice("ABC"), "all_or_none": chance.random() < 0.6}
            offered.append(sell(f"a{chance.randrange(12)}", n, chance.randrange(30, 250), chance.choice([3, 8]), 20, **terms))
            log.append(offered[-1])
    while log:
        size = chance.choice([1, 1, 1, 8])
        market.step(log[:size])
        run(naive, log[:size])
        log = log[size:]
        assert market.summary() == naive.summary()
    assert market.proposals == naive.proposals
    assert len(naive.investments) > 100
