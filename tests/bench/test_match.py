"""What `match` compares is the same work, and its figures are what its last line says."""

import msgspec
import pytest

from schemas.criteria import takes
from tests.bench import market, match, matching
from tests.matcher.naive import Buy, NaiveBook

CRITERIA = 200


def test_the_market_is_the_same_each_time_and_its_criteria_are_all_different():
    assert market.criteria(CRITERIA) == market.criteria(CRITERIA)
    assert len(set(market.criteria(CRITERIA))) == CRITERIA
    assert market.sell_offers(9, CRITERIA)[:5] == market.sell_offers(5, CRITERIA)
    offers = [offer.offer for offer in market.buy_offers(market.criteria(CRITERIA))]
    assert len(set(offers)) == market.CRITERIA_EACH * CRITERIA


def test_a_large_market_has_as_many_criteria_for_a_sell_offer_as_a_small_one():
    found = []
    for size in (2_000, 6_000):
        wanted, offers = market.criteria(size), market.sell_offers(30, size)
        found.append(sum(takes(one, offer.attributes) for one in wanted for offer in offers) / len(offers))
    assert 10 < min(found) < max(found) < 100


def test_the_books_that_are_measured_make_the_same_bids():
    ours, naive = matching.Market(), NaiveBook()
    for chunk in matching.table(CRITERIA, 50):
        ours.book.apply(chunk)
    for n, offer in enumerate(market.buy_offers(market.criteria(CRITERIA)), 1):
        naive.buys[offer.offer] = Buy(offer, n, n)
    naive.now = ours.book.inputs
    some = [msgspec.structs.replace(offer, amount_cents=20_000) for offer in market.sell_offers(20, CRITERIA)]
    for offer in some:
        ours.step([offer])
        naive.take(offer)
    assert ours.bids == len(naive.investments) > 20
    slots = ours.book.buys.slots
    assert {name: int(ours.book.buys.open[slots[name]]) for name in naive.buys} == {name: one.open for name, one in naive.buys.items()}


def test_a_percolator_finds_the_same_criteria():
    mokaccino = pytest.importorskip("mokaccino")
    assert mokaccino
    offers, wanted = market.sell_offers(50, CRITERIA), market.criteria(CRITERIA)
    found = matching.mokaccino(CRITERIA, 50)
    assert found["found"] == sum(takes(one, offer.attributes) for one in wanted for offer in offers) > 50


def test_the_last_line_has_the_figures_of_all_subjects():
    figures = match.main(runs=1, criteria=CRITERIA, offers={"tranche": 100, "naive": 1, "mokaccino": 10})
    assert figures["bench"] == "match"
    assert min(figures[name] for name in ("sell_offers_per_s", "bids_per_s", "p99_us", "rss_mb", "naive_sell_offers_per_s")) > 0
    assert figures["reached"] in (True, False)
