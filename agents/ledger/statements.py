"""What all statements are made of: sections of rows, and the legs that count, in columns. Pure.

A statement is a function of the legs that were effective by a day, of those that were known at a moment, and of nothing else: no clock,
no order of reading. Amounts are minor units; the names of columns end with their unit.

What a transfer did is told by the kind of what it is, or of what it takes back: its `origin`. So a reversal is a negative amount of the
same column, on its own day.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final, NamedTuple

import numpy as np

from agents.ledger import plans
from agents.ledger.transfers import Ints

Value = str | int | date | None

EPOCH: Final = date(1970, 1, 1)
ORIGINS: Final = (
    plans.DEPOSIT,
    plans.WITHDRAWAL,
    plans.SETTLEMENT,
    plans.PRINCIPAL,
    plans.INTEREST,
    plans.LATE_FEES,
    plans.BUYBACK,
    plans.BUYBACK_INTEREST,
    plans.REMITTANCE,
    plans.PAYOUT,
    plans.ISSUE,
)


class Section(NamedTuple):
    """A part of a statement: rows, in an order that is theirs."""

    name: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[Value, ...]]


class Held(NamedTuple):
    """An account of whoever the statement is of."""

    number: int
    kind: str
    currency: str
    originator: str | None
    asset: str | None
    opened: date


class Legs(NamedTuple):
    """Legs of a holder's accounts; columns of one length, in any order."""

    transfer: Ints
    account: Ints
    amount: Ints
    origin: Ints  # place in ORIGINS, from 1; 0 of what is none of them
    day: Ints  # effective, since 1970-01-01


def origin(kind: str) -> int:
    """The number of an origin."""
    return ORIGINS.index(kind) + 1


def numbers_of(accounts: Sequence[Held]) -> Ints:
    """Their numbers; as they are in order, np.searchsorted finds the place of an account by its number."""
    return np.array([one.number for one in accounts], np.int64)


def summed(size: int | tuple[int, ...], places: Ints | tuple[Ints, ...], amounts: Ints) -> Ints:
    """Amounts added up by place; exact, as bincount's floats are not."""
    found = np.zeros(size, np.int64)
    np.add.at(found, places, amounts)
    return found


def coded(names: Sequence[str]) -> tuple[list[str], Ints]:
    """The distinct names in order, and the place of each."""
    distinct = sorted(set(names))
    places = {name: place for place, name in enumerate(distinct)}
    return distinct, np.array([places[name] for name in names], np.int64)


def months_of(days: Ints) -> Ints:
    """Months since 1970-01."""
    return days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)


def month_name(month: int) -> str:
    """`2026-11`."""
    return f"{1970 + month // 12}-{month % 12 + 1:02}"


def day_of(number: int) -> date:
    return EPOCH + timedelta(days=number)
