"""Cash flow of loans that are repaid by the originator's own schedule. Pure and vectorised.

A loan is where its balance is: the line to come is the last one whose opening balance (principal of it and of all behind) covers what is
outstanding, and of several with that balance the first, for an assessment depends on no clock. As in `cashflow.predict` a cent for each
line, at most half an instalment, is forgiven. From there on principal is paid as the lines say, until nothing is left; the last takes the
rest. Interest is the lines', and where the balance is another than theirs its part of it.
"""

import numpy as np
import pyarrow as pa

from agents.assessor.cashflow import INT64_MAX, CashFlow, check
from agents.assessor.lines import Lines, lines_of
from agents.assessor.rounding import Ints, of_ratio, quotient
from agents.assessor.schedule import Loans, Schedule
from schemas.amortisation import Amortisation


def to_come(terms: Amortisation, loans: Loans, schedules: pa.ListArray) -> tuple[CashFlow, Schedule]:
    """The cash flow by `schedules` (LINES), and of it what is still to come of the outstanding.

    `remaining_months` are those from the last due day that is past, or the issue, to the last line's; a begun one counts. A loan without a
    schedule, which intake takes no more, has nothing to come.

    Raises:
        BoundsError: a value is out of bounds.
    """
    check(loans.principal_cents, loans.rate_ppm, loans.months, loans.outstanding_cents)
    lines = lines_of(schedules)
    opening = lines.principal_cents[::-1].cumsum(axis=0)[::-1]
    paid = lines.principal_cents + lines.interest_cents
    past = _past(lines, opening, np.minimum(lines.count, paid[0] // 2), loans.outstanding_cents)
    start = np.where(past > 0, np.take_along_axis(lines.due, np.maximum(past - 1, 0)[None], axis=0)[0], loans.issued)
    last = np.take_along_axis(paid, np.maximum(lines.count - 1, 0)[None], axis=0)[0]
    left = np.where(past < lines.count, _months(start, lines.due[-1]), 0)
    flow = CashFlow(paid[0], last, lines.interest_cents.sum(axis=0), left, None)
    return flow, _rest(terms, lines, opening, past, start, loans.outstanding_cents)


def _past(lines: Lines, opening: Ints, spare: Ints, outstanding: Ints) -> Ints:
    """How many lines are past, of each loan; all of them where nothing is outstanding."""
    there = np.arange(len(opening))[:, None] < lines.count
    covering = np.maximum(((opening + spare >= outstanding) & there).sum(axis=0) - 1, 0)
    balance = np.take_along_axis(opening, covering[None], axis=0)[0]
    return np.where(outstanding > 0, ((opening > balance) & there).sum(axis=0), lines.count)


def _rest(terms: Amortisation, lines: Lines, opening: Ints, past: Ints, start: Ints, outstanding: Ints) -> Schedule:
    left = lines.count - past
    place = past + np.arange(max(1, int(left.max(initial=0))))[:, None]
    live, place = place < lines.count, np.minimum(place, len(opening) - 1)
    due, opening, wanted, owed = (
        np.take_along_axis(one, place, axis=0) for one in (lines.due, opening, lines.principal_cents, lines.interest_cents)
    )
    interest, principal = np.zeros((2, *place.shape), np.int64)
    balance = outstanding
    for number in range(len(place)):
        final = number == left - 1
        paid = np.where(final, balance, np.minimum(wanted[number], balance))
        principal[number] = np.where(live[number], paid, 0)
        interest[number] = np.where(live[number], _part(owed[number], balance, opening[number], terms.interest_rounding), 0)
        balance = balance - principal[number]
    return Schedule(start, due, interest, principal, None)


def _part(interest: Ints, balance: Ints, opening: Ints, rounding: str) -> Ints:
    """The interest on `balance` of lines whose `interest` is on `opening`, rounded; as it is where that is nothing."""
    if (balance == opening).all():
        return interest
    whole = np.maximum(opening, 1)
    if int(interest.max(initial=0)) * int(balance.max(initial=0)) <= INT64_MAX - int(whole.max(initial=0)):
        part = quotient(interest * balance, whole, rounding)
    else:  # Python's whole numbers are of any size
        each = zip(interest.tolist(), balance.tolist(), whole.tolist(), strict=True)
        part = np.array([of_ratio(one * owed, of, rounding) for one, owed, of in each], np.int64)
    return np.where(opening > 0, part, interest)


def _months(start: Ints, end: Ints) -> Ints:
    """Months from one day to another; one that has begun counts."""
    (first, day), (last, until) = (
        ((month := days.astype("datetime64[D]").astype("datetime64[M]")), days - month.astype("datetime64[D]").astype(np.int64))
        for days in (start, end)
    )
    months: Ints = (last - first).astype(np.int64) + (until > day)
    return np.maximum(months, 0)
