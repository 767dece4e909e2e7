"""Curves of default and prepayment by risk group, fitted to a loan tape. Pure.

A month's share is what ended in it of the loans that were watched in it: the actuarial estimate of a life table (Kaplan and Meier, JASA
53, 1958, in discrete time); an end whose month is not known counts in parts, the same in each month watched. A tape has too few defaults
for a table of each group, so there is one for all, and each group has a factor on it: its defaults by those that the common table expects
of it, the indirect standardisation of mortality statistics (Breslow and Day, Statistical Methods in Cancer Research II, 1987, chapter 2).
Months are taken together until each span has EVENTS_MIN ends. A factor is drawn towards 1 as by PRIOR defaults as expected, which matters
only where a group has few; and no better group defaults more than a worse one: where the tape says so it says too little, and their
factors are pooled (adjacent violators: Barlow and others, Statistical Inference under Order Restrictions, 1972).

Confidence: Byar's approximation of the exact interval of a Poisson count, 95 % (Breslow and Day, equation 2.13).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from agents.assessor.tape import Watched
from schemas.curves import PPM

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

EVENTS_MIN: Final = 10  # ends in a span of months, and defaults on a tape
PRIOR: Final = 1.0
Z: Final = 1.959964  # 95 %, both sides


class CalibrationError(ValueError):
    """The tape says too little."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """A group's curve, and what it rests on."""

    default_ppm: tuple[int, ...]  # by month on book; the last goes on
    prepayment_ppm: tuple[int, ...]
    loans: int
    months: int  # that its loans were watched, in all
    defaults: int
    prepayments: int
    factor: float  # on the defaults of all
    low: float  # of the factor that the tape shows, before the prior and the order: 95 %
    high: float


def calibrate(tape: Watched, group: Ints, groups: int) -> list[Fitted]:
    """The curves of groups 0 (the best) … `groups` - 1; `group` is that of each loan watched.

    Raises:
        CalibrationError: fewer than EVENTS_MIN defaults on the tape.
    """
    defaults = int(tape.defaulted.sum())
    if defaults < EVENTS_MIN:
        raise CalibrationError(f"{defaults} defaults on the tape; {EVENTS_MIN} are the least from which a curve can be fitted")
    at_risk = _at_risk(tape, group, groups)
    default, prepayment = (_ends(tape, ended, group, groups) for ended in (tape.defaulted, tape.prepaid))
    due = [_table(ends.sum(axis=0), at_risk.sum(axis=0)) for ends in (default, prepayment)]
    expected = [(at_risk * table).sum(axis=1) for table in due]
    raw, prepaid = ((ends.sum(axis=1) + PRIOR) / (of + PRIOR) for ends, of in zip((default, prepayment), expected, strict=True))
    factor = ordered(raw, expected[0] + PRIOR)
    fitted = []
    for place in range(groups):
        count, prepayments = (int((ended & (group == place)).sum()) for ended in (tape.defaulted, tape.prepaid))
        low, high = (bound / expected[0][place] if expected[0][place] else float("nan") for bound in interval(count))
        fitted.append(
            Fitted(
                _ppm(due[0] * factor[place]),
                _ppm(due[1] * prepaid[place]),
                int((group == place).sum()),
                int(at_risk[place].sum()),
                count,
                prepayments,
                float(factor[place]),
                low,
                high,
            )
        )
    return fitted


def _at_risk(tape: Watched, group: Ints, groups: int) -> Ints:
    """[groups, months]: loans that were watched in a month on book."""
    last = np.zeros((groups, int(tape.months.max())), np.int64)
    np.add.at(last, (group, tape.months - 1), 1)
    return last[:, ::-1].cumsum(axis=1)[:, ::-1]


def _ends(tape: Watched, ended: NDArray[np.bool_], group: Ints, groups: int) -> Floats:
    """[groups, months]: of those, the ones that ended so in it."""
    found = np.zeros((groups, int(tape.months.max())))
    known, spread = ended & tape.dated, ended & ~tape.dated
    np.add.at(found, (group[known], tape.months[known] - 1), 1.0)
    part = np.zeros_like(found)
    np.add.at(part, (group[spread], tape.months[spread] - 1), 1 / tape.months[spread])
    found += part[:, ::-1].cumsum(axis=1)[:, ::-1]
    return found


def _table(ends: Floats, at_risk: Ints) -> Floats:
    """A month's share [months], the same within a span of EVENTS_MIN ends; what is left at the end goes with the last span."""
    shares, begin = np.zeros(len(ends)), 0
    spans: list[tuple[int, int]] = []
    for month in range(len(ends)):
        if ends[begin : month + 1].sum() >= EVENTS_MIN:
            spans.append((begin, month + 1))
            begin = month + 1
    if begin < len(ends):
        spans[-1:] = [(spans[-1][0] if spans else 0, len(ends))]
    for low, high in spans:
        shares[low:high] = ends[low:high].sum() / at_risk[low:high].sum()
    return shares


def ordered(factors: Floats, weights: Floats) -> Floats:
    """The factors, never falling: neighbours that do are replaced by their mean by weight."""
    blocks: list[tuple[float, float, int]] = []  # mean, weight, how many
    for factor, weight in zip(factors.tolist(), weights.tolist(), strict=True):
        mean, sum_, count = factor, weight, 1
        while blocks and blocks[-1][0] > mean:
            before, other, more = blocks.pop()
            mean, sum_, count = (before * other + mean * sum_) / (other + sum_), other + sum_, count + more
        blocks.append((mean, sum_, count))
    return np.repeat([mean for mean, _, _ in blocks], [count for _, _, count in blocks])


def interval(count: int) -> tuple[float, float]:
    """Byar's bounds of a Poisson mean of which so many were counted."""
    more = count + 1
    low = count * (1 - 1 / (9 * count) - Z / (3 * sqrt(count))) ** 3 if count else 0.0
    return low, more * (1 - 1 / (9 * more) + Z / (3 * sqrt(more))) ** 3


def _ppm(shares: Sequence[float] | Floats) -> tuple[int, ...]:
    """Half of all at most, so that both shares of a month fit; and without the same entry again at the end: the last goes on."""
    found = [min(round(share * PPM), PPM // 2) for share in shares]
    while len(found) > 1 and found[-1] == found[-2]:
        found.pop()
    return tuple(found)
