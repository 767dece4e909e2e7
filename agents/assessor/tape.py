"""What a loan tape says of what became of its loans: how long each was watched, and how that ended. Pure.

A tape is a loan book as of one day. A loan is on it from its month of issue; it is watched until it defaulted, was repaid before its term
was over, ran to its end, or until the tape's day. Recalled loans say nothing and are left out.

Default is status `defaulted`, or later than DEFAULT_DAYS, whichever the tape tells: the common practice where charge-offs come months after
the last payment. (Basel III, CRE 36.68 f., has 90 days; tapes often give bands, and 31-120 days is one.) A loan that ended says when by its
`updated_at`; without it, it ended at any time until the tape's day.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from schemas.asset import Status

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

DEFAULT_DAYS: Final = 30
DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class Watched:
    """An entry a loan that was watched; `rows` are their places on the tape."""

    rows: Ints
    months: Ints  # on book, that were watched; 1 or more
    defaulted: Flags
    prepaid: Flags
    dated: Flags  # an end was in the last of these months; else in any of them


def watched(rows: pa.RecordBatch, as_of_day: int) -> Watched:
    """The loans of a book (columns of LOAN) as of a day (since 1970-01-01), but those issued after it, and those recalled."""
    status = rows.column("status").to_numpy(zero_copy_only=False)
    issued, term = rows.column("issued").to_numpy(), rows.column("term_months").to_numpy()
    ended = np.isin(status, [Status.DEFAULTED.value, Status.REPAID.value])
    updated = rows.column("updated_at")
    dated = ended & updated.is_valid().to_numpy(zero_copy_only=False)
    until = np.where(dated, np.minimum(updated.fill_null(0).to_numpy() // DAY_MS, as_of_day), as_of_day)
    months = np.maximum(_month(until) - _month(issued), 1)
    some = (issued <= as_of_day) & (status != Status.RECALLED.value)
    bad = (status == Status.DEFAULTED.value) | ((rows.column("days_past_due").to_numpy() > DEFAULT_DAYS) & ~ended)
    prepaid = (status == Status.REPAID.value) & (months < term)
    return Watched(np.flatnonzero(some), np.minimum(months, term)[some], bad[some], prepaid[some], dated[some])


def _month(days: Ints) -> Ints:
    return days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
