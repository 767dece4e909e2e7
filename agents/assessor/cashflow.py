"""Cash flow: the instalment, its original schedule, and how many instalments are still to come; of annuities, and of bullets.

Pure and vectorised: one-dimensional int64 arrays with an entry for each loan, within the bounds of `schemas/asset.py`. Amounts are cents,
rates parts per million a year, a period is a month and its rate a twelfth of the year's.

Every result is exact. float64 computes; where it comes within its error of a rounding boundary, whole numbers of any size settle
the case. Rates are fractions of twelve million, so that powers of them are ratios of whole numbers and no precision has to be chosen.

Rounding: the instalment goes up to the next cent, a month's interest to the nearest cent, half a cent up (that is what borrowers of
the LendingClub loans paid: rounding down is off by a cent every second month). The last instalment takes what is left over. A bullet's
one payment is its instalment, and goes up to the next cent.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.asset import CENTS_MAX

RATE_PPM_MAX: Final = 2_000_000
MONTHS_MAX: Final = 600
PERIODS: Final = 12 * 1_000_000  # a month's interest is balance * rate_ppm / PERIODS
INT64_MAX: Final = 2**63 - 1
# Relative error allowed for a float64 result: six roundings and two library functions stay far below 64 units of 2**-52.
ERROR: Final = 64 * 2.0**-52

Ints = NDArray[np.int64]


class BoundsError(ValueError):
    """A loan beyond the bounds for which the results are exact: the message has its row, the input's name and the bounds."""


@dataclass(frozen=True, slots=True)
class CashFlow:
    """What is to be paid: an entry for each loan, int64."""

    instalment_cents: Ints
    last_instalment_cents: Ints  # of the original schedule
    interest_cents: Ints  # all interest of the original schedule
    remaining_months: Ints


def predict(principal_cents: Ints, rate_ppm: Ints, months: Ints, outstanding_cents: Ints) -> CashFlow:
    """The cash flow of loans of `principal_cents` over `months`, of which `outstanding_cents` is not yet repaid.

    Raises:
        BoundsError: a value is out of bounds.
    """
    _check(principal_cents, rate_ppm, months, outstanding_cents)
    instalment = instalments(principal_cents, rate_ppm, months)
    interest = np.zeros_like(principal_cents)
    paid = np.zeros_like(principal_cents)  # how many instalments are paid until nothing is owed
    for month_interest, month_principal in schedule(principal_cents, rate_ppm, months, instalment):
        interest += month_interest
        paid += month_interest + month_principal > 0
    last = principal_cents + interest - instalment * (paid - 1)
    return CashFlow(instalment, last, interest, remaining(outstanding_cents, rate_ppm, months, instalment))


