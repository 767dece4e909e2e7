"""A score separates as an independent library says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from agents.assessor.discrimination import separation


@given(
    st.lists(st.tuples(st.integers(-20, 20), st.booleans()), min_size=2, max_size=60).filter(
        lambda rows: len({bad for _, bad in rows}) == 2
    )
)
def test_the_area_and_the_greatest_distance_are_those_of_scipy(rows):
    score, bad = np.array([score for score, _ in rows], np.int64), np.array([bad for _, bad in rows])
    found = separation(score, bad)
    assert found.auc == pytest.approx(stats.mannwhitneyu(score[~bad], score[bad]).statistic / (bad.sum() * (~bad).sum()))
    assert found.ks == pytest.approx(max(stats.ks_2samp(score[bad], score[~bad], alternative="greater").statistic, 0))
    assert found.within >= 0


def test_a_score_that_separates_all_has_an_area_of_one_and_one_that_separates_nothing_a_half():
    bad = np.array([True, True, False, False])
    assert separation(np.array([1, 2, 3, 4]), bad).auc == 1
    assert separation(np.array([7, 7, 7, 7]), bad).auc == 0.5
    assert separation(np.array([4, 3, 2, 1]), bad).auc == 0


def test_the_interval_holds_the_true_area_in_nearly_all_samples():
    rng, inside = np.random.default_rng(20_261_124), 0
    true = stats.norm.cdf(1 / np.sqrt(2))
    for _ in range(200):
        bad = np.arange(2_000) < 100
        found = separation((rng.normal(1.0 * ~bad, 1.0) * 1_000).astype(np.int64), bad)
        inside += abs(found.auc - true) <= found.within
    assert 180 <= inside <= 199


@pytest.mark.parametrize("bad", [[True, True], [False, False]])
def test_there_must_be_good_and_bad_loans(bad):
    with pytest.raises(ValueError, match="there must be some of both"):
        separation(np.array([1, 2]), np.array(bad))
