"""The instalments that are still to come, by their due days. Pure.

Vectorised: [p, n] arrays, a row a month and a column a loan, so that a loop over months meets contiguous vectors.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from agents.assessor.calendar import REGULAR, months_after
from agents.assessor.cashflow import instalments, interest_of, schedule, simple_interest
from agents.assessor.rounding import Ints
from schemas.amortisation import BULLET, INTEREST_ONLY, Amortisation


@dataclass(frozen=True, slots=True)
class Loans:
    """Loans of one product, int64 arrays [n], within the bounds of `schemas/asset.py`."""

    principal_cents: Ints
    rate_ppm: Ints
    months: Ints
    issued: Ints  # days since 1970-01-01
    outstanding_cents: Ints
    first_due: Ints | None = None  # as `calendar.due_days` has them
    maturity: Ints | None = None


def loans_of(rows: pa.RecordBatch) -> Loans:
    """The loans of `rows`, which have the columns of LOAN."""
    own = (rows.column(name) for name in ("first_due", "maturity"))
    days = (None if one.null_count == len(one) else one.fill_null(REGULAR).to_numpy() for one in own)
    return Loans(*(rows.column(name).to_numpy() for name in ("principal", "rate", "term_months", "issued", "outstanding")), *days)


@dataclass(frozen=True, slots=True)
class Schedule:
    """p periods of n loans."""

    start: Ints  # [n] day from which the first instalment's interest accrues
    due: Ints  # [p, n] days since 1970-01-01; after a loan's last instalment its last due day again
    interest_cents: Ints  # [p, n], zeros after the last
    principal_cents: Ints  # [p, n], zeros after the last; adds up to what is owed at `start`
    months: int | None  # of a period; None where all is one period


def to_come(terms: Amortisation, loans: Loans, remaining_months: Ints) -> Schedule:
    """What is still to come of the outstanding in `remaining_months` (`cashflow.predict`), by the original regular instalments.

    It begins with the last due day that is past, or with the issue: an assessment depends on no clock. What falls due in months falls
    due on the day of the issue, or on the month's last.
    """
    past = np.maximum(loans.months - remaining_months, 0)
    if terms.kind == BULLET:
        due = months_after(loans.issued, loans.months)
        interest = simple_interest(loans.outstanding_cents, loans.rate_ppm, loans.months, terms.rounding)
        return Schedule(loans.issued, due[None], interest[None], loans.outstanding_cents[None], None)
    month = np.arange(max(1, int(remaining_months.max(initial=0))))[:, None]
    if terms.kind == INTEREST_ONLY:
        owed = interest_of(loans.outstanding_cents, loans.rate_ppm, terms.interest_rounding)
        parts = np.where(month < remaining_months, owed, 0), np.where(month == remaining_months - 1, loans.outstanding_cents, 0)
    else:
        parts = _amortised(terms, loans, remaining_months, len(month))
    due = months_after(loans.issued, past + np.minimum(month + 1, remaining_months))
    return Schedule(months_after(loans.issued, past), due, *parts, 1)


def _amortised(terms: Amortisation, loans: Loans, remaining_months: Ints, periods: int) -> tuple[Ints, Ints]:
    interest, principal = np.zeros((2, periods, len(remaining_months)), np.int64)
    regular = instalments(terms, loans.principal_cents, loans.rate_ppm, loans.months)
    for month, parts in enumerate(schedule(terms, loans.outstanding_cents, loans.rate_ppm, remaining_months, regular)):
        interest[month], principal[month] = parts
    return interest, principal
