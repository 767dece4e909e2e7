"""How evenly a market served its investors: what each got of all that was served, beside what it asked of all that was asked. Pure.

The concentration curve puts the investors in the order of their fill, served by demanded, and sums up both shares: a straight line where
all have the same fill. Gini's coefficient is the area between the two, twice: 0 where all are alike, towards 1 where few have all (Kakwani,
Applications of Lorenz Curves in Economic Analysis, Econometrica 45, 1977).

Who asks for little that there is, gets less, and no rule of the match can help it; so the buy offers of equal criteria and agreements are
also compared among themselves: `among_equals` is the mean of their coefficients, by what was served to them.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Asked(NamedTuple):
    """A buy offer, in cents: what it was still to buy, and what it bought of that. `criteria` are equal where two ask for the same."""

    investor: str
    criteria: bytes
    demanded: int
    served: int


class Line(NamedTuple):
    """An investor; cents, and shares of all investors' as fractions."""

    investor: str
    offers: int
    demanded_cents: int
    served_cents: int
    demanded_share: float
    served_share: float


class Evenness(NamedTuple):
    """`lines` in the order of their fill, the least served first; the curve begins at (0, 0) and ends at (1, 1)."""

    lines: list[Line]
    gini: float
    among_equals: float
    demanded: Floats
    served: Floats


def evenness(asked: Sequence[Asked]) -> Evenness:
    """Of buy offers of one currency, each with something demanded.

    Raises:
        ValueError: nothing was served.
    """
    total = sum(one.served for one in asked)
    if not total:
        raise ValueError("nothing was invested")
    sums = _summed((one.investor, one.demanded, one.served) for one in asked)
    every = sum(demanded for _, demanded, _ in sums.values())
    lines = [
        Line(investor, offers, demanded, served, demanded / every, served / total) for investor, (offers, demanded, served) in sums.items()
    ]
    lines.sort(key=lambda line: (line.served_cents / line.demanded_cents, line.investor))
    demanded, served = _curve([(line.demanded_cents, line.served_cents) for line in lines])
    return Evenness(lines, _gini(demanded, served), _among_equals(asked) / total, demanded, served)


def _summed(rows: Iterable[tuple[str, int, int]]) -> dict[str, tuple[int, int, int]]:
    sums: dict[str, tuple[int, int, int]] = {}
    for name, demanded, served in rows:
        count, asked, got = sums.get(name, (0, 0, 0))
        sums[name] = count + 1, asked + demanded, got + served
    return sums


def _among_equals(asked: Sequence[Asked]) -> float:
    groups: dict[bytes, list[tuple[int, int]]] = {}
    for one in asked:
        groups.setdefault(one.criteria, []).append((one.demanded, one.served))
    return sum(_gini(*_curve(pairs)) * served for pairs in groups.values() if (served := sum(got for _, got in pairs)))


def _curve(pairs: Sequence[tuple[int, int]]) -> tuple[Floats, Floats]:
    """The concentration curve of (demanded, served), something of which was served."""
    ordered = np.array([(0, 0), *sorted(pairs, key=lambda pair: pair[1] / pair[0])], np.float64).cumsum(axis=0)
    shares = ordered / ordered[-1]
    return shares[:, 0], shares[:, 1]


def _gini(demanded: Floats, served: Floats) -> float:
    return max(0.0, 1 - 2 * float(np.trapezoid(served, demanded)))
