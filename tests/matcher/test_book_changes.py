"""All or none, newer versions, withdrawals: both books keep the rules of `agents/matcher/rules.py`."""

import pytest
from histories import buy, buy_withdrawn, made, released, run, sell, sell_withdrawn

from agents.matcher import rules


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


def test_bids_that_are_not_confirmed_give_their_money_to_other_assets(book):
    first = sell("a1", amount=50)
    run(book, [buy("ann", amount=50), first, sell("a2"), released(first, 1)])
    assert made(book) == [("harbor/a1/1/1", "ann/p/1/b1", 50), ("harbor/a2/1/1", "ann/p/1/b1", 50)]


@pytest.mark.parametrize("all_or_none", [False, True])
def test_what_was_sold_out_is_on_offer_again_for_all_but_those_who_were_refused(book, all_or_none):
    offer = sell(amount=50, all_or_none=all_or_none)
    run(book, [buy("ann"), offer, released(offer, 1)])
    assert book.summary()[1]["ann/p/1/b1"][:3] == (1000, 0, 0)
    run(book, [buy("ben")])
    assert made(book) == [("harbor/a1/1/1", "ann/p/1/b1", 50), ("harbor/a1/1/2", "ben/p/1/b1", 50)]


def test_a_newer_version_takes_bids_of_those_who_were_refused(book):
    offer = sell(amount=50)
    run(book, [buy("ann"), offer, released(offer, 1), sell(amount=40, version=2)])
    assert made(book)[1:] == [("harbor/a1/2/1", "ann/p/1/b1", 40)]


def test_bids_for_an_older_version_leave_their_part_to_the_newer_one(book):
    offer = sell(amount=90)
    run(book, [buy("ann"), offer, sell(version=2, amount=85, low=5), buy("ben", amount=30), released(offer, 1)])
    assert made(book)[1:] == [("harbor/a1/2/1", "ben/p/1/b1", 30), ("harbor/a1/2/2", "ann/p/1/b1", 50)]


@pytest.mark.parametrize("newer", [sell_withdrawn(), sell(version=2, amount=40)])
def test_bids_for_an_older_version_do_not_open_what_a_newer_one_has_closed(book, newer):
    offer = sell(amount=50)
    run(book, [buy("ann"), offer, newer, released(offer, 1), buy("ben")])
    assert len(book.investments) == 1
    assert book.summary()[1]["ann/p/1/b1"][:3] == (1000, 0, 0)


def test_a_withdrawn_buy_offer_gets_nothing_back_and_its_part_is_on_offer_again(book):
    offer, gone = sell(amount=50), buy("ann")
    run(book, [gone, offer, buy_withdrawn(gone), released(offer, 1), buy("ben")])
    assert made(book)[1:] == [("harbor/a1/1/2", "ben/p/1/b1", 50)]
    assert set(book.summary()[1]) == {"ben/p/1/b1"}


@pytest.mark.parametrize("unknown", [released(sell(amount=50), 7), released(sell("a9"), 1), released(sell(version=2), 1)])
def test_bids_that_nobody_made_or_that_are_back_already_change_nothing(book, unknown):
    offer = sell(amount=50)
    run(book, [buy("ann"), offer, released(offer, 1), buy("ben")])
    before = book.summary()
    run(book, [released(offer, 1), unknown])
    assert book.summary()[1:] == before[1:]
