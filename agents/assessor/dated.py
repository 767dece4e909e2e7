"""Cash flow by days: of products with a day count, another frequency than every month, or business days. Pure and vectorised.

A period's interest is balance * rate * its part of the year (`daycount.py`), exact, and rounded as the product says. The instalment of an
annuity is the one that brings the final balance to zero over periods as long as they are: P / sum of the discount factors, each the
product of 1 / (1 + rate * part) of the periods until then. The last instalment takes what rounding leaves over.
"""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from agents.assessor.calendar import due_days
from agents.assessor.cashflow import INT64_MAX, CashFlow, check, residuals
from agents.assessor.daycount import part_of_year
from agents.assessor.rounding import Ints, Ratio, nearest, of_ratio, quotient
from agents.assessor.schedule import Loans, Schedule
from schemas.amortisation import ANNUITY, BULLET, EQUAL_PRINCIPAL, INTEREST_ONLY, Amortisation

PPM = 1_000_000


@dataclass(frozen=True, slots=True)
class Grid:
    """The periods of n loans: [p, n], but `periods` and `issued` [n]. Of those after a loan's last, the parts are zero."""

    issued: Ints
    due: Ints
    periods: Ints
    part: Ints
    year: int  # the parts are of so many

    @property
    def live(self) -> NDArray[np.bool_]:
        return np.arange(len(self.due))[:, None] < self.periods


def grid(terms: Amortisation, loans: Loans) -> Grid:
    """When each loan's instalments fall due, and for what part of a year interest accrues until then."""
    due, periods = due_days(terms, loans.issued, loans.months, loans.first_due, loans.maturity)
    start = np.vstack((loans.issued[None], due[:-1]))
    part, year = part_of_year(terms.day_count or "", start, due, np.broadcast_to(due[-1], due.shape))
    return Grid(loans.issued, due, periods, np.where(start < due, part, 0), year)  # by thirties a period of no day may have days


