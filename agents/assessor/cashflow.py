"""Cash flow: the instalments of a loan's original schedule, and how many are still to come, for each kind of amortisation.

Pure and vectorised: one-dimensional int64 arrays with an entry for each loan, within the bounds of `schemas/asset.py`. Amounts are cents,
rates parts per million a year, a period is a month and its rate a twelfth of the year's (ACT/ACT ICMA of a regular month, which is what
the LendingClub loans pay).

Every result is exact. float64 computes; where it comes within its error of a rounding boundary, whole numbers of any size settle
the case. Rates are fractions of twelve million, so that powers of them are ratios of whole numbers and no precision has to be chosen.

The product says how instalment and interest are rounded (`schemas/amortisation.py`): LendingClub's instalments go up to the next cent, a
month's interest to the nearest cent, half a cent up (rounding it down is off by a cent every second month). The last instalment takes
what is left over.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from agents.assessor.rounding import Ints, Ratio, nearest, quotient
from schemas.amortisation import ANNUITY, BULLET, EQUAL_PRINCIPAL, INTEREST_ONLY, Amortisation
from schemas.asset import CENTS_MAX

RATE_PPM_MAX: Final = 2_000_000
MONTHS_MAX: Final = 600
PERIODS: Final = 12 * 1_000_000  # a month's interest is balance * rate_ppm / PERIODS
INT64_MAX: Final = 2**63 - 1


class BoundsError(ValueError):
    """A loan beyond the bounds for which the results are exact: the message has its row, the input's name and the bounds."""


@dataclass(frozen=True, slots=True)
class CashFlow:
    """What is to be paid: an entry for each loan, int64.

    The residual is what rounding leaves over, and the last instalment takes: of an annuity that instalment less the regular one; of equal
    principal its principal part less the regular part. It is below zero where the regular one is rounded up. Where nothing regular is
    rounded (bullet, interest only) it is 0.
    """

    instalment_cents: Ints  # the first; all are alike but the last, except with equal principal, where they fall
    last_instalment_cents: Ints  # of the original schedule
    interest_cents: Ints  # all interest of the original schedule
    remaining_months: Ints
    residual_cents: Ints | None  # None: by no regular instalment


