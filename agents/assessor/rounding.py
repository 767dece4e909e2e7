"""Rounding to whole cents, exactly, by each of the modes that a product may declare (`schemas/amortisation.py`).

Pure. Amounts are never negative here, so up is away from zero. `half_even` is the banker's rounding of IEEE 754, `half_up` that of most
loan contracts.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.amortisation import DOWN, HALF_EVEN, HALF_UP, UP

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Ratio = tuple[int, int]  # numerator, denominator

# Relative error allowed for a float64 result: six roundings and two library functions stay far below 64 units of 2**-52.
ERROR: Final = 64 * 2.0**-52

_OF_FLOATS: Final[dict[str, Callable[[Floats], Floats]]] = {
    UP: np.ceil,
    DOWN: np.floor,
    HALF_UP: lambda exact: np.floor(exact + 0.5),
    HALF_EVEN: np.rint,
}


def quotient(numerator: Ints, denominator: Ints | int, mode: str, more: Ints | int = 0) -> Ints:
    """`more` + `numerator` / `denominator`, rounded: a tie is even where the sum is. Numerators from 0 to 2**63 less the denominator."""
    if mode == HALF_UP:  # of every month of nearly every loan: one division
        return more + (numerator + denominator // 2) // denominator
    if mode == DOWN:
        return more + numerator // denominator
    whole, rest = np.divmod(numerator, denominator)
    whole += more
    if mode == UP:
        return whole + (rest > 0)
    half = denominator - rest
    return whole + ((rest > half) | ((rest == half) & (whole % 2 == 1)))  # type: ignore[no-any-return]


def nearest(exact: Floats, mode: str, ratio_of: Callable[[int], Ratio], operations: int = 0) -> Ints:
    """`exact` rounded, for float64 values that are within ERROR of the truth, and a rounding for each of `operations` more.

    Where the truth may lie on the other side of a boundary of the mode, `ratio_of(row)` says it as whole numbers of any size.
    """
    result = _OF_FLOATS[mode](exact).astype(np.int64)
    offset = 0.0 if mode in (UP, DOWN) else 0.5
    boundary = np.rint(exact - offset) + offset
    for row in np.flatnonzero(np.abs(exact - boundary) <= exact * (ERROR + operations * 2.0**-52)).tolist():
        result[row] = of_ratio(*ratio_of(row), mode)
    return result


def of_ratio(numerator: int, denominator: int, mode: str) -> int:
    """As `quotient`, of whole numbers of any size."""
    whole, rest = divmod(numerator, denominator)
    if mode == DOWN:
        return whole
    if mode == UP:
        return whole + (rest > 0)
    return whole + (2 * rest > denominator or (2 * rest == denominator and (mode == HALF_UP or whole % 2 == 1)))
