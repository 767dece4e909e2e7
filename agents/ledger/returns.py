"""The internal rate of return of dated amounts of money. Pure.

XIRR as in spreadsheets: the yearly rate r at which the amounts, each divided by (1 + r) ** (days / 365) (ACT/365F), add up to zero. It is
looked for by bisection over whole parts per million, so nothing depends on a first guess; float64 computes, for a rate is no money. Amounts
whose signs change more than once may have several such rates: then it is one of them, and of the same amounts always the same.
"""

from typing import Final

import numpy as np

from agents.ledger.transfers import Ints

PPM: Final = 1_000_000
PPM_MIN: Final = 1 - PPM  # a return is above -100 %
PPM_MAX: Final = 10**12  # a million times the money a year; above it there is no return
YEAR_DAYS: Final = 365.0


def xirr_ppm(days: Ints, cents: Ints) -> int | None:
    """The rate in parts per million a year, to the nearest; None if there is none: all of one sign, of one day, or beyond the bounds.

    `cents` came on `days`, or went if negative; in any order.
    """
    if not len(days) or days.min() == days.max():
        return None
    low, high = PPM_MIN, PPM_MAX
    sign = _sign(days, cents, low - 0.5)
    if not sign or sign == _sign(days, cents, high + 0.5):
        return None
    while low < high:
        middle = (low + high) // 2
        if _sign(days, cents, middle + 0.5) == sign:
            low = middle + 1
        else:
            high = middle
    return low


def _sign(days: Ints, cents: Ints, ppm: float) -> int:
    """Whether the amounts are worth more or less than nothing at a rate: 1, -1, or 0.

    They are compared at the first or the last moment, whichever makes all factors one or less, so that none overflows.
    """
    at = days.max() if ppm < 0 else days.min()
    worth = cents * np.exp((at - days) / YEAR_DAYS * np.log1p(ppm / PPM))
    return int(np.sign(worth.sum()))
