"""The predicted cash flow of one loan, a month and a period at a time, as (day, cents) flows and the principal lost."""

import math
from dataclasses import dataclass

from schemas.curves import PPM, Curve, entry

MONTH_DAYS = 365.25 / 12


@dataclass(frozen=True)
class Loan:
    """One column of a schedule: an instalment is (due, interest, principal); `months` are a period's, None where its days count."""

    start: int
    instalments: list[tuple[int, int, int]]
    months: int | None
    age_months: int


def predicted(loan: Loan, curve: Curve) -> tuple[list[tuple[int, float]], float]:
    flows, lost = [], 0.0
    balance = float(sum(principal for _, _, principal in loan.instalments))
    defaulted_before = prepaid_before = 0.0
    for number, (due, interest, principal) in enumerate(loan.instalments, 1):
        until = loan.months * number if loan.months else (due - loan.start) / MONTH_DAYS
        defaulted, prepaid = _gone(curve, loan.age_months, until)
        alive = 1 - defaulted - prepaid
        flows.append((due, alive * (interest + principal) + (prepaid - prepaid_before) * (balance + interest)))
        default = (defaulted - defaulted_before) * balance
        recovered = default * (1 - curve.loss_given_default_ppm / PPM)
        flows.append((due + round(curve.recovery_months * MONTH_DAYS), recovered))
        lost += default - recovered
        balance -= principal
        defaulted_before, prepaid_before = defaulted, prepaid
    assert abs(balance) < 1e-6
    return flows, lost


def _gone(curve: Curve, age: int, until: float) -> tuple[float, float]:
    """The shares that defaulted and were prepaid within `until` months, whole or not."""
    alive, defaulted, prepaid = 1.0, 0.0, 0.0
    for month in range(math.ceil(until)):
        part = min(1.0, until - month)
        default, prepayment = (entry(shares, age + month) / PPM for shares in (curve.default_ppm, curve.prepayment_ppm))
        defaulted += alive * default * part
        prepaid += alive * prepayment * part
        alive *= 1 - default - prepayment
    return defaulted, prepaid
