"""Amounts shared out in proportion, to the cent, by largest remainder, with what is left carried to the next time. Pure.

Of each group an amount goes to holders by their weights. Everybody gets the whole cents that are due, the cents that are then left go to
the largest remainders (Hamilton's method; of equal ones to the first), and each holder's remainder, less the cent that came, is carried: it
is added to what is due the next time. So the parts always add up to the amount, what is carried adds up to zero, and over any number
of payments holders have exactly what is due, but for what is carried.

What is carried is whole millionths of a cent. The millionths themselves are shared out by largest remainder, for they have to add up, too.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

MICRO: Final = 1_000_000
_SAFE: Final = 2**62


def distribute(amounts: Ints, starts: Ints, weights: Ints, carried: Ints | None = None) -> tuple[Ints, Ints]:
    """The parts in cents, and what is carried of each holder afterwards in millionths.

    Group `i` has the holders `starts[i]` … `starts[i + 1]` - 1, one at least. Amounts, weights are 0 or more, each group's weights add up
    to more than 0; `carried` adds up to 0 in each group, and is 0 if it is not given. Without `carried` no part is above its
    weight where the amount is not above the weights' sum.

    Raises:
        OverflowError: the weights of a group add up to 2**63 or more.
    """
    counts = np.diff(starts)
    group = np.repeat(np.arange(len(counts)), counts)
    totals = np.add.reduceat(weights, starts[:-1])
    if np.any(np.add.reduceat(weights.astype(np.float64), starts[:-1]) >= _SAFE):
        raise OverflowError("the weights of a group add up to more than 64 bits")
    heaviest = np.maximum.reduceat(weights, starts[:-1])
    large = (amounts.astype(np.float64) * heaviest >= _SAFE) | (totals >= _SAFE // MICRO)
    number: Any = object if large.any() else np.int64  # exact either way; Python's own integers take a hundred times as long
    total = totals.astype(number)[group]
    whole, rest = _divmod(amounts.astype(number)[group] * weights.astype(number), total)
    micro, rest = _divmod(rest * MICRO, total)
    whole, micro, rest = whole.astype(np.int64), micro.astype(np.int64), rest.astype(np.int64)
    uncounted = amounts - np.add.reduceat(whole, starts[:-1])
    micro += _largest(rest, uncounted * MICRO - np.add.reduceat(micro, starts[:-1]), starts, group)
    due = micro if carried is None else micro + carried
    cents = np.maximum(whole + due // MICRO, 0)  # of what is carried against a holder, no more is taken than is due now
    over = (whole - cents) * MICRO + due
    left = amounts - np.add.reduceat(cents, starts[:-1])
    while left.any():
        more = _largest(over, left, starts, group)
        less = _largest(np.where(cents > 0, -over, -_SAFE), -left, starts, group) * (cents > 0)
        cents += more - less
        over -= (more - less) * MICRO
        left = amounts - np.add.reduceat(cents, starts[:-1])
    return cents, over


def _divmod(numerator: NDArray[Any], denominator: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    return numerator // denominator, numerator % denominator  # np.divmod knows no Python integers


def _largest(values: Ints, counts: Ints, starts: Ints, group: Ints) -> Ints:
    """1 for the `counts` largest values of each group, the first of equal ones; 0 for the others."""
    order = np.lexsort((-values, group))
    chosen = np.zeros(len(values), np.int64)
    chosen[order[np.arange(len(values)) - starts[group] < counts[group]]] = 1
    return chosen
