"""What an investor may expect, beside pyxirr, scipy, numpy-financial, and a plain implementation of one loan at a time."""

import datetime as dt
from dataclasses import dataclass

import numpy as np
import numpy_financial as npf
import pytest
import pyxirr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from agents.assessor.prediction import Curves, Flows, predict, returns
from schemas.curves import PPM, Curve
from tests.oracles.prediction import Loan, predicted

EPOCH = dt.date(1970, 1, 1)
NONE = Curve()
SOME = Curve(default_ppm=(2_000, 4_000, 9_000), prepayment_ppm=(5_000, 20_000), loss_given_default_ppm=800_000, recovery_months=9)


@dataclass(frozen=True)
class Rows:
    """A `Schedule` of given loans."""

    start: np.ndarray
    due: np.ndarray
    interest_cents: np.ndarray
    principal_cents: np.ndarray
    count: np.ndarray
    months: int | None


def rows(loans: list[Loan]) -> Rows:
    longest = max(len(loan.instalments) for loan in loans)

    def padded(place: int) -> np.ndarray:
        last = [loan.instalments[-1][0] if place == 0 else 0 for loan in loans]
        full = [
            [one[place] for one in loan.instalments] + [end] * (longest - len(loan.instalments))
            for loan, end in zip(loans, last, strict=True)
        ]
        return np.array(full, np.int64).T

    counts = np.array([len(loan.instalments) for loan in loans])
    return Rows(np.array([loan.start for loan in loans]), padded(0), padded(1), padded(2), counts, loans[0].months)


def found(loans: list[Loan], curves: list[Curve], price_bp: int = 10_000):
    ages = np.array([loan.age_months for loan in loans])
    return predict(rows(loans), ages, Curves(curves), np.arange(len(loans)) % len(curves), np.full(len(loans), price_bp))


def annuity(months: int = 36, rate: float = 0.12, cents: int = 1_000_000, age: int = 0) -> Loan:
    """Equal instalments of months of 30.4 days: each fifth due day is exact."""
    left, lines = float(cents), []
    instalment = -npf.pmt(rate / 12, months, cents)
    for month in range(1, months + 1):
        interest = left * rate / 12
        part = instalment - interest if month < months else left
        lines.append((20_000 + round(30.4 * month), round(interest), round(left) - round(left - part)))
        left -= part
    return Loan(20_000, lines, 1, age)


@st.composite
def loans(draw: st.DrawFn, months: int | None) -> Loan:
    days = draw(st.lists(st.integers(1, 200), min_size=1, max_size=8))
    lines, due = [], 20_000
    for gap in days:
        due += gap
        lines.append((due, draw(st.integers(0, 30_000)), draw(st.integers(1, 1_000_000))))
    return Loan(20_000, lines, months, draw(st.integers(0, 70)))


