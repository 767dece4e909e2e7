"""Rule 1 over columns: which buy offers a sell offer fits. Buy offers of equal criteria share one number, and are looked at once."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from agents.matcher.columns import Column, Columns
from agents.matcher.rows import Asset, Buy
from agents.matcher.rules import digest
from schemas.criteria import Criteria, takes
from schemas.events import SellOffer

BUYS: Final = ("open", "bid_max", "served", "placed", "digest", "criteria")
SELLS: Final = ("left", "amount", "bid_min", "since")


class Wanted:
    """The numbers of distinct criteria. They only say which are equal: nothing of the book depends on them."""

    def __init__(self) -> None:
        self._numbers: dict[Criteria, int] = {}

    def number(self, criteria: Criteria) -> int:
        return self._numbers.setdefault(criteria, len(self._numbers))

    def taking(self, offer: SellOffer) -> NDArray[np.bool_]:
        """By number: do the criteria take the sell offer?"""
        return np.array([takes(criteria, offer.attributes) for criteria in self._numbers], np.bool_)


def write_buy(columns: Columns, slot: int, buy: Buy, wanted: Wanted) -> None:
    """Fill every column of a buy offer's slot."""
    row = {
        "open": buy.open_cents,
        "bid_max": buy.offer.bid_cents_max,
        "served": buy.served,
        "placed": buy.placed,
        "digest": digest(buy.offer.offer),
        "criteria": wanted.number(buy.offer.criteria),
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
    return found & wanted.taking(offer)[columns["criteria"]]


def sells(columns: Columns | Mapping[str, Column], affordable: int) -> NDArray[np.bool_]:
    """By slot of SELLS: the assets on offer whose least bid (rule 2) is at most `affordable` cents."""
    left, smallest = columns["left"], columns["bid_min"]
    found: NDArray[np.bool_] = (left > 0) & (np.where(left < 2 * smallest, left, smallest) <= affordable)
    return found
