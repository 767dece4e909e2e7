"""When instalments fall due: every so many months or weeks from the issue to the end of the term, on business days if the product says so.

Pure. What is due in months falls due on the day of the issue, or on the month's last; with `end_of_month` on the month's last where the
issue was on a month's last. What is left of the term at its end is a shorter period. Business-day conventions are those of ISDA's 2006
Definitions, 4.12; interest accrues to the day that they give (adjusted periods).
"""

import numpy as np

from agents.assessor.rounding import Ints
from schemas.amortisation import ROLLS, Amortisation


def due_days(terms: Amortisation, issued: Ints, months: Ints) -> tuple[Ints, Ints]:
    """[p, n] due days, since 1970-01-01, of p periods of n loans, after a loan's last one that again; and how many each has [n]."""
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
    if terms.business_days is None:
        return due, periods
    holidays = np.array(terms.holidays, "datetime64[D]")
    rolled = np.busday_offset(due.astype("datetime64[D]"), 0, ROLLS[terms.business_days], holidays=holidays)
    return np.maximum.accumulate(np.maximum(rolled.astype(np.int64), issued), axis=0), periods


def months_after(days: Ints, months: Ints, *, end_of_month: bool = False) -> Ints:
    """The same day of a later month, or that month's last; with `end_of_month` the last for a day that is a month's last."""
    day = days.astype("datetime64[D]")
    month = day.astype("datetime64[M]")
    later = month + months
    ends = (later + 1).astype("datetime64[D]") - 1
    result: Ints = np.minimum(later.astype("datetime64[D]") + (day - month.astype("datetime64[D]")), ends).astype(np.int64)
    if not end_of_month:
        return result
    return np.where((day + 1).astype("datetime64[M]") != month, ends.astype(np.int64), result)
