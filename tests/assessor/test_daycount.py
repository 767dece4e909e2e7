"""Parts of a year and due days are QuantLib's."""

from datetime import date, timedelta
from fractions import Fraction

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813 - its usual name
from hypothesis import assume, example, given
from hypothesis import strategies as st

from agents.assessor.calendar import REGULAR, due_days, months_after
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


@given(
    st.dates(date(1990, 1, 1), date(2050, 1, 1)),
    st.integers(1, 700),
    st.integers(0, 3_000),
    st.sampled_from([1, 2, 3, 4, 6, 12]),
    st.booleans(),
    st.booleans(),
)
@example(date(2024, 1, 15), 46, 700, 1, True, True)
@example(date(2024, 1, 31), 29, 700, 1, False, False)
@example(date(2024, 2, 10), 19, 0, 3, True, False)
def test_due_days_from_an_irregular_first_one_are_those_of_quantlib(issued, first, rest, every, end_of_month, mixed):
    """To a maturity of the loan's own; the same beside a regular loan as alone."""
    first_due, step = issued + timedelta(first), ql.Period(every, ql.Months)
    end = first_due + timedelta(rest)
    terms = Amortisation("annuity", "up", day_count="30E/360", every_months=every, end_of_month=end_of_month)
    schedule = ql.Schedule(
        theirs(issued), theirs(end), step, ql.NullCalendar(), ql.Unadjusted, ql.Unadjusted,
        ql.DateGeneration.Forward, end_of_month, *((theirs(first_due),) if rest else ()),
    )  # fmt: skip
    regular = months_after(np.array([number(issued)]), np.array([every]), end_of_month=end_of_month)[0]
    assume(regular != number(first_due))  # then it is counted from the issue
    columns = [
        np.array(pair[: 1 + mixed]) for pair in ((number(issued),) * 2, (36, 36), (number(first_due), REGULAR), (number(end), REGULAR))
    ]
    due, periods = due_days(terms, *columns)
    expected = [ours(day) for day in schedule.dates()][1:] if rest else [end]
    assert [EPOCH + timedelta(int(day)) for day in due[: periods[0], 0]] == expected
    if mixed:
        plain, count = due_days(terms, np.array([number(issued)]), np.array([36]))
        assert due[: periods[1], 1].tolist() == plain[:, 0].tolist()
        assert periods[1] == count[0]


def test_a_first_due_day_moves_all_that_follow_it_and_takes_none_away():
    weekly, quarters = (Amortisation("annuity", "up", day_count="ACT/360", **every) for every in ({"every_weeks": 2}, {"every_months": 3}))

    def days(terms, months, first_due, maturity=None):
        said = [np.array([REGULAR if day is None else number(day)]) for day in (first_due, maturity)]
        due, periods = due_days(terms, np.array([number(date(2026, 1, 31))]), np.array([months]), *said)
        return [EPOCH + timedelta(int(day)) for day in due[: periods[0], 0]]

    assert days(quarters, 9, date(2026, 5, 10)) == [date(2026, 5, 10), date(2026, 8, 10), date(2026, 11, 10)]
    assert days(quarters, 8, date(2026, 5, 10)) == [date(2026, 5, 10), date(2026, 8, 10), date(2026, 10, 10)]
    assert days(quarters, 2, date(2026, 5, 10)) == [date(2026, 5, 10)]
    assert days(quarters, 6, date(2026, 4, 30)) == [date(2026, 4, 30), date(2026, 7, 31)], "the regular first due day moves nothing"
    assert days(quarters, 6, None, date(2026, 8, 5)) == [date(2026, 4, 30), date(2026, 7, 31), date(2026, 8, 5)]
    assert days(weekly, 1, date(2026, 2, 4)) == [date(2026, 2, 4), date(2026, 2, 18), date(2026, 2, 28)]
    assert days(weekly, 1, date(2026, 3, 4)) == [date(2026, 3, 4)]


def test_loans_of_several_terms_share_a_grid_and_the_shorter_one_repeats_its_end():
    terms = Amortisation("annuity", "up", day_count="ACT/360", every_weeks=2)
    due, periods = due_days(terms, np.array([number(date(2026, 1, 1))] * 2), np.array([1, 2]))
    assert periods.tolist() == [3, 5]
    assert [EPOCH + timedelta(int(day)) for day in due[:, 0]] == [date(2026, 1, 15), date(2026, 1, 29), *[date(2026, 2, 1)] * 3]
    assert EPOCH + timedelta(int(due[-1, 1])) == date(2026, 3, 1)
