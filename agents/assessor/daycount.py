"""What part of a year a period is, by each day count that a product may declare. Pure and vectorised.

A part is a ratio of whole numbers, so that interest can be exact. Days are since 1970-01-01; a period has its first day and not its last.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np

from agents.assessor.rounding import Ints
from schemas.amortisation import ACT_360, ACT_365F, ACT_ACT_ISDA, THIRTY_360_US, THIRTY_E_360, THIRTY_E_360_ISDA


class Date(NamedTuple):
    """Int64 arrays; `last`: whether it is the last day of a February."""

    year: Ints
    month: Ints
    day: Ints
    last_of_february: Ints


def part_of_year(convention: str, start: Ints, end: Ints, maturity: Ints) -> tuple[Ints, int]:
    """Numerators and the one denominator of the periods from `start` to `end`, of loans that end at `maturity`; all of one shape.

    | convention | source |
    | --- | --- |
    | ACT/365F | 2006 ISDA Definitions, 4.16(d) |
    | ACT/360 | 4.16(e) |
    | ACT/ACT ISDA | 4.16(b): the days in leap years by 366, the others by 365 |
    | 30/360 US | SIA, Standard Securities Calculation Methods, 1993: 4.16(f), and the end of a February counts as its 30th |
    | 30E/360 | 4.16(g) |
    | 30E/360 ISDA | 4.16(h): the end of a February counts as its 30th unless it is the maturity |
    """
    if convention == ACT_ACT_ISDA:
        leap = _leap_days(end) - _leap_days(start)
        return leap * 365 + (end - start - leap) * 366, 365 * 366
    if convention in _ACTUAL:
        return end - start, _ACTUAL[convention]
    first, last = _date(start), _date(end)
    d1, d2 = _THIRTY[convention](first, last, end == maturity)
    return (last.year - first.year) * 360 + (last.month - first.month) * 30 + (d2 - d1), 360


def _us(first: Date, last: Date, _matures: Ints) -> tuple[Ints, Ints]:
    d2 = np.where(first.last_of_february & last.last_of_february, 30, last.day)
    d1 = np.where(first.last_of_february, 30, first.day)
    return np.minimum(d1, 30), np.where((d2 == 31) & (d1 >= 30), 30, d2)


def _european(first: Date, last: Date, _matures: Ints) -> tuple[Ints, Ints]:
    return np.minimum(first.day, 30), np.minimum(last.day, 30)


def _isda(first: Date, last: Date, matures: Ints) -> tuple[Ints, Ints]:
    d1 = np.where(first.last_of_february, 30, first.day)
    d2 = np.where(last.last_of_february & ~matures, 30, last.day)
    return np.minimum(d1, 30), np.minimum(d2, 30)


_ACTUAL: Final = {ACT_365F: 365, ACT_360: 360}
_THIRTY: Final[dict[str, Callable[[Date, Date, Ints], tuple[Ints, Ints]]]] = {
    THIRTY_360_US: _us,
    THIRTY_E_360: _european,
    THIRTY_E_360_ISDA: _isda,
}


def _date(days: Ints) -> Date:
    at = days.astype("datetime64[D]")
    month = at.astype("datetime64[M]")
    count = month.astype(np.int64)
    is_last = (at + 1).astype("datetime64[M]") != month
    of_year = count % 12 + 1
    return Date(count // 12 + 1970, of_year, (at - month.astype("datetime64[D]")).astype(np.int64) + 1, is_last & (of_year == 2))


def _leap_days(days: Ints) -> Ints:
    """Days in leap years from 1970 to before each day; below zero before it."""
    at = days.astype("datetime64[D]")
    year = at.astype("datetime64[Y]").astype(np.int64) + 1970
    into = (at - at.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.int64)
    before = _leap_years(year - 1) - _leap_years(np.int64(1969))
    is_leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    return before * 366 + np.where(is_leap, into, 0)


def _leap_years(year: Ints | np.int64) -> Ints:
    """Leap years up to a year, the Gregorian calendar taken back to year 1."""
    return year // 4 - year // 100 + year // 400
