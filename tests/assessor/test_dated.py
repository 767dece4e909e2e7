"""Loans by days, many at a time, are to the cent what plain fractions say of each."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest
from assessor_rows import changed
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agents.assessor.assessment import Assessor
from agents.assessor.calendar import REGULAR, due_days
from agents.assessor.cashflow import BoundsError
from agents.assessor.dated import amortised, grid, instalments, to_come
from agents.assessor.schedule import Loans
from schemas.amortisation import DAY_COUNTS, EVERY_MONTHS, EVERY_WEEKS, KINDS, ROLLS, ROUNDINGS, Amortisation
from tests.oracles import dated as oracle
from tests.rows import CATALOG

every = st.one_of(st.builds(dict, every_months=st.sampled_from(EVERY_MONTHS)), st.builds(dict, every_weeks=st.sampled_from(EVERY_WEEKS)))
terms = st.builds(
    lambda step, **said: Amortisation(**said, **step),
    every,
    kind=st.sampled_from(KINDS),
    rounding=st.sampled_from(ROUNDINGS),
    interest_rounding=st.sampled_from(ROUNDINGS),
    day_count=st.sampled_from(DAY_COUNTS),
    end_of_month=st.booleans(),
    business_days=st.none() | st.sampled_from(sorted(ROLLS)),
)
amounts = st.one_of(st.integers(1, 1_000), st.integers(1, 10**7), st.integers(1, 10**14), st.just(10**14))
rates = st.one_of(st.just(0), st.integers(0, 300_000), st.just(120_000), st.integers(0, 2_000_000))
months = st.one_of(st.sampled_from((1, 2, 12, 36)), st.integers(1, 60))
loans = st.tuples(amounts, rates, months, st.integers(7_000, 25_000), st.floats(0, 1.1)).map(
    lambda loan: (*loan[:4], min(int(loan[0] * loan[4]), 10**14))
)
first_periods = st.none() | st.lists(st.just(REGULAR) | st.integers(1, 700), min_size=4, max_size=4)  # days
QUARTERS = Amortisation("annuity", "half_even", "half_even", day_count="30E/360", every_months=3)
LARGE = Amortisation("equal_principal", "up", "half_even", day_count="30E/360")


def columns(rows, first=None):
    """Loans; `first` are the days of their first periods."""
    loans = Loans(*(np.array(column, np.int64) for column in zip(*rows, strict=True)))
    if first is None:
        return loans
    days = np.array(first[: len(rows)])
    return replace(loans, first_due=np.where(days == REGULAR, REGULAR, loans.issued + days))


@settings(max_examples=300, deadline=None)
@given(terms, st.lists(loans, min_size=1, max_size=4), first_periods)
@example(QUARTERS, [(10**14, 2_000_000, 60, 20_000, 10**14), (10_000, 120_000, 12, 20_000, 5_000)], None)
@example(QUARTERS, [(10**14, 2_000_000, 60, 20_000, 10**14), (10_000, 120_000, 12, 20_000, 5_000)], [1, 700, 1, 1])
@example(
    Amortisation("equal_principal", "up", "half_even", day_count="30E/360"),
    [(10**14, 2_000_000, 1, 7_000, 0), (150, 120_000, 3, 7_000, 1)],
    None,
)
def test_each_instalment_is_to_the_cent_what_plain_fractions_say(plan, rows, first):
    given_loans = columns(rows, first)
    days = grid(plan, given_loans)
    interest, principal = amortised(plan, given_loans.principal_cents, given_loans.rate_ppm, days, instalments(plan, given_loans, days))
    for loan, (amount, rate, _, issued, _) in enumerate(rows):
        count = int(days.periods[loan])
        expected = oracle.schedule(plan, amount, rate, issued, days.due[:count, loan].tolist())
        found = list(zip(interest[:count, loan].tolist(), principal[:count, loan].tolist(), strict=True))
        assert found == expected
        assert not interest[count:, loan].any()
        assert not principal[count:, loan].any()
    assert principal.sum(axis=0).tolist() == [row[0] for row in rows]
    assert (principal.cumsum(axis=0) <= given_loans.principal_cents).all(), "the balance is never negative"
    assert (interest >= 0).all()
    assert (principal >= 0).all()


@settings(max_examples=50, deadline=None)
@given(terms.filter(lambda plan: plan.kind in ("annuity", "equal_principal")), loans, first_periods)
def test_the_residual_is_what_the_last_instalment_has_besides_the_regular_one(plan, loan, first):
    given_loans = columns([loan], first)
    days = grid(plan, given_loans)
    (regular,) = instalments(plan, given_loans, days).tolist()
    whole = oracle.schedule(plan, loan[0], loan[1], loan[3], days.due[: int(days.periods[0]), 0].tolist())
    interest, principal = next((interest, part) for interest, part in reversed(whole) if interest + part)
    flow, _ = to_come(plan, given_loans)
    assert flow.residual_cents.tolist() == [(interest if plan.kind == "annuity" else 0) + principal - regular]


def test_an_annuity_with_an_irregular_first_period_ends_at_zero_without_a_larger_last_instalment():
    loan = (1_200_000, 89_500, 36, 20_000, 1_200_000)
    regular, late = (to_come(Amortisation("annuity", "half_up", day_count="ACT/365F"), columns([loan], first))[0] for first in (None, [60]))
    assert late.instalment_cents[0] > regular.instalment_cents[0]
    assert abs(late.residual_cents[0]) <= 36
    assert late.interest_cents[0] > regular.interest_cents[0]


@settings(max_examples=150, deadline=None)
@given(terms, st.lists(loans, min_size=1, max_size=4))
def test_what_is_to_come_repays_what_is_outstanding_after_the_start_and_in_the_term(plan, rows):
    given_loans = columns(rows)
    flow, rest = to_come(plan, given_loans)
    assert rest.principal_cents.sum(axis=0).tolist() == given_loans.outstanding_cents.tolist()
    end = due_days(plan, given_loans.issued, given_loans.months)[0][-1]
    assert (rest.due[-1] == end).all() or (given_loans.outstanding_cents == 0).any()
    assert (np.diff(np.vstack((rest.start[None], rest.due)), axis=0) >= 0).all()
    assert ((flow.remaining_months > 0) == (given_loans.outstanding_cents > 0)).all()
    assert (flow.remaining_months <= given_loans.months).all()


def test_a_loan_on_schedule_has_one_instalment_fewer_each_time():
    amount, rate = 1_000_000, 90_000
    given_loans = columns([(amount, rate, 24, 20_000, amount)])
    days = grid(QUARTERS, given_loans)
    parts = amortised(QUARTERS, given_loans.principal_cents, given_loans.rate_ppm, days, instalments(QUARTERS, given_loans, days))[1][:, 0]
    balances = [amount - int(parts[:n].sum()) for n in range(8)]
    flow, _ = to_come(QUARTERS, columns([(amount, rate, 24, 20_000, balance) for balance in balances]))
    assert flow.remaining_months.tolist() == [24, 21, 18, 15, 12, 9, 6, 3]


def test_a_product_with_a_day_count_is_assessed_by_it():
    eur = CATALOG.products["consumer-loan-eur"]
    product = msgspec.structs.replace(eur, amortisation=Amortisation("annuity", "half_up", day_count="ACT/360", every_months=3))
    (row,) = Assessor({product.product: product}).assess(changed({"product": eur.product, "term_months": 36, "rate": 120_000})).to_pylist()
    due, _ = due_days(product.amortisation, np.array([row["issued"]]), np.array([36]))
    expected = oracle.schedule(product.amortisation, row["principal"], row["rate"], row["issued"], due[:, 0].tolist())
    assert (row["instalment_cents"], row["last_instalment_cents"]) == (sum(expected[0]), sum(expected[-1]))
    assert (row["interest_cents"], row["remaining_months"]) == (sum(interest for interest, _ in expected), 36)
    assert row["expected_return_ppm"] is not None


def test_a_loan_out_of_bounds_is_refused():
    with pytest.raises(BoundsError, match="row 0: rate_ppm is 2000001"):
        to_come(QUARTERS, columns([(1, 2_000_001, 1, 0, 0)]))
