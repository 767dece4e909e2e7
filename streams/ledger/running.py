"""What legs do to balances."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


class Changes(NamedTuple):
    """Of each account, in order: what is added to its balance, and the least and the most that was added after any of the transfers."""

    accounts: Ints
    totals: Ints
    least: Ints
    most: Ints


def running(accounts: Ints, amounts: Ints) -> Changes:
    """The changes by legs in order of their accounts, and of one account in order of their transfers, of which each has one leg at most.

    Raises:
        OverflowError: what is added to an account does not fit.
    """
    starts = np.flatnonzero(np.diff(accounts, prepend=-1))
    if np.any(np.add.reduceat(np.abs(amounts).astype(np.float64), starts) >= 2.0**62):
        raise OverflowError("what is added to an account has more than 64 bits")
    sums = np.cumsum(amounts)
    sums -= np.repeat(sums[starts] - amounts[starts], np.diff(starts, append=len(accounts)))
    ends = np.append(starts[1:], len(accounts)) - 1
    return Changes(accounts[starts], sums[ends], np.minimum.reduceat(sums, starts), np.maximum.reduceat(sums, starts))
