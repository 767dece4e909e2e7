"""When a file of notices is cut, how it is called, and when its delivery is tried again. Pure: times are given."""

from collections.abc import Sequence
from itertools import accumulate
from typing import Final

NOTICES_MAX: Final = 10_000  # in one file
PAUSE_MIN_S: Final = 5.0
PAUSE_MAX_S: Final = 900.0


def due(sizes: Sequence[int], oldest_s: float, after_s: float, bytes_max: int) -> int:
    """How many of the notices that wait, the first ones, are a file now; 0: none yet.

    `sizes` has the bytes of each, in their order, NOTICES_MAX at most; `oldest_s` is the age of the oldest. A file has at most `bytes_max`
    bytes, or a single notice that is larger; it is cut when so much waits, or NOTICES_MAX, or when the oldest is of age `after_s`.
    """
    sums = list(accumulate(sizes))
    full = len(sums) >= NOTICES_MAX or (sums and sums[-1] >= bytes_max)
    if not sums or not (full or oldest_s >= after_s):
        return 0
    return max(1, sum(total <= bytes_max for total in sums))


def name_of(originator: str, number: int) -> str:
    """What a file is called, without its ending: the same for ever."""
    return f"{originator}-{number:012}"


def pause_s(attempts: int) -> float:
    """The pause after so many attempts that failed, one at least."""
    return min(PAUSE_MAX_S, PAUSE_MIN_S * 2.0 ** min(attempts - 1, 20))
