"""When instalments fall due: every so many months or weeks from the issue to the end of the term, on business days if the product says so.

Pure. What is due in months falls due on the day of the issue, or on the month's last; with `end_of_month` on the month's last where the
issue was on a month's last. What is left of the term at its end is a shorter period.

A loan may have a first due day of its own: then the others are counted from it, as many as without; and a maturity, which is its last
due day. First and last period are then longer or shorter than the others. Business-day conventions are those of ISDA's 2006
Definitions, 4.12; interest accrues to the day that they give (adjusted periods).
"""

from typing import Final

import numpy as np

from agents.assessor.rounding import Ints
from schemas.amortisation import ROLLS, Amortisation

REGULAR: Final = -(2**31)  # stands where a loan has no first due day, or no maturity, of its own


def due_days(
    terms: Amortisation, issued: Ints, months: Ints, first_due: Ints | None = None, maturity: Ints | None = None
) -> tuple[Ints, Ints]:
    """[p, n] due days, since 1970-01-01, of p periods of n loans, after a loan's last one that again; and how many each has [n].

    `first_due` and `maturity` are the loans' own, or REGULAR; None: nobody's.
    """
    if first_due is not None or maturity is not None:
        none = np.full_like(issued, REGULAR)
        due, periods = _irregular(terms, issued, months, none if first_due is None else first_due, none if maturity is None else maturity)
        return _on_business_days(terms, issued, due), periods
    end = months_after(issued, months, end_of_month=terms.end_of_month)
    if terms.every_weeks:
        days = 7 * terms.every_weeks
        periods = -(-(end - issued) // days)
        step = np.arange(1, int(periods.max(initial=1)) + 1)[:, None]
        due = np.minimum(issued + days * step, end)
    else:
        periods = -(-months // terms.every_months)
        step = np.arange(1, int(periods.max(initial=1)) + 1)[:, None]
        due = months_after(issued, np.minimum(terms.every_months * step, months), end_of_month=terms.end_of_month)
    return _on_business_days(terms, issued, due), periods


def _irregular(terms: Amortisation, issued: Ints, months: Ints, first_due: Ints, maturity: Ints) -> tuple[Ints, Ints]:
    """As `due_days`, before business days: counted from the first due day where that is not the regular one, else from the issue."""
    every, weekly = terms.every_months, 7 * terms.every_weeks if terms.every_weeks else 0

    def after(steps: Ints) -> Ints:
        """The due day so many periods after the anchor."""
        if weekly:
            return anchor + weekly * steps
        return months_after(anchor, every * steps, end_of_month=terms.end_of_month)

    anchor = issued
    moved = (first_due != REGULAR) & (first_due != after(np.ones_like(issued)))
    anchor = np.where(moved, first_due, issued)
    if weekly:
        end = months_after(issued, months, end_of_month=terms.end_of_month)
    else:
        end = months_after(anchor, np.where(moved, np.maximum(months - every, 0), months), end_of_month=terms.end_of_month)
    end = np.where(maturity != REGULAR, maturity, np.maximum(end, anchor))
    at_most = int((end - anchor).max(initial=0)) // (weekly or 28 * every) + 2
    step = np.arange(at_most)[:, None] + np.where(moved, 0, 1)
    due = np.minimum(after(step), end)
    periods = (due < end).sum(axis=0) + 1
    return due[: int(periods.max(initial=1))], periods


def _on_business_days(terms: Amortisation, issued: Ints, due: Ints) -> Ints:
    if terms.business_days is None:
        return due
    holidays = np.array(terms.holidays, "datetime64[D]")
    rolled = np.busday_offset(due.astype("datetime64[D]"), 0, ROLLS[terms.business_days], holidays=holidays)
    return np.maximum.accumulate(np.maximum(rolled.astype(np.int64), issued), axis=0)


def months_after(days: Ints, months: Ints, *, end_of_month: bool = False) -> Ints:
    """The same day of a later month, or that month's last; with `end_of_month` the last for a day that is a month's last."""
    month = days.astype("datetime64[D]").astype("datetime64[M]")
    within = days - month.astype("datetime64[D]").astype(np.int64)
    later = month.astype(np.int64) + months
    # A table of months instead of calendar arithmetic for every day, which was a sixth of an assessment.
    first, last = (int(later.min()), int(later.max())) if later.size else (0, 0)
    starts = np.arange(first, last + 2).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    later -= first
    ends = (starts[1:] - 1).take(later)
    result: Ints = starts.take(later)
    result += within
    np.minimum(result, ends, out=result)
    if not end_of_month:
        return result
    return np.where((days + 1).astype("datetime64[D]").astype("datetime64[M]") != month, ends, result)