def predict_bullet(principal_cents: Ints, rate_ppm: Ints, months: Ints, outstanding_cents: Ints) -> CashFlow:
    """The cash flow of what is paid with all its interest at the end, and nothing in the months before.

    What is paid at the end is P * (1 + i * n): simple interest, as none falls due on the way (QuantLib's compounding `Simple`: 1 + r * t
    with n twelfths of a year as t). How much of the term is over is not known here: while anything is outstanding, all its months may be
    to come.

    Raises:
        BoundsError: a value is out of bounds.
    """
    _check(principal_cents, rate_ppm, months, outstanding_cents)
    factor = rate_ppm * months
    whole, rest = np.divmod(principal_cents, PERIODS)  # the product would not fit int64, its two parts do
    interest = whole * factor - (-(rest * factor) // PERIODS)
    return CashFlow(np.zeros_like(principal_cents), principal_cents + interest, interest, np.where(outstanding_cents > 0, months, 0))


def instalments(principal_cents: Ints, rate_ppm: Ints, months: Ints) -> Ints:
    """The regular instalment P * i / (1 - (1 + i)**-n), up to the next cent; P / n without interest.

    Source: present value of an annuity in arrears, e.g. numpy-financial's `pmt`.
    """
    i = rate_ppm / PERIODS
    with np.errstate(divide="ignore", invalid="ignore"):
        exact = principal_cents * i / -np.expm1(-months * np.log1p(i))
    free = rate_ppm == 0
    exact[free] = 1.0
    result = np.ceil(exact).astype(np.int64)
    result[free] = -(-principal_cents[free] // months[free])
    unsure = ~free & (np.abs(exact - np.rint(exact)) <= exact * ERROR)
    for row in np.flatnonzero(unsure):
        result[row] = _settle_instalment(int(principal_cents[row]), int(rate_ppm[row]), int(months[row]))
    return result


def schedule(principal_cents: Ints, rate_ppm: Ints, months: Ints, instalment_cents: Ints) -> Iterator[tuple[Ints, Ints]]:
    """Interest and principal parts of the first, second … instalment of all loans, in cents; zeros after a loan's last.

    The principal parts of a loan add up to its principal. Rounding the instalment up may end a loan before its term; the balance is
    never negative, and interest never exceeds the instalment: its unrounded form covers the first month's interest.
    """
    balance = principal_cents
    ends = set(np.unique(months).tolist())
    for month in range(1, int(months.max(initial=0)) + 1):
        interest = _interest(balance, rate_ppm)
        principal = np.minimum(instalment_cents - interest, balance)
        if month in ends:
            principal = np.where(months == month, balance, principal)
        balance = balance - principal
        yield interest, principal


def remaining(outstanding_cents: Ints, rate_ppm: Ints, months: Ints, instalment_cents: Ints) -> Ints:
    """The smallest number of regular instalments that pays off what is outstanding, 0 to 600; 600 also if interest eats them up.

    It is -ln(1 - B * i / A) / ln(1 + i), the annuity's formula solved for n (numpy-financial's `nper`), up to the next whole number, of a
    balance B that leaves the rounding residual to the last instalment: a cent for each month of the term, at most half an
    instalment. Without that a loan on schedule would, by a cent, seem to need one instalment more than it has.
    """
    balance = np.maximum(outstanding_cents - np.minimum(months, instalment_cents // 2), 0)
    i = rate_ppm / PERIODS
    free = rate_ppm == 0
    growth = np.where(free, 1.0, np.log1p(i))
    eaten = np.minimum(balance * i / instalment_cents, 1.0)  # of an instalment, by the first month's interest
    with np.errstate(divide="ignore"):
        exact = -np.log1p(-eaten) / growth
        error = ERROR * (eaten / (1.0 - eaten) / growth + exact)
    result = np.ceil(np.minimum(exact, MONTHS_MAX)).astype(np.int64)
    result[free] = -(-balance[free] // instalment_cents[free])
    unsure = ~free & (balance > 0) & (np.abs(exact - np.rint(np.minimum(exact, MONTHS_MAX))) <= error)
    for row in np.flatnonzero(unsure):
        result[row] = _settle_remaining(int(balance[row]), int(rate_ppm[row]), int(instalment_cents[row]))
    return np.where(outstanding_cents > 0, np.clip(result, 1, MONTHS_MAX), 0)


def _interest(balance_cents: Ints, rate_ppm: Ints) -> Ints:
    """A month's interest, half a cent up."""
    half = PERIODS // 2
    if int(balance_cents.max(initial=0)) * int(rate_ppm.max(initial=0)) <= INT64_MAX - half:
        return (balance_cents * rate_ppm + half) // PERIODS
    whole, rest = np.divmod(balance_cents, PERIODS)  # the product would not fit int64, its two parts do
    return whole * rate_ppm + (rest * rate_ppm + half) // PERIODS


def _settle_instalment(principal: int, rate: int, months: int) -> int:
    grown, flat = _powers(rate, months)
    return -(-principal * rate * grown // (PERIODS * (grown - flat)))


def _settle_remaining(balance: int, rate: int, instalment: int) -> int:
    def pays_off(months: int) -> bool:
        grown, flat = _powers(rate, months)
        return balance * rate * grown <= instalment * PERIODS * (grown - flat)

    return bisect_left(range(MONTHS_MAX), True, key=pays_off)


def _powers(rate: int, months: int) -> tuple[int, int]:
    """Numerator and denominator of (1 + i)**months."""
    return (PERIODS + rate) ** months, PERIODS**months


def _check(principal_cents: Ints, rate_ppm: Ints, months: Ints, outstanding_cents: Ints) -> None:
    _require("principal_cents", principal_cents, 1, CENTS_MAX)
    _require("rate_ppm", rate_ppm, 0, RATE_PPM_MAX)
    _require("months", months, 1, MONTHS_MAX)
    _require("outstanding_cents", outstanding_cents, 0, CENTS_MAX)


def _require(name: str, values: Ints, low: int, high: int) -> None:
    wrong = np.flatnonzero((values < low) | (values > high))
    if wrong.size:
        raise BoundsError(f"row {wrong[0]}: {name} is {values[wrong[0]]}, must be {low} to {high}")
