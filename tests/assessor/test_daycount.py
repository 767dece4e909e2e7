"""Parts of a year and due days are QuantLib's."""

from datetime import date, timedelta
from fractions import Fraction

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813 - its usual name
from hypothesis import example, given
from hypothesis import strategies as st

from agents.assessor.calendar import due_days
from agents.assessor.daycount import part_of_year
from schemas.amortisation import DAY_COUNTS, Amortisation

EPOCH = date(1970, 1, 1)
THEIRS = {
    "ACT/365F": lambda _: ql.Actual365Fixed(),
    "ACT/360": lambda _: ql.Actual360(),
    "ACT/ACT ISDA": lambda _: ql.ActualActual(ql.ActualActual.ISDA),
    "30/360 US": lambda _: ql.Thirty360(ql.Thirty360.USA),
    "30E/360": lambda _: ql.Thirty360(ql.Thirty360.European),
    "30E/360 ISDA": lambda maturity: ql.Thirty360(ql.Thirty360.ISDA, maturity),
}
ROLLS = {
    "following": ql.Following, "modified_following": ql.ModifiedFollowing,
    "preceding": ql.Preceding, "modified_preceding": ql.ModifiedPreceding,
}  # fmt: skip
days = st.dates(date(1904, 1, 1), date(2140, 12, 31))  # of QuantLib, less a long term


def number(day):
    return (day - EPOCH).days


def theirs(day):
    return ql.Date(day.day, day.month, day.year)


def ours(ql_date):
    return date(ql_date.year(), ql_date.month(), ql_date.dayOfMonth())


@pytest.mark.parametrize("convention", DAY_COUNTS)
@given(days, st.integers(0, 4_000), st.integers(0, 40) | st.just(0))
@example(date(2024, 2, 29), 365, 0)
@example(date(2023, 2, 28), 366, 0)
@example(date(2023, 2, 28), 366, 31)
@example(date(2023, 8, 31), 181, 0)
@example(date(2000, 12, 31), 59, 5)
def test_a_part_of_a_year_is_that_of_quantlib(convention, start, length, later):
    end = start + timedelta(length)
    maturity = end + timedelta(later)
    count, year = part_of_year(convention, *(np.array([number(day)]) for day in (start, end, maturity)))
    expected = THEIRS[convention](theirs(maturity)).yearFraction(theirs(start), theirs(end))
    assert float(Fraction(int(count[0]), year)) == pytest.approx(expected, abs=1e-12)


@given(
    st.dates(date(1990, 1, 1), date(2050, 1, 1)),
    st.integers(1, 120),
    st.sampled_from([1, 2, 3, 4, 6, 12]),
    st.booleans(),
    st.none() | st.sampled_from(sorted(ROLLS)),
    st.lists(st.integers(0, 4_000), max_size=20),
)
@example(date(2023, 2, 28), 12, 1, True, None, [])
@example(date(2024, 1, 31), 5, 2, False, "modified_following", [])
def test_due_days_are_those_of_quantlib(issued, months, every, end_of_month, roll, off):
    holidays = tuple(issued + timedelta(day) for day in sorted(set(off)))
    terms = Amortisation(
        "annuity", "up", day_count="30E/360", every_months=every, end_of_month=end_of_month, business_days=roll, holidays=holidays
    )
    due, periods = due_days(terms, np.array([number(issued)]), np.array([months]))
    calendar = ql.BespokeCalendar("ours")
    calendar.addWeekend(ql.Saturday)
    calendar.addWeekend(ql.Sunday)
    for day in holidays:
        calendar.addHoliday(theirs(day))
    free = ql.NullCalendar() if roll is None else calendar
    start, step = theirs(issued), ql.Period(every, ql.Months)
    is_last = end_of_month and (issued + timedelta(1)).month != issued.month
    expected = []
    for n in range(1, -(-months // every) + 1):
        day = start + ql.Period(min(n * step.length(), months), ql.Months)
        day = ql.Date.endOfMonth(day) if is_last else day
        expected.append(ours(day if roll is None else free.adjust(day, ROLLS[roll])))
    assert periods[0] == len(expected)
    rolled_back = [max(issued, *expected[: n + 1]) for n in range(len(expected))]
    assert [EPOCH + timedelta(int(day)) for day in due[:, 0]] == rolled_back


def test_loans_of_several_terms_share_a_grid_and_the_shorter_one_repeats_its_end():
    terms = Amortisation("annuity", "up", day_count="ACT/360", every_weeks=2)
    due, periods = due_days(terms, np.array([number(date(2026, 1, 1))] * 2), np.array([1, 2]))
    assert periods.tolist() == [3, 5]
    assert [EPOCH + timedelta(int(day)) for day in due[:, 0]] == [date(2026, 1, 15), date(2026, 1, 29), *[date(2026, 2, 1)] * 3]
    assert EPOCH + timedelta(int(due[-1, 1])) == date(2026, 3, 1)
