"""Curves fitted to a tape are those that made it, as far as it tells; what it does not tell is refused, or pooled."""

import math

import numpy as np
import pytest
from assessor_rows import changed
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from agents.assessor.calibration import EVENTS_MIN, CalibrationError, calibrate, interval, ordered
from agents.assessor.tape import Watched, watched

DAY = {"2018-01-01": 17_532, "2018-06-30": 17_712}


def simulated(count, default, prepayment, months=24, seed=20_261_124):
    """Loans that each default and prepay with a share of a month, watched for `months`."""
    rng = np.random.default_rng(seed)
    month, bad, gone = np.full(count, months), np.zeros(count, bool), np.zeros(count, bool)
    alive = np.ones(count, bool)
    for n in range(months):
        chance = rng.random(count)
        fails, pays = alive & (chance < default[min(n, len(default) - 1)]), alive & (chance > 1 - prepayment)
        month[fails | pays], bad[fails], gone[pays] = n + 1, True, True
        alive &= ~(fails | pays)
    return Watched(np.arange(count), month, bad, gone, np.ones(count, bool))


def together(*tapes):
    parts = [np.concatenate([getattr(tape, name) for tape in tapes]) for name in ("months", "defaulted", "prepaid", "dated")]
    group = np.repeat(np.arange(len(tapes)), [len(tape.rows) for tape in tapes])
    return Watched(np.arange(len(group)), *parts), group


def test_curves_that_made_a_tape_are_found_again():
    shape = [0.001] * 6 + [0.004] * 6 + [0.002]
    tape, group = together(*(simulated(40_000, [factor * share for share in shape], 0.01, seed=factor) for factor in (1, 2, 4)))
    for place, fitted in enumerate(calibrate(tape, group, 3)):
        for month, share in ((2, 0.001), (8, 0.004), (20, 0.002)):
            expected = share * (1, 2, 4)[place] * 1e6
            got = fitted.default_ppm[min(month, len(fitted.default_ppm) - 1)]
            assert got == pytest.approx(expected, rel=0.35), f"group {place}, month {month}"
        assert np.mean(fitted.prepayment_ppm) == pytest.approx(10_000, rel=0.1)
        assert fitted.low < fitted.factor < fitted.high
        assert (fitted.loans, fitted.months > 0) == (40_000, True)


def test_a_month_is_on_the_table_with_what_was_watched_in_it():
    months = np.array([1] * 50 + [2] * 50)
    tape = Watched(np.arange(100), months, months == 2, np.zeros(100, bool), np.ones(100, bool))
    (one,) = calibrate(tape, np.zeros(100, np.int64), 1)
    assert (one.default_ppm, one.prepayment_ppm) == ((333_333,), (0,)), "no end in the first month: it goes with the second, 50 of 150"
    assert (one.loans, one.months, one.defaults, one.prepayments) == (100, 150, 50, 0)


def test_a_tape_without_enough_defaults_is_refused():
    tape = Watched(np.arange(100), np.ones(100, np.int64), np.arange(100) < EVENTS_MIN - 1, np.zeros(100, bool), np.ones(100, bool))
    with pytest.raises(CalibrationError, match="9 defaults on the tape; 10 are the least"):
        calibrate(tape, np.zeros(100, np.int64), 1)


def test_a_group_without_loans_has_the_common_curve_unless_its_neighbours_say_otherwise():
    tape, group = together(simulated(20_000, [0.002], 0.01, seed=1), simulated(20_000, [0.004], 0.01, seed=2))
    first, none, last = calibrate(tape, group * 2, 3)
    assert (none.loans, none.factor) == (0, 1.0)
    assert first.factor < none.factor < last.factor
    assert math.isnan(none.low)


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0.1, 10)), min_size=1, max_size=12))
def test_ordered_factors_never_fall_and_keep_their_mean(pairs):
    factors, weights = (np.array(column) for column in zip(*pairs, strict=True))
    found = ordered(factors, weights)
    assert (np.diff(found) >= -1e-12).all()
    assert (found * weights).sum() == pytest.approx((factors * weights).sum())
    if (np.diff(factors) >= 0).all():
        assert found.tolist() == factors.tolist()


@pytest.mark.parametrize("count", [1, 2, 5, 20, 100])
def test_the_interval_is_close_to_the_exact_one_of_a_poisson_count(count):
    exact = (stats.chi2.ppf(0.025, 2 * count) / 2, stats.chi2.ppf(0.975, 2 * count + 2) / 2)
    assert interval(count) == pytest.approx(exact, rel=0.05, abs=0.03)
    assert interval(0)[0] == 0


LOANS = [
    ({"status": "current"}, (5, False, False)),
    ({"status": "current", "issued": DAY["2018-06-30"]}, (1, False, False)),
    ({"status": "late", "days_past_due": 30}, (5, False, False)),
    ({"status": "late", "days_past_due": 31}, (5, True, False)),
    ({"status": "defaulted"}, (5, True, False)),
    ({"status": "defaulted", "updated_at": (DAY["2018-01-01"] + 40) * 86_400_000}, (1, True, False)),
    ({"status": "repaid", "outstanding": 0}, (5, False, True)),
    ({"status": "repaid", "term_months": 3}, (3, False, False)),
    ({"status": "repaid", "updated_at": (DAY["2018-06-30"] + 90) * 86_400_000}, (5, False, True)),
    ({"status": "recalled"}, None),
    ({"status": "current", "issued": DAY["2018-06-30"] + 1}, None),
]


@pytest.mark.parametrize(("loan", "expected"), LOANS)
def test_what_became_of_a_loan_is_told_by_its_status_how_late_it_is_and_when_it_was_updated(loan, expected):
    rows = changed({"issued": DAY["2018-01-01"], **loan})
    found = watched(rows, DAY["2018-06-30"])
    got = list(zip(found.months.tolist(), found.defaulted.tolist(), found.prepaid.tolist(), strict=True))
    assert got == ([] if expected is None else [expected])
