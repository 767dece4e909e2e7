"""Rule 1 over columns: which buy offers a sell offer fits, and which sell offers fit a buy offer.

Sets are bit masks: each value of a set gets a number when it first appears, and a buy offer has bit `number % 62` of the column
`attribute:number // 62` set. A column of masks is -1 for a set that takes all, so it also takes values that appear later. Agreements are
compared as whole sets, of which there are few: both sides have the number of theirs.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from agents.matcher.columns import Column, Columns
from agents.matcher.rows import Asset, Buy
from agents.matcher.rules import digest
from schemas.events import Criteria, SellOffer

BITS: Final = 62  # of a column of int64: a listed set is never -1
ALL: Final = -1
SETS: Final = ("risk_group", "country", "originator")
BUYS: Final = (
    "open", "bid_max", "served", "placed", "digest", "rate_min", "rate_max", "months_max", "days_max", "agreements",
    *(f"{name}:0" for name in SETS),
)  # fmt: skip
SELLS: Final = ("left", "amount", "bid_min", "since", "rate", "months", "days", "agreements", *SETS)


class Values:
    """The numbers of the values of each set. They only say which bit is which: nothing of the book depends on them."""

    def __init__(self) -> None:
        self._numbers: dict[str, dict[str, int]] = {name: {} for name in SETS}
        self._agreements: dict[frozenset[str], int] = {frozenset(): 0}

    def number(self, name: str, value: str) -> int:
        numbers = self._numbers[name]
        return numbers.setdefault(value, len(numbers))

    def wanted(self, name: str, values: tuple[str, ...]) -> NDArray[np.bool_]:
        """By number: is it one of `values`?"""
        chosen = [self.number(name, value) for value in values]
        found = np.zeros(len(self._numbers[name]), np.bool_)
        found[chosen] = True
        return found

    def agreements(self, names: tuple[str, ...]) -> int:
        """The number of a set of agreements."""
        return self._agreements.setdefault(frozenset(names), len(self._agreements))

    def having(self, names: tuple[str, ...]) -> NDArray[np.bool_]:
        """By number of a set: does it have all of `names`?"""
        return np.array([one.issuperset(names) for one in self._agreements], np.bool_)

    def within(self, names: tuple[str, ...]) -> NDArray[np.bool_]:
        """By number of a set: are all of it in `names`?"""
        return np.array([one.issubset(names) for one in self._agreements], np.bool_)


def write_buy(columns: Columns, slot: int, buy: Buy, values: Values) -> None:
    """Fill every column of a buy offer's slot."""
    offer, criteria = buy.offer, buy.offer.criteria
    row = {
        "open": buy.open_cents,
        "bid_max": offer.bid_cents_max,
        "served": buy.served,
        "placed": buy.placed,
        "digest": digest(offer.offer),
        "rate_min": criteria.rate_ppm_min,
        "rate_max": criteria.rate_ppm_max,
        "months_max": criteria.remaining_months_max,
        "days_max": criteria.days_past_due_max,
        "agreements": values.agreements(offer.agreements),
    }
    for name, number in row.items():
        columns.write(name)[slot] = number
    for name, wanted in _sets(criteria):
        _write_set(columns, slot, name, [values.number(name, value) for value in wanted])


def write_sell(columns: Columns, slot: int, asset: Asset, left: int, values: Values) -> None:
    """Fill every column of the slot of an asset on offer, of which `left` cents are left."""
    offer = asset.offer
    assert offer is not None
    row = {
        "left": left,
        "amount": offer.amount_cents,
        "bid_min": offer.bid_cents_min,
        "since": asset.since,
        "rate": offer.rate_ppm,
        "months": offer.remaining_months,
        "days": offer.days_past_due,
        "agreements": values.agreements(offer.agreements),
        "risk_group": values.number("risk_group", offer.risk_group),
        "country": values.number("country", offer.country),
        "originator": values.number("originator", offer.originator),
    }
    for name, number in row.items():
        columns.write(name)[slot] = number


def buys(columns: Columns, values: Values, offer: SellOffer, least: int) -> NDArray[np.bool_]:
    """By slot: the buy offers that the sell offer fits and that could afford `least` cents."""
    found = np.minimum(columns["open"], columns["bid_max"]) >= least
    found &= columns["rate_min"] <= offer.rate_ppm
    found &= columns["rate_max"] >= offer.rate_ppm
    found &= columns["months_max"] >= offer.remaining_months
    found &= columns["days_max"] >= offer.days_past_due
    if offer.agreements:
        found &= values.having(offer.agreements)[columns["agreements"]]
    for name, value in (("risk_group", offer.risk_group), ("country", offer.country), ("originator", offer.originator)):
        word, bit = divmod(values.number(name, value), BITS)
        column = f"{name}:{word}"
        if column in columns:
            found &= columns[column] & (1 << bit) != 0
        else:
            found &= columns[f"{name}:0"] == ALL
    return found


def sells(
    columns: Columns | Mapping[str, Column], values: Values, criteria: Criteria, agreements: tuple[str, ...], affordable: int
) -> NDArray[np.bool_]:
    """By slot of SELLS: the assets on offer that fit, and whose least bid (rule 2) is at most `affordable` cents."""
    left, smallest = columns["left"], columns["bid_min"]
    found = (left > 0) & (np.where(left < 2 * smallest, left, smallest) <= affordable)
    rate = columns["rate"]
    found &= (criteria.rate_ppm_min <= rate) & (rate <= criteria.rate_ppm_max)
    found &= columns["months"] <= criteria.remaining_months_max
    found &= columns["days"] <= criteria.days_past_due_max
    allowed = values.within(agreements)
    if not allowed.all():
        found &= allowed[columns["agreements"]]
    for name, wanted in _sets(criteria):
        if wanted:
            found &= values.wanted(name, wanted)[columns[name]]
    return found


def _sets(criteria: Criteria) -> Iterator[tuple[str, tuple[str, ...]]]:
    return zip(SETS, (criteria.risk_groups, criteria.countries, criteria.originators), strict=True)


def _write_set(columns: Columns, slot: int, name: str, numbers: list[int]) -> None:
    words = [0] * (1 + max(numbers, default=0) // BITS)
    for number in numbers:
        words[number // BITS] |= 1 << number % BITS
    word = 0
    while (column := f"{name}:{word}") in columns or word < len(words):
        if column not in columns:
            columns.extend(column, np.where(columns[f"{name}:0"] == ALL, ALL, 0))
        columns.write(column)[slot] = (words[word] if word < len(words) else 0) if numbers else ALL
        word += 1