def _predict(terms: Amortisation, loans: Loans, days: Grid) -> tuple[CashFlow, Ints]:
    """As `cashflow.predict`, and how many instalments are past; `remaining_months` are those from the last due day that is past on."""
    regular = instalments(terms, loans, days)
    interest, principal = amortised(terms, loans.principal_cents, loans.rate_ppm, days, regular)
    paid = interest + principal
    opening = principal[::-1].cumsum(axis=0)[::-1]
    first = paid[0] if terms.kind != BULLET else np.zeros_like(paid[0])
    spare = np.minimum(days.periods, paid[0] // 2)
    short = (opening + spare < loans.outstanding_cents) & (opening > 0)
    past = np.where(terms.kind in (BULLET, INTEREST_ONLY), 0, days.periods - np.minimum(short.sum(axis=0) + 1, days.periods))
    past = np.where(loans.outstanding_cents > 0, past, days.periods)
    last = np.take_along_axis(paid, np.maximum((paid > 0).sum(axis=0) - 1, 0)[None], axis=0)[0]
    last = np.where(terms.kind in (BULLET, INTEREST_ONLY), np.take_along_axis(paid, days.periods[None] - 1, axis=0)[0], last)
    left = -(-loans.months * (days.periods - past) // days.periods)
    residual = residuals(terms, loans.principal_cents, days.periods, regular, last)
    return CashFlow(first, last, interest.sum(axis=0), left, residual), past


def to_come(terms: Amortisation, loans: Loans) -> tuple[CashFlow, Schedule]:
    """The cash flow, as `cashflow.predict`, and as `schedule.to_come` what is still to come of the outstanding.

    `remaining_months` are those from the last due day that is past to the end of the term; a begun one counts.

    Raises:
        BoundsError: a value is out of bounds.
    """
    check(loans.principal_cents, loans.rate_ppm, loans.months, loans.outstanding_cents)
    days = grid(terms, loans)
    flow, past = _predict(terms, loans, days)
    rest = _from(days, past)
    regular = instalments(terms, loans, days)
    interest, principal = amortised(terms, loans.outstanding_cents, loans.rate_ppm, rest, regular)
    return flow, Schedule(rest.issued, rest.due, interest, principal, None)


def _from(days: Grid, past: Ints) -> Grid:
    """The periods after those that are past; one at least, which may be empty."""
    left = days.periods - past
    places = np.minimum(past + np.arange(max(1, int(left.max(initial=0))))[:, None], len(days.due) - 1)
    start = np.where(past > 0, np.take_along_axis(days.due, np.maximum(past - 1, 0)[None], axis=0)[0], days.issued)
    live = np.arange(len(places))[:, None] < left
    part = np.where(live, np.take_along_axis(days.part, places, axis=0), 0)
    return Grid(start, np.take_along_axis(days.due, places, axis=0), left, part, days.year)


def instalments(terms: Amortisation, loans: Loans, days: Grid) -> Ints:
    """What is regular: the annuity's instalment or the equal principal; rounded, and at least a cent."""
    live, rate = days.live, loans.rate_ppm / PPM
    factors = np.cumprod(1.0 / (1.0 + rate * days.part / days.year), axis=0)
    flat = (terms.kind == EQUAL_PRINCIPAL) | (loans.rate_ppm == 0)
    exact = loans.principal_cents / np.where(flat, days.periods, np.where(live, factors, 0).sum(axis=0))

    def ratio(row: int) -> Ratio:
        count, factor, total = int(days.periods[row]), Fraction(1), Fraction(0)
        if flat[row]:
            return int(loans.principal_cents[row]), count
        for part in days.part[:count, row].tolist():
            factor /= 1 + Fraction(int(loans.rate_ppm[row]) * part, PPM * days.year)
            total += factor
        return (int(loans.principal_cents[row]) / total).as_integer_ratio()

    return np.maximum(nearest(exact, terms.rounding, ratio, operations=4 * len(days.due)), 1)


def amortised(terms: Amortisation, balance_cents: Ints, rate_ppm: Ints, days: Grid, regular_cents: Ints) -> tuple[Ints, Ints]:
    """Interest and principal parts [p, n]; the principal parts add up to the balance, which never grows and is never negative."""
    interest, principal = np.zeros((2, *days.due.shape), np.int64)
    final = days.periods - 1
    if terms.kind == BULLET:
        whole = interest_of(balance_cents, rate_ppm, days.part.sum(axis=0), days.year, terms.rounding)
        at = (np.maximum(final, 0), np.arange(len(final)))
        interest[at], principal[at] = whole, balance_cents
        return interest, principal
    balance = balance_cents
    for place, part in enumerate(days.part):
        owed = interest_of(balance, rate_ppm, part, days.year, terms.interest_rounding)
        wanted = regular_cents - owed if terms.kind == ANNUITY else regular_cents * (terms.kind == EQUAL_PRINCIPAL)
        paid = np.where(place == final, balance, np.minimum(np.maximum(wanted, 0), balance))
        interest[place], principal[place] = owed, np.where(place <= final, paid, 0)
        balance = balance - principal[place]
    return interest, principal


def interest_of(balance_cents: Ints, rate_ppm: Ints, part: Ints, year: int, rounding: str) -> Ints:
    """A period's interest, rounded. Where the product of all three may not fit int64, Python's whole numbers compute it."""
    most = int(balance_cents.max(initial=0)) * int(rate_ppm.max(initial=0)) * int(part.max(initial=0))
    if most <= INT64_MAX - PPM * year:
        return quotient(balance_cents * rate_ppm * part, PPM * year, rounding)
    each = zip(balance_cents.tolist(), rate_ppm.tolist(), part.tolist(), strict=True)
    return np.array([of_ratio(balance * rate * days, PPM * year, rounding) for balance, rate, days in each], np.int64)