def predict(terms: Amortisation, principal_cents: Ints, rate_ppm: Ints, months: Ints, outstanding_cents: Ints) -> CashFlow:
    """The cash flow of loans of `principal_cents` over `months`, of which `outstanding_cents` is not yet repaid.

    Still to come are the instalments of the original schedule from the first on whose opening balance covers what is outstanding, all of
    them if none does; where all is paid at the end, all months while anything is outstanding. A loan that was repaid faster than agreed
    is so taken to end sooner. What is outstanding may exceed that balance by a cent for each month of the term, at most half an
    instalment: originators round in other ways, and a loan on schedule must not, by a cent, seem to need one instalment more than it has.

    Raises:
        BoundsError: a value is out of bounds.
    """
    check(principal_cents, rate_ppm, months, outstanding_cents)
    if terms.kind == BULLET:
        return _bullet(terms, principal_cents, rate_ppm, months, outstanding_cents)
    if terms.kind == INTEREST_ONLY:
        return _interest_only(terms, principal_cents, rate_ppm, months, outstanding_cents)
    regular = instalments(terms, principal_cents, rate_ppm, months)
    first = regular if terms.kind == ANNUITY else regular + interest_of(principal_cents, rate_ppm, terms.interest_rounding)
    covering = outstanding_cents - np.minimum(months, first // 2)  # the opening balance from which on it covers what is outstanding
    balance, last = principal_cents, first.copy()
    interest, short = np.zeros_like(principal_cents), np.zeros_like(principal_cents)
    for month_interest, month_principal in schedule(terms, principal_cents, rate_ppm, months, regular):
        paid = month_interest + month_principal
        short += (balance < covering) & (balance > 0)
        np.copyto(last, paid, where=paid > 0)
        interest += month_interest
        balance = balance - month_principal
    residual = residuals(terms, principal_cents, months, regular, last)
    return CashFlow(first, last, interest, np.where(outstanding_cents > 0, np.minimum(short + 1, months), 0), residual)


def residuals(terms: Amortisation, principal_cents: Ints, periods: Ints, regular_cents: Ints, last_cents: Ints) -> Ints:
    """The residuals of `CashFlow`; `regular_cents` are the `instalments`, `last_cents` the last ones."""
    if terms.kind == ANNUITY:
        return last_cents - regular_cents
    if terms.kind == EQUAL_PRINCIPAL:
        parts: Ints = np.minimum(periods, -(-principal_cents // regular_cents))  # rounded up, they may be fewer than there are periods
        return principal_cents - regular_cents * parts
    return np.zeros_like(principal_cents)


def schedule(terms: Amortisation, principal_cents: Ints, rate_ppm: Ints, months: Ints, regular_cents: Ints) -> Iterator[tuple[Ints, Ints]]:
    """Interest and principal parts of the first, second … instalment of all loans, in cents; zeros after a loan's last.

    Of an annuity, or of equal principal; `regular_cents` are their `instalments`. The principal parts of a loan add up to its principal;
    the balance never grows and is never negative. Rounding up may end a loan before its term. Where interest would exceed a rounded-down
    instalment, it alone is paid.
    """
    balance, fits = principal_cents, _fits(principal_cents, rate_ppm)
    ends = set(np.unique(months).tolist())
    for month in range(1, int(months.max(initial=0)) + 1):
        interest = _interest_of(balance, rate_ppm, terms.interest_rounding, fits)
        principal = np.minimum(np.maximum(regular_cents - interest, 0) if terms.kind == ANNUITY else regular_cents, balance)
        if month in ends:
            principal = np.where(months == month, balance, principal)
        balance = balance - principal
        yield interest, principal


def instalments(terms: Amortisation, principal_cents: Ints, rate_ppm: Ints, months: Ints) -> Ints:
    """What is regular: the annuity's instalment P * i / (1 - (1 + i)**-n), the equal principal P / n. Rounded, and at least a cent.

    An annuity without interest is P / n. Source: present value of an annuity in arrears, e.g. numpy-financial's `pmt`.
    """
    i = rate_ppm / PERIODS
    with np.errstate(divide="ignore", invalid="ignore"):
        exact = principal_cents * i / -np.expm1(-months * np.log1p(i))
    free = (rate_ppm == 0) | (terms.kind == EQUAL_PRINCIPAL)
    exact[free] = principal_cents[free] / months[free]

    def ratio(row: int) -> Ratio:
        principal, rate, n = int(principal_cents[row]), int(rate_ppm[row]), int(months[row])
        if free[row]:
            return principal, n
        grown, flat = (PERIODS + rate) ** n, PERIODS**n
        return principal * rate * grown, PERIODS * (grown - flat)

    return np.maximum(nearest(exact, terms.rounding, ratio), 1)


def _interest_only(terms: Amortisation, principal_cents: Ints, rate_ppm: Ints, months: Ints, outstanding_cents: Ints) -> CashFlow:
    month = interest_of(principal_cents, rate_ppm, terms.interest_rounding)
    first = np.where(months == 1, principal_cents + month, month)
    left = np.where(outstanding_cents > 0, months, 0)
    return CashFlow(first, principal_cents + month, month * months, left, np.zeros_like(principal_cents))


def _bullet(terms: Amortisation, principal_cents: Ints, rate_ppm: Ints, months: Ints, outstanding_cents: Ints) -> CashFlow:
    """Its one payment is the last instalment."""
    interest = simple_interest(principal_cents, rate_ppm, months, terms.rounding)
    none = np.zeros_like(principal_cents)
    return CashFlow(none, principal_cents + interest, interest, np.where(outstanding_cents > 0, months, 0), none)


def simple_interest(principal_cents: Ints, rate_ppm: Ints, months: Ints, rounding: str) -> Ints:
    """P * i * n, rounded once: none falls due on the way.

    QuantLib's compounding `Simple`: 1 + r * t with n twelfths of a year as t.
    """
    factor = rate_ppm * months
    whole, rest = np.divmod(principal_cents, PERIODS)  # the product would not fit int64, its two parts do
    return quotient(rest * factor, PERIODS, rounding, whole * factor)


def interest_of(balance_cents: Ints, rate_ppm: Ints, rounding: str) -> Ints:
    """A month's interest, rounded."""
    return _interest_of(balance_cents, rate_ppm, rounding, _fits(balance_cents, rate_ppm))


def _fits(balance_cents: Ints, rate_ppm: Ints) -> bool:
    """Whether the product of these, and of all lower balances, fits int64."""
    return int(balance_cents.max(initial=0)) * int(rate_ppm.max(initial=0)) <= INT64_MAX - PERIODS


def _interest_of(balance_cents: Ints, rate_ppm: Ints, rounding: str, fits: bool) -> Ints:
    if fits:
        return quotient(balance_cents * rate_ppm, PERIODS, rounding)
    whole, rest = np.divmod(balance_cents, PERIODS)  # the two parts of the product do
    return quotient(rest * rate_ppm, PERIODS, rounding, whole * rate_ppm)


def check(principal_cents: Ints, rate_ppm: Ints, months: Ints, outstanding_cents: Ints) -> None:
    """Raises BoundsError."""
    _require("principal_cents", principal_cents, 1, CENTS_MAX)
    _require("rate_ppm", rate_ppm, 0, RATE_PPM_MAX)
    _require("months", months, 1, MONTHS_MAX)
    _require("outstanding_cents", outstanding_cents, 0, CENTS_MAX)


def _require(name: str, values: Ints, low: int, high: int) -> None:
    wrong = np.flatnonzero((values < low) | (values > high))
    if wrong.size:
        raise BoundsError(f"row {wrong[0]}: {name} is {values[wrong[0]]}, must be {low} to {high}")
