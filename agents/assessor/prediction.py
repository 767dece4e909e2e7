"""Predicted cash flow: what an investor may expect who buys all that is outstanding of each loan at the beginning of a schedule. Pure.

A loan alive at a month's beginning defaults or is prepaid in it with the shares of its risk group's curve, by its month on book. Of a
period's instalment what survives the period is paid; what is prepaid in it is paid with it, the balance and the period's interest; of what
defaults in it comes nothing then, and 1 - loss given default of the balance `recovery_months` (of 30.4375 days) after the due day.

Sources: SIFMA, Standard Formulas for the Analysis of Mortgage-Backed Securities, chapter SF, for a month's default and prepayment rates
(MDR, SMM), survival and the lag of recoveries; other than there, both shares are of what is alive at the beginning. XIRR as in
spreadsheets: ACT/365F, compounded each year. Duration: Macaulay, 1938.

Vectorised: arrays are [p, n], a row a period and a column a loan, as in a `Schedule`. float64 computes, for these are estimates and no
money; the same input gives the same result on the same machine and libraries.

What it depends on is a version and its product: a loan is valued as its schedule says, whatever its status and days past due.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from schemas.curves import PPM, Curve, entry

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

MONTH_DAYS: Final = 365.25 / 12
YEAR_DAYS: Final = 365.0  # of a XIRR: ACT/365F, as in spreadsheets
STEPS_MAX: Final = 50  # of Newton; three are the rule
ERROR: Final = 1e-9  # of the continuous rate: a thousandth of a part per million
RETURN_PPM_MIN: Final = 1 - PPM  # a return is above -100 %, however little is expected
RETURN_PPM_MAX: Final = 10**12  # a million times the price a year; above it there is no expected return


class Periods(Protocol):
    """What of a `Schedule` is needed: its arrays as its docstring has them."""

    @property
    def start(self) -> Ints: ...
    @property
    def due(self) -> Ints: ...
    @property
    def interest_cents(self) -> Ints: ...
    @property
    def principal_cents(self) -> Ints: ...
    @property
    def months(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class Prediction:
    """An entry for each loan. Where there is none, NaN: nothing outstanding, nothing expected, or a rate out of all bounds."""

    loss_ppm: Ints  # principal lost, undiscounted, of what is outstanding
    return_ppm: Floats  # XIRR a year at the price, whole numbers
    duration_days: Floats  # Macaulay's at that return, whole numbers


@dataclass(frozen=True, slots=True)
class Flows:
    """What is expected, in cents: `paid` on the due days, `recovered` `lag_years` after them. `years` from the start to the due days."""

    years: Floats  # [p, n]
    paid: Floats  # [p, n]
    recovered: Floats  # [p, n]
    lag_years: Floats  # [n]
    lost: Floats  # [n] principal, in all


class Curves:
    """The curves of a product's groups, ready for many loans: an entry a group and month on book."""

    def __init__(self, curves: Sequence[Curve]) -> None:
        self.months = max(1, *(len(shares) for one in curves for shares in (one.default_ppm, one.prepayment_ppm)))
        self.default = np.array([[entry(one.default_ppm, m) / PPM for m in range(self.months)] for one in curves])
        self.prepayment = np.array([[entry(one.prepayment_ppm, m) / PPM for m in range(self.months)] for one in curves])
        self.loss = np.array([one.loss_given_default_ppm / PPM for one in curves])
        self.lag_days = np.array([round(one.recovery_months * MONTH_DAYS) for one in curves], np.float64)
        self.never = not (self.default.any() or self.prepayment.any())


def predict(schedule: Periods, age_months: Ints, curves: Curves, group: Ints, price_bp: Ints) -> Prediction:
    """The prediction of loans that are `age_months` on book at the schedule's start, of the groups at `group`, bought at `price_bp`."""
    flows = expected(schedule, age_months, curves, group)
    outstanding = schedule.principal_cents.sum(axis=0).astype(np.float64)
    rate, duration = returns(flows, outstanding * price_bp / 10_000)
    loss = np.divide(flows.lost, outstanding, out=np.zeros_like(outstanding), where=outstanding > 0)
    with np.errstate(over="ignore", invalid="ignore"):
        found = np.maximum(np.rint(np.expm1(rate) * PPM), RETURN_PPM_MIN)
        there = found <= RETURN_PPM_MAX
    return Prediction(
        np.rint(loss * PPM).astype(np.int64),
        np.where(there, found, np.nan),
        np.where(there, np.rint(duration * YEAR_DAYS), np.nan),
    )


def expected(schedule: Periods, age_months: Ints, curves: Curves, group: Ints) -> Flows:
    """The flows of `schedule`, weighted by what becomes of the loans."""
    principal = schedule.principal_cents.astype(np.float64)
    interest = schedule.interest_cents.astype(np.float64)
    years = (schedule.due - schedule.start) / YEAR_DAYS
    lag = curves.lag_days[group] / YEAR_DAYS
    if curves.never:
        nothing = np.zeros(len(group))
        return Flows(years, interest + principal, np.zeros((1, len(group))), lag, nothing)
    balance = principal[::-1].cumsum(axis=0)[::-1]
    alive, defaulted, prepaid = _fates(schedule, age_months, curves, group)
    paid = interest * (alive + prepaid) + principal * alive + balance * prepaid
    defaulted *= balance
    loss = curves.loss[group]
    return Flows(years, paid, defaulted * (1.0 - loss), lag, defaulted.sum(axis=0) * loss)


