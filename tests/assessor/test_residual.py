"""What rounding leaves over is in the last instalment, and is told."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agents.assessor.cashflow import instalments, predict, schedule
from schemas.amortisation import ROUNDINGS, Amortisation

ANNUITY = Amortisation("annuity", "up")
plans = st.builds(Amortisation, st.sampled_from(("annuity", "equal_principal")), st.sampled_from(ROUNDINGS), st.sampled_from(ROUNDINGS))
principals = st.one_of(st.integers(1, 1_000), st.integers(1, 10**7), st.integers(1, 10**14))
loans = st.tuples(principals, st.one_of(st.just(0), st.integers(0, 2_000_000)), st.integers(1, 120))


def ints(*values):
    return np.array(values, np.int64)


@settings(max_examples=50, deadline=None)
@given(plans, loans)
@example(ANNUITY, (100, 0, 60))
@example(Amortisation("equal_principal", "up"), (100, 120_000, 60))
@example(Amortisation("annuity", "down"), (3, 2_000_000, 60))
def test_the_residual_is_what_the_last_instalment_has_besides_the_regular_one(terms, loan):
    given_loan = [ints(value) for value in loan]
    (regular,) = instalments(terms, *given_loan)
    parts = [(int(interest[0]), int(part[0])) for interest, part in schedule(terms, *given_loan, ints(regular))]
    interest, principal = next((interest, part) for interest, part in reversed(parts) if interest + part)
    residual = predict(terms, *given_loan, given_loan[0]).residual_cents
    assert residual.tolist() == [(interest if terms.kind == "annuity" else 0) + principal - regular]


@pytest.mark.parametrize("kind", ["bullet", "interest_only"])
def test_where_nothing_regular_is_rounded_there_is_no_residual(kind):
    assert predict(Amortisation(kind, "up"), ints(100_001), ints(99_999), ints(7), ints(5)).residual_cents.tolist() == [0]
