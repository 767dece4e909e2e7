"""How well a score separates bad loans from good ones. Pure.

Gini's coefficient of the field is 2 AUC - 1. Sources: Hanley and McNeil, The meaning and use of the area under a receiver operating
characteristic (ROC) curve, Radiology 143, 1982, for the area and its standard error; Kolmogorov and Smirnov's statistic as in Siddiqi,
Credit Risk Scorecards, 2006.
"""

from dataclasses import dataclass
from math import sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

Z: Final = 1.959964  # 95 %, both sides


@dataclass(frozen=True, slots=True)
class Separation:
    """Of a score; more is better."""

    auc: float  # chance that a bad loan scores less than a good one, a tie half
    within: float  # the 95 % interval is so much on either side
    ks: float  # the most by which the share of bad loans caught is above that of good ones, over all cut-offs
    caught: NDArray[np.float64]  # ROC: share of bad loans below each cut-off, from 0 to 1
    lost: NDArray[np.float64]  # and of good ones


def separation(score: NDArray[np.int64], bad: NDArray[np.bool_]) -> Separation:
    """Raises ValueError where there is no bad loan or no good one."""
    count, good = int(bad.sum()), int((~bad).sum())
    if not count or not good:
        raise ValueError(f"{count} bad loans and {good} good ones; there must be some of both")
    cutoffs, place = np.unique(score, return_inverse=True)
    caught, lost = (np.concatenate(([0], np.bincount(place, one, len(cutoffs)).cumsum())) / one.sum() for one in (bad, ~bad))
    auc = float(np.trapezoid(caught, lost))
    one, two = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    error = sqrt(max(auc * (1 - auc) + (count - 1) * (one - auc**2) + (good - 1) * (two - auc**2), 0.0) / (count * good))
    return Separation(auc, Z * error, float((caught - lost).max()), caught, lost)
