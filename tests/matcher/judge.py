"""Whether the naive rules say that just this reason decided: without it, a bid is possible, or what decides is a later one."""

import copy

import msgspec
from naive import fits

from agents.matcher import rules, why
from agents.matcher.reasons import Beyond, Full, Held, Limit, Money, NotOnOffer, Rest, Sold, SoldOut, TakenBack, Unfit, Unsigned
from schemas.criteria import Criteria, takes

MUCH = 10**9


def asked(market, portfolio="ann/p", asset="harbor/a1"):
    assert market.book.settle()
    return why.of_asset(market.book, portfolio, asset)


def counted(market, portfolio="ann/p"):
    assert market.book.settle()
    *_, last = why.of_portfolio(market.book, portfolio)
    return last


def agrees(naive, buy, asset, found):
    """`buy` and `asset` are those of the naive book, `found` is a reason that was told of them."""
    name, bids = buy.offer.offer, asset.held + asset.sold
    bid = [(cents, *rest) for who, _, cents, *rest in bids if who == name]
    if isinstance(found, Held | Sold):
        return bid == [(found.cents, 0, 0) if isinstance(found, Held) else (found.cents, found.version, found.number)]
    taken_back = not bid and name in asset.released
    if isinstance(found, TakenBack):
        return taken_back and found.version == asset.version
    if bid or taken_back:
        return False
    if asset.offer is None:
        return _closed(asset, found)
    if not fits(buy.offer, asset.offer):
        return _unfit(buy.offer, asset.offer, found)
    return _unaffordable(naive.largest_bid, buy, asset, found)


def _closed(asset, found):
    sold = [one for one in asset.sold if one[3] == asset.version]
    if not sold:
        return isinstance(found, NotOnOffer) and found.sold_cents == sum(one[2] for one in asset.sold)
    told = (asset.version, sum(one[2] for one in sold), len(sold), len({one[1] for one in sold}))
    return isinstance(found, SoldOut) and told == (found.version, found.cents, found.bids, found.investors)


def _unfit(buy, sell, found):
    lacking = set(sell.agreements) - set(buy.agreements)
    if lacking:
        return isinstance(found, Unsigned) and set(found.agreements) == lacking
    has = sell.attributes
    beyond = [one for one in buy.limits if not takes(Criteria(((one,),)), has)]
    if beyond:
        return isinstance(found, Beyond) and [(one.asked, one.has) for one in found.unmet] == [
            (one, has.get(one.attribute)) for one in beyond
        ]
    every = [[one for one in all_of if not takes(Criteria(((one,),)), has)] for all_of in buy.criteria.any_of] or [[]]
    told = [one.asked for one in found.unmet]
    values = all(one.has == has.get(one.asked.attribute) for one in found.unmet)
    return isinstance(found, Unfit) and values and told in every and len(told) == min(map(len, every))


def _unaffordable(largest_bid, buy, asset, found):
    bids, investor, most = asset.held + asset.sold, buy.offer.investor, buy.offer.bid_cents_max
    if isinstance(found, Full):
        return found.bids == len(bids) + len(asset.released) >= rules.BIDS_MAX
    has = sum(cents for _, who, cents, *_ in bids if who == investor)
    rich = _with(buy, amount_cents=MUCH)
    assert not largest_bid(asset, buy)
    assert largest_bid(asset, _with(rich, bid_cents_max=MUCH)), "without limit and money there is nothing else"
    if isinstance(found, Limit):
        least, enough = found.least_cents, largest_bid(_with(asset, bid_cents_min=1), _with(rich, bid_cents_max=has + found.least_cents))
        return not largest_bid(asset, rich) and enough and (found.most_cents, found.has_cents) == (most, has) and most < has + least
    if isinstance(found, Money):
        return not largest_bid(asset, _with(buy, bid_cents_max=MUCH)) and found.open_cents == buy.open < found.least_cents
    smallest = asset.offer.bid_cents_min
    could_have_begun = largest_bid(_with(asset, bid_cents_min=1, bid_cents_max=smallest), buy) == smallest
    this = [one for one in bids if one[3] in {0, asset.version}]
    told = (asset.left, min(buy.open, most - has), len(this), len({one[1] for one in this}))
    there = isinstance(found, Rest) and told == (found.left_cents, found.affordable_cents, found.bids, found.investors)
    return there and could_have_begun


def _with(one, **fields):
    """A naive buy offer or asset with other terms, and the same bids."""
    other = copy.copy(one)
    other.offer = msgspec.structs.replace(one.offer, **fields)
    return other
