"""The buy offers of a portfolio's newest version, a bucket each, as a settled book has them."""

from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

import msgspec

from agents.matcher.book import Book
from schemas.criteria import Conjunction, Criteria


class Bucket(msgspec.Struct, frozen=True):
    """The buy offer of a bucket, in cents: its amount is open + held + invested."""

    bucket: str
    buy_offer: str
    amount_cents: int
    open_cents: int
    held_cents: int
    invested_cents: int
    bid_cents_max: int


class Buyer(NamedTuple):
    """A bucket with what the rules ask of it."""

    bucket: Bucket
    investor: str
    placed: int  # the number of the input that placed it
    criteria: Criteria
    agreements: tuple[str, ...]
    limits: Conjunction


class Newest(NamedTuple):
    """The newest version of a portfolio and its buy offers, by bucket; where it was withdrawn none, and the `state` says more."""

    version: int
    buyers: list[Buyer]
    state: str = "open"  # or "paused", "closed", or "withdrawn"


def newest(book: Book, portfolio: str) -> Newest | None:
    """The newest version of investor/portfolio; None if nothing was ever heard of it."""
    buys = book.buys
    investor, _, name = portfolio.partition("/")
    slots = [
        slot for slot in _places(buys.investors, investor) if buys.portfolios[slot] == name and buys.slots.get(buys.offers[slot]) == slot
    ]
    if not slots:
        withdrawn = book.withdrawn.get(portfolio)
        return None if withdrawn is None else Newest(withdrawn.version, [], withdrawn.reason or "withdrawn")
    last = max(int(buys.version[slot]) for slot in slots)
    chosen = (slot for slot in slots if buys.version[slot] == last)
    return Newest(last, [_buyer(book, slot) for slot in sorted(chosen, key=buys.buckets.__getitem__)])


def _places(texts: list[str], text: str) -> Iterator[int]:
    """Where a text stands among all buy offers': `index` takes a fifth of the time of a loop."""
    place = -1
    with suppress(ValueError):
        while True:
            place = texts.index(text, place + 1)
            yield place


def _buyer(book: Book, slot: int) -> Buyer:
    buys = book.buys
    amount, open_cents, held, most = (int(column[slot]) for column in (buys.amount, buys.open, buys.held, buys.most))
    bucket = Bucket(buys.buckets[slot], buys.offers[slot], amount, open_cents, held, amount - open_cents - held, most)
    return Buyer(bucket, buys.investors[slot], int(buys.placed[slot]), *book.wants[int(buys.want[slot])], buys.limits[slot])
