"""Why, and why not: what decided between a portfolio and an asset, and what keeps a portfolio from filling.

Both read a Book that is settled (`Book.settle`), where no Step is at work, and change nothing. So what they tell is the state after one
input, all of it. Of an asset that is sold out or withdrawn the book knows its bids and no attributes any more.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from agents.matcher import meeting, rows, rules
from agents.matcher.book import Book
from agents.matcher.buckets import Bucket, Buyer, newest
from agents.matcher.lot import Lot
from agents.matcher.reasons import (
    Beyond,
    Full,
    Held,
    Limit,
    Money,
    NotOnOffer,
    Possible,
    Rest,
    Sold,
    SoldOut,
    TakenBack,
    Unfit,
    Unknown,
    Unmet,
    Unsigned,
    Why,
    name_of,
)
from schemas.criteria import Conjunction, Criteria, Predicate, fulfils
from schemas.events import SellOffer

ASSETS_MAX: Final = 200_000  # on offer, that are looked at for a portfolio
SLICE: Final = 4_096  # predicates looked at, and pieces of ROW_BYTES unfolded, in one go
ROW_BYTES: Final = 64

UNSIGNED, BEYOND, UNFIT = name_of(Unsigned), name_of(Beyond), name_of(Unfit)

_Taken = tuple[list[str], list[SellOffer | None], list[bytes]]  # of the book: assets, what is on offer of them, their rows


class Decided(msgspec.Struct, frozen=True):
    """What decided between a bucket and the asset."""

    bucket: Bucket
    why: Why


class OfAsset(msgspec.Struct, frozen=True):
    """A portfolio's newest version against an asset. There are no buckets where the version was withdrawn; `state`: as `Newest`."""

    portfolio: str
    version: int
    state: str
    asset: str
    left_cents: int  # on offer
    buckets: tuple[Decided, ...]


class Filling(msgspec.Struct):
    """A bucket and the assets that were looked at: how many fit, and how many each reason decided."""

    bucket: Bucket
    fit: int = 0
    unfit: dict[tuple[str, str], int] = {}  # reason, and which agreement or attribute: the first, where several are lacking
    decided: dict[str, int] = {}  # reason, of those that fit


class OfPortfolio(msgspec.Struct):
    """A portfolio's newest version against the assets on offer, as far as they were looked at."""

    portfolio: str
    version: int
    state: str
    on_offer: int
    looked_at: int
    cut: bool  # there are more than ASSETS_MAX, and the others are not looked at
    buckets: tuple[Filling, ...]


def of_asset(book: Book, portfolio: str, asset: str) -> OfAsset | None:
    """Of investor/portfolio and originator/asset; None if the market does not know the portfolio."""
    found = newest(book, portfolio)
    if found is None:
        return None
    row = book.assets.get(asset)
    lot = None if row is None else Lot(asset, rows.decode_asset(row))
    decided = tuple(Decided(one.bucket, _why(one, lot)) for one in found.buyers)
    return OfAsset(portfolio, found.version, found.state, asset, lot.left if lot else 0, decided)


def of_portfolio(book: Book, portfolio: str) -> Iterator[OfPortfolio] | None:
    """Of investor/portfolio; None if the market does not know it.

    All that is needed of the book is taken before this returns: 0.1 s for ASSETS_MAX. The iterator counts them in slices of a few
    milliseconds and does not look at the book, so Steps may go on between two of them; it yields the same counts, which have grown, and
    at the end those of all.
    """
    found = newest(book, portfolio)
    if found is None:
        return None
    buyers = found.buyers
    keys, offers = book.shelf.first(ASSETS_MAX if buyers else 0)
    taken = keys, offers, [book.assets[key] for key in keys]
    on_offer = len(book.shelf)
    fillings = tuple(Filling(one.bucket) for one in buyers)
    return _counted(OfPortfolio(portfolio, found.version, found.state, on_offer, 0, on_offer > ASSETS_MAX, fillings), buyers, taken)


def _counted(counts: OfPortfolio, buyers: list[Buyer], taken: _Taken) -> Iterator[OfPortfolio]:
    work, predicates = 0, len(buyers) + sum(len(all_of) for buyer in buyers for all_of in buyer.criteria.any_of)
    for key, offer, row in zip(*taken, strict=True):
        lot = None
        assert offer is not None
        for buyer, filling in zip(buyers, counts.buckets, strict=True):
            first = _first(buyer, offer)
            if first is not None:
                filling.unfit[first] = filling.unfit.get(first, 0) + 1
                continue
            if lot is None:
                lot, work = Lot(key, rows.decode_asset(row)), work + len(row) // ROW_BYTES
            decided = name_of(_why(buyer, lot))
            filling.fit, filling.decided[decided] = filling.fit + 1, filling.decided.get(decided, 0) + 1
        counts.looked_at, work = counts.looked_at + 1, work + predicates
        if work >= SLICE:
            yield counts
            work = 0
    yield counts