def _fates(schedule: Periods, age_months: Ints, curves: Curves, group: Ints) -> tuple[Floats, Floats, Floats]:
    """Of a loan alive at the start: the shares alive at each period's end, defaulted in it, prepaid in it; each [p, n].

    Where periods are not of whole months, a month's defaults and prepayments are spread evenly over its days.
    """
    periods = len(schedule.due)
    days = schedule.due - schedule.start
    months = schedule.months * periods if schedule.months else int(np.ceil(days.max(initial=0) / MONTH_DAYS))
    on_book = np.minimum(age_months + np.arange(months)[:, None], curves.months - 1) + group * curves.months
    default, prepayment = curves.default.ravel().take(on_book), curves.prepayment.ravel().take(on_book)
    begun = np.ones((months + 1, len(group)))
    np.cumprod(1.0 - default - prepayment, axis=0, out=begun[1:])
    default *= begun[:-1]
    prepayment *= begun[:-1]
    if schedule.months == 1:
        return begun[1:], default, prepayment
    if schedule.months:
        shape = (periods, schedule.months, len(group))
        return begun[schedule.months :: schedule.months], default.reshape(shape).sum(axis=1), prepayment.reshape(shape).sum(axis=1)
    until = days / MONTH_DAYS
    gone = (_until(part, until) for part in (default, prepayment))
    defaulted, prepaid = (np.diff(part, axis=0, prepend=0.0) for part in gone)
    return 1.0 - (defaulted + prepaid).cumsum(axis=0), defaulted, prepaid


def _until(monthly: Floats, months: Floats) -> Floats:
    """The sum of `monthly` [m, n] over the first `months` [p, n], of a begun one its part."""
    total = np.zeros((len(monthly) + 1, monthly.shape[1]))
    np.cumsum(monthly, axis=0, out=total[1:])
    whole = np.minimum(months.astype(np.int64), len(monthly) - 1)
    low = np.take_along_axis(total, whole, axis=0)
    return low + (np.take_along_axis(total, whole + 1, axis=0) - low) * (months - whole)


def returns(flows: Flows, price: Floats) -> tuple[Floats, Floats]:
    """The continuous rate a year at which the flows are worth `price`, and Macaulay's duration in years; NaN where there is none.

    Newton's method on the logarithm of the present value, which is convex and falling in the rate (its slope is the duration, its curvature
    the variance of the flows' times): from a rate that is too low each step comes closer and none passes the solution; from one
    that is too high the first step goes below it. So no bracket is needed. It starts at zero, where a step costs no exponential. An error
    e leaves one of at most e² * variance / (2 * duration), and a variance is at most a quarter of the squared range. What is not
    below ERROR after STEPS_MAX steps is told as none, never as a number.

    What made it fast, 1,000 loans of 36 months at a time: the first step for free, three exponentials a flow in all, and rows of
    contiguous loans; the lag of recoveries as one factor a loan, instead of flows scattered to rows of their own.
    """
    count = len(price)
    rate, duration = np.full(count, np.nan), np.full(count, np.nan)
    whole = flows.paid + flows.recovered
    worth = whole.sum(axis=0)
    moment = (flows.years * whole).sum(axis=0) + flows.lag_years * flows.recovered.sum(axis=0)
    open_ = np.flatnonzero((worth > 0) & (price > 0) & (moment > 0))
    some = _of(flows, open_) if len(open_) < count else flows
    guess = np.log(worth[open_] / price[open_]) * worth[open_] / moment[open_]
    target, longest = np.log(price[open_]), (some.years.max(axis=0, initial=0.0) + some.lag_years) ** 2 / 8
    for _ in range(STEPS_MAX):
        with np.errstate(all="ignore"):
            value, mean = _worth(some, guess)
            step = (value - target) / mean
            guess = guess + step
            close = step * step * longest <= ERROR * mean
        if close.any():
            rate[open_[close]], duration[open_[close]] = guess[close], mean[close]
        going = np.flatnonzero(~close & np.isfinite(guess))
        if not len(going):
            break
        if len(going) < len(open_):
            open_, some = open_[going], _of(some, going)
            guess, target, longest = guess[going], target[going], longest[going]
    return rate, duration


def _worth(flows: Flows, rate: Floats) -> tuple[Floats, Floats]:
    """Logarithm of the present value at a continuous rate, and the mean of the flows' times weighted by it, in years.

    Factors are relative to the first or the last moment, whichever weighs most, so that none of them overflows.
    """
    above, below = np.maximum(rate, 0.0), np.minimum(rate, 0.0)
    last = flows.years.max(axis=0)
    discounted = np.exp(below * last - flows.years * rate)
    late = np.exp(flows.lag_years * -above)
    recovered = (discounted * flows.recovered).sum(axis=0) * late
    discounted *= flows.paid * np.exp(flows.lag_years * below) + flows.recovered * late
    value = discounted.sum(axis=0)
    discounted *= flows.years
    mean = (discounted.sum(axis=0) + flows.lag_years * recovered) / value
    return np.log(value) - below * (last + flows.lag_years), mean


def _of(flows: Flows, loans: Ints) -> Flows:
    return Flows(flows.years[:, loans], flows.paid[:, loans], flows.recovered[:, loans], flows.lag_years[loans], flows.lost[loans])