@st.composite
def curves(draw: st.DrawFn) -> Curve:
    share = st.integers(0, PPM // 2)
    few = st.lists(share | st.integers(0, 20_000), max_size=5).map(tuple)
    loss = draw(st.integers(0, PPM))
    return Curve(default_ppm=draw(few), prepayment_ppm=draw(few), loss_given_default_ppm=loss, recovery_months=draw(st.integers(0, 120)))


def xirr(flows: list[tuple[int, float]], price: float) -> float | None:
    dated = [(EPOCH + dt.timedelta(20_000), -price), *((EPOCH + dt.timedelta(day), cents) for day, cents in flows)]
    return pyxirr.xirr(*zip(*dated, strict=True))


@pytest.mark.parametrize("months", [1, 3, None])
@settings(max_examples=40)
@given(st.data())
def test_a_prediction_is_that_of_a_plain_implementation_and_its_return_that_of_pyxirr(months, data):
    given_loans = data.draw(st.lists(loans(months), min_size=1, max_size=4))
    given_curves = [data.draw(curves()) for _ in given_loans]
    price_bp = data.draw(st.integers(5_000, 15_000))
    got = found(given_loans, given_curves, price_bp)
    for number, (loan, curve) in enumerate(zip(given_loans, given_curves, strict=True)):
        flows, lost = predicted(loan, curve)
        outstanding = sum(principal for _, _, principal in loan.instalments)
        price = outstanding * price_bp / 10_000
        assert abs(got.loss_ppm[number] - lost / outstanding * PPM) <= 0.51
        rate = got.return_ppm[number] / PPM
        if np.isnan(rate):
            assert not any(cents for _, cents in flows) or xirr(flows, price) is None or xirr(flows, price) > 999_000
            continue
        values = np.array([cents * (1 + rate) ** -((day - loan.start) / 365) for day, cents in flows]) if rate > -0.9999 else None
        if values is not None:  # where a part per million is nothing beside the rate, the rounded one is worth the price
            slope = sum(v * (day - loan.start) / 365 for v, (day, _) in zip(values, flows, strict=True)) / (1 + rate)
            assert abs(values.sum() - price) <= slope * 0.6e-6 * 1.01 + 1e-9 * price
            days = sum(v * (day - loan.start) for v, (day, _) in zip(values, flows, strict=True)) / values.sum()
            assert abs(got.duration_days[number] - days) <= 0.51 + 1e-3 * days
        if -0.9 < rate < 5 and (reference := xirr(flows, price)) is not None:
            assert abs(rate - reference) <= 0.6e-6


@given(st.lists(st.tuples(st.integers(1, 6_000), st.integers(1, 10**9)), min_size=1, max_size=30), st.integers(1, 10**10))
def test_the_rate_is_the_root_that_a_bracketing_solver_finds(given_flows, price):
    days, cents = (np.array(column, float) for column in zip(*given_flows, strict=True))
    years = days[:, None] / 365
    rate, duration = returns(Flows(years, cents[:, None], np.zeros((1, 1)), np.zeros(1), np.zeros(1)), np.array([float(price)]))

    def excess(y: float) -> float:
        return np.logaddexp.reduce(np.log(cents) - y * years[:, 0]) - np.log(price)

    root = brentq(excess, -20_000, 20_000, xtol=1e-12, rtol=1e-14, maxiter=500)
    assert abs(rate[0] - root) <= 1e-8 * max(1, abs(root)) or (np.isnan(rate[0]) and abs(root) > 10)
    assert np.isnan(rate[0]) or years.min() - 1e-9 <= duration[0] <= years.max() + 1e-9


@pytest.mark.parametrize(("months", "rate"), [(36, 0.14), (60, 0.07), (240, 0.02)])
def test_without_hazards_and_at_par_the_return_is_the_loans_own(months, rate):
    loan = annuity(months, rate, 100_000_000)
    monthly = npf.irr([-100_000_000, *(interest + principal for _, interest, principal in loan.instalments)])
    effective = (1 + monthly) ** (365 / 30.4) - 1
    got = found([loan], [NONE])
    assert got.loss_ppm[0] == 0
    assert abs(got.return_ppm[0] / PPM - effective) < 2e-4  # due days are whole, 30.4 is not
    assert got.return_ppm[0] == pytest.approx(xirr([(d, i + p) for d, i, p in loan.instalments], 100_000_000) * PPM, abs=0.6)


@given(st.integers(0, 50_000), st.integers(1, 50_000), st.integers(8_000, 11_000), st.integers(0, 60))
def test_more_default_and_a_higher_price_return_less_and_losses_stay_within_what_a_default_costs(default, more, price_bp, age):
    def of(shares: int, bp: int):
        curve = Curve(default_ppm=(shares,), prepayment_ppm=(10_000,), loss_given_default_ppm=600_000, recovery_months=6)
        got = found([annuity(age=age)], [curve], bp)
        return int(got.loss_ppm[0]), float(got.return_ppm[0])

    loss, rate = of(default, price_bp)
    worse, lower = of(default + more, price_bp)
    assert 0 <= loss <= worse <= 600_000
    assert lower < rate or more < 5
    assert of(default, price_bp + 10)[1] < rate


def test_a_portfolio_that_loses_nearly_all_has_a_return_just_above_minus_one_hundred_percent():
    got = found([annuity()], [Curve(default_ppm=(900_000,), loss_given_default_ppm=999_000)])
    assert -PPM < got.return_ppm[0] < -900_000
    assert got.loss_ppm[0] > 850_000


def test_nothing_outstanding_nothing_expected_or_a_rate_out_of_all_bounds_has_no_return():
    nothing = Loan(20_000, [(20_000, 0, 0)], 1, 0)
    today = Loan(20_000, [(20_000, 0, 100)], 1, 0)
    gone = Curve(default_ppm=(PPM,))
    got = found([nothing, annuity(), today], [NONE, gone, NONE])
    assert np.isnan(got.return_ppm).all()
    assert np.isnan(got.duration_days).all()
    assert got.loss_ppm.tolist() == [0, PPM, 0]
    tomorrow = Loan(20_000, [(20_001, 0, 1_000_000)], 1, 0)
    assert np.isnan(found([tomorrow], [NONE], price_bp=1).return_ppm).all()


def test_a_loan_is_predicted_the_same_alone_and_among_others():
    many = [annuity(months, rate / 100, age=months % 7) for months in (3, 36, 60) for rate in (5, 25)]
    together = found(many, [SOME])
    for number, loan in enumerate(many):
        alone = found([loan], [SOME])
        assert alone.loss_ppm[0] == together.loss_ppm[number]
        assert abs(alone.return_ppm[0] - together.return_ppm[number]) <= 1  # sums of more rows are added in another order
        assert alone.duration_days[0] == together.duration_days[number]


def test_what_a_curve_says_last_goes_on_and_a_loans_age_picks_its_month():
    short, long_ = (Curve(default_ppm=shares, loss_given_default_ppm=500_000) for shares in ((1_000, 7_000), (1_000, *[7_000] * 60)))
    a, b = (found([annuity(age=1)], [curve]) for curve in (short, long_))
    assert (a.loss_ppm, a.return_ppm) == (b.loss_ppm, b.return_ppm)
    assert found([annuity(age=0)], [short]).loss_ppm[0] < a.loss_ppm[0]
