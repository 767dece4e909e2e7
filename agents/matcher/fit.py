"""Rule 1 over columns. Buy offers of equal criteria and agreements share one number, and are looked at once."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from agents.matcher.columns import Column, Columns
from agents.matcher.rows import Asset, Buy
from agents.matcher.rules import digest
from schemas.criteria import Criteria, takes
from schemas.events import BuyOffer, SellOffer

BUYS: Final = ("open", "bid_max", "served", "placed", "digest", "wants")
SELLS: Final = ("left", "amount", "bid_min", "since")


def fits(buy: BuyOffer, sell: SellOffer) -> bool:
    """Rule 1."""
    return set(sell.agreements) <= set(buy.agreements) and takes(buy.criteria, sell.attributes)


class Wanted:
    """The numbers of distinct criteria with agreements. They only say which are equal: nothing of the book depends on them."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[Criteria, tuple[str, ...]], int] = {}
        self._offers: list[BuyOffer] = []  # one of each number

    def number(self, offer: BuyOffer) -> int:
        number = self._numbers.setdefault((offer.criteria, offer.agreements), len(self._offers))
        if number == len(self._offers):
            self._offers.append(offer)
        return number

    def taking(self, sell: SellOffer) -> NDArray[np.bool_]:
        """By number: does the sell offer fit?"""
        return np.array([fits(offer, sell) for offer in self._offers], np.bool_)


def write_buy(columns: Columns, slot: int, buy: Buy, wanted: Wanted) -> None:
    """Fill every column of a buy offer's slot."""
    row = {
        "open": buy.open_cents,
        "bid_max": buy.offer.bid_cents_max,
        "served": buy.served,
        "placed": buy.placed,
        "digest": digest(buy.offer.offer),
        "wants": wanted.number(buy.offer),
    }
    for name, number in row.items():
        columns.write(name)[slot] = number


def write_sell(columns: Columns, slot: int, asset: Asset, left: int) -> None:
    """Fill every column of the slot of an asset on offer, of which `left` cents are left."""
    offer = asset.offer
    assert offer is not None
    row = {"left": left, "amount": offer.amount_cents, "bid_min": offer.bid_cents_min, "since": asset.since}
    for name, number in row.items():
        columns.write(name)[slot] = number


def buys(columns: Columns, wanted: Wanted, offer: SellOffer, least: int) -> NDArray[np.bool_]:
    """By slot: the buy offers that the sell offer fits and that could afford `least` cents."""
    found: NDArray[np.bool_] = np.minimum(columns["open"], columns["bid_max"]) >= least
    return found & wanted.taking(offer)[columns["wants"]]


def sells(columns: Columns | Mapping[str, Column], affordable: int) -> NDArray[np.bool_]:
    """By slot of SELLS: the assets on offer whose least bid (rule 2) is at most `affordable` cents."""
    left, smallest = columns["left"], columns["bid_min"]
    found: NDArray[np.bool_] = (left > 0) & (np.where(left < 2 * smallest, left, smallest) <= affordable)
    return found