def _first(buyer: Buyer, offer: SellOffer) -> tuple[str, str] | None:
    """The reason for not fitting, and the first agreement or attribute that it is about; none where criteria take nothing."""
    if lacking := _lacking(buyer, offer):
        return UNSIGNED, lacking[0]
    if beyond := _failing(buyer.limits, offer.attributes):
        return BEYOND, beyond[0].attribute
    fails = _fails(buyer.criteria, offer.attributes)
    return None if fails is None else (UNFIT, fails[0].attribute if fails else "")


def _why(buyer: Buyer, lot: Lot | None) -> Why:
    if lot is None:
        return Unknown()
    row, name = lot.row, buyer.bucket.buy_offer
    for bid in (*row.held, *row.sold):
        if bid.buy_offer == name:
            return Sold(bid.cents, bid.version, bid.number) if bid.number else Held(bid.cents)
    if name in row.released:
        return TakenBack(row.version)
    if row.offer is None:
        return _closed(buyer, lot)
    return _unfit(buyer, row.offer) or _unaffordable(buyer, lot, row.offer)


def _closed(buyer: Buyer, lot: Lot) -> Why:
    row = lot.row
    if not row.investments:
        return NotOnOffer(row.version, sum(lot.totals.values()))
    bids = [bid for bid in row.sold if bid.version == row.version]
    cents, investors = sum(bid.cents for bid in bids), len({bid.investor for bid in bids})
    return SoldOut(row.version, cents, len(bids), investors, max(bid.served for bid in bids), buyer.placed)


def _unfit(buyer: Buyer, offer: SellOffer) -> Why | None:
    """Rule 1."""
    lacking = _lacking(buyer, offer)
    if lacking:
        return Unsigned(lacking)
    beyond = _failing(buyer.limits, offer.attributes)
    if beyond:
        return Beyond(_unmet(beyond, offer))
    fails = _fails(buyer.criteria, offer.attributes)
    return None if fails is None else Unfit(_unmet(fails, offer))


def _unmet(fails: list[Predicate], offer: SellOffer) -> tuple[Unmet, ...]:
    return tuple(Unmet(one, offer.attributes.get(one.attribute)) for one in fails)


def _lacking(buyer: Buyer, offer: SellOffer) -> tuple[str, ...]:
    return tuple(sorted(set(offer.agreements).difference(buyer.agreements))) if offer.agreements else ()


def _fails(criteria: Criteria, attributes: Mapping[str, int | str]) -> list[Predicate] | None:
    """What the attributes do not fulfil of the conjunction of which that is the least, the first of several; None if it is nothing."""
    fewest: list[Predicate] | None = None
    for all_of in criteria.any_of:
        fails = _failing(all_of, attributes)
        if not fails:
            return None
        if fewest is None or len(fails) < len(fewest):
            fewest = fails
    return fewest or []


def _failing(all_of: Conjunction, attributes: Mapping[str, int | str]) -> list[Predicate]:
    return [one for one in all_of if not fulfils(one, attributes.get(one.attribute))]


def _unaffordable(buyer: Buyer, lot: Lot, offer: SellOffer) -> Why:
    """Rules 3 and 2: a buy offer without a bid in the asset, which fits."""
    if len(lot.bidders) >= rules.BIDS_MAX:
        return Full(len(lot.bidders))
    left, smallest, open_cents, most = lot.left, offer.bid_cents_min, buyer.bucket.open_cents, buyer.bucket.bid_cents_max
    has, least = lot.totals.get(buyer.investor, 0), min(left, smallest)
    if most - has < least:
        return Limit(most, has, least)
    if open_cents < least:
        return Money(open_cents, least)
    affordable = min(open_cents, most - has)
    if affordable < rules.least_cents(left, smallest):
        bids = [bid for bid in (*lot.row.held, *lot.row.sold) if bid.version in {0, lot.row.version}]
        return Rest(left, affordable, len(bids), len({bid.investor for bid in bids}))
    return Possible(meeting.bid_cents(left, smallest, offer.bid_cents_max, affordable))
