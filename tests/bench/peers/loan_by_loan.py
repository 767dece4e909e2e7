"""Loans assessed one at a time in plain Python, as is usual: money and expected loss in Decimal, or dates, balances and yield by QuantLib.

What both compute is what the assessor does: the schedule, what of it is expected, the internal rate of return of that, score, group, price.
The Decimal one finds the rate in float by Newton's method, since powers of Decimal would take most of its time.
"""

import math
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal
from typing import Any, Final

import QuantLib as ql  # noqa: N813 - its usual name

from schemas.curves import PPM, Curve, entry
from schemas.product import Product
from tests.bench.loans import Answer

EPOCH: Final = date(1970, 1, 1)
CENT: Final = Decimal(1)
MONTH_DAYS: Final = 365.25 / 12
ACTUAL: Final = ql.Actual365Fixed()
NO_CALENDAR: Final = ql.NullCalendar()

Row = Mapping[str, Any]


def by_decimal(row: Row, product: Product) -> Answer:
    """Of a new loan, an annuity rounded up whose interest is rounded half up."""
    score, place = _graded(row, product)
    group = product.groups[place]
    months, balance, rate = row["term_months"], Decimal(row["principal"]), Decimal(row["rate"]) / 12_000_000
    instalment = (balance * rate / (1 - (1 + rate) ** -months)).quantize(CENT, ROUND_CEILING)
    issued = EPOCH + timedelta(days=row["issued"])
    alive, lost, total = Decimal(1), Decimal(0), Decimal(0)
    kept = Decimal(PPM - group.curve.loss_given_default_ppm) / PPM
    lag = round(group.curve.recovery_months * MONTH_DAYS)
    flows: list[tuple[float, float]] = []
    for month in range(months):
        interest = (balance * rate).quantize(CENT, ROUND_HALF_UP)
        principal = balance if month == months - 1 else min(instalment - interest, balance)
        defaulted, prepaid = (alive * entry(shares, month) / PPM for shares in _shares(group.curve))
        alive -= defaulted + prepaid
        days = (_months_after(issued, month + 1) - issued).days
        recovered = defaulted * balance * kept
        flows.append((days / 365, float((interest + principal) * alive + (interest + balance) * prepaid)))
        flows.append(((days + lag) / 365, float(recovered)))
        lost += defaulted * balance - recovered
        total += interest
        balance -= principal
    loss = round(lost / row["principal"] * PPM)
    found = _rate(flows, row["principal"] * (group.price_bp + product.fees_bp[place]) / 10_000)
    return Answer(int(instalment), int(total), score, group.name, group.price_bp, loss, found)


def by_quantlib(row: Row, product: Product) -> Answer:
    """Of a new loan; QuantLib rounds nothing, so that its instalment and interest are close and not the same."""
    score, place = _graded(row, product)
    group = product.groups[place]
    months, amount, rate = row["term_months"], float(row["principal"]), row["rate"] / 1e6
    start = ql.Date(1, 1, 1970) + row["issued"]
    term = ql.Period(months, ql.Months)
    none = ql.Unadjusted
    due = list(ql.Schedule(start, start + term, ql.Period(ql.Monthly), NO_CALENDAR, none, none, ql.DateGeneration.Forward, False))
    balances = ql.sinkingNotionals(term, ql.Monthly, rate, amount)
    alive, lost, total, kept = 1.0, 0.0, 0.0, 1 - group.curve.loss_given_default_ppm / PPM
    lag, leg = round(group.curve.recovery_months * MONTH_DAYS), []
    for month in range(months):
        balance, after = balances[month], balances[month + 1]
        interest = balance * rate / 12
        defaulted, prepaid = (alive * entry(shares, month) / PPM for shares in _shares(group.curve))
        alive -= defaulted + prepaid
        recovered = defaulted * balance * kept
        leg.append(ql.SimpleCashFlow((interest + balance - after) * alive + (interest + balance) * prepaid, due[month + 1]))
        leg.append(ql.SimpleCashFlow(recovered, due[month + 1] + lag))
        lost += defaulted * balance - recovered
        total += interest
    price = amount * (group.price_bp + product.fees_bp[place]) / 10_000
    leg.sort(key=lambda flow: flow.date().serialNumber())
    found = ql.CashFlows.yieldRate(leg, price, ACTUAL, ql.Compounded, ql.Annual, False, start, start)
    instalment = balances[0] * rate / 12 + balances[0] - balances[1]
    return Answer(round(instalment), round(total), score, group.name, group.price_bp, round(lost / amount * PPM), round(found * PPM))


def _shares(curve: Curve) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return curve.default_ppm, curve.prepayment_ppm


def _graded(row: Row, product: Product) -> tuple[int, int]:
    """Score, and place of the group."""
    score = 0
    for line in product.scorecard:
        value = row[line.column]
        if value is None:
            score += line.missing
        elif line.bands:
            score += next(band.points for band in line.bands if band.below is None or value < band.below)
        else:
            score += line.values.get(value, line.missing)
    last = len(product.groups) - 1
    return score, next((place for place, group in enumerate(product.groups) if score >= group.from_score), last)


def _months_after(day: date, months: int) -> date:
    years, month = divmod(day.month - 1 + months, 12)
    following = date(day.year + years + (month == 11), (month + 1) % 12 + 1, 1)
    return min(date(day.year + years, month + 1, 1) + timedelta(days=day.day - 1), following - timedelta(days=1))


def _rate(flows: list[tuple[float, float]], price: float) -> int:
    """Newton's method on the logarithm of the present value, in parts per million a year, compounded each year."""
    rate = 0.0
    for _ in range(50):
        worth = mean = 0.0
        for years, cents in flows:
            now = cents * math.exp(-years * rate)
            worth += now
            mean += years * now
        step = math.log(worth / price) * worth / mean
        rate += step
        if abs(step) < 1e-9:
            break
    return round(math.expm1(rate) * PPM)
