"""Schedules line by line, as arrays. Pure.

[p, n], a row a line and a column a loan, as in a `schedule.Schedule`. After a loan's last line there are its last due day again, and zeros.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from agents.assessor.rounding import Ints


@dataclass(frozen=True, slots=True)
class Lines:
    """p lines of n loans; those of a loan have indices below its `count`."""

    count: Ints  # [n]
    due: Ints  # [p, n]
    principal_cents: Ints  # [p, n]
    interest_cents: Ints  # [p, n]


def lines_of(schedules: pa.ListArray) -> Lines:
    """The schedules of a column (`schemas.columns.LINES`); a null has no lines."""
    count = schedules.value_lengths().fill_null(0).to_numpy().astype(np.int64)
    flat, ends = schedules.flatten(), np.cumsum(count)
    loan = np.repeat(np.arange(len(count)), count)
    line = np.arange(len(loan)) - np.repeat(ends - count, count)
    due, principal, interest = np.zeros((3, max(1, int(count.max(initial=0))), len(count)), np.int64)
    for array, name in ((due, "due"), (principal, "principal"), (interest, "interest")):
        array[line, loan] = flat.field(name).to_numpy()
    last = np.take_along_axis(due, np.maximum(count - 1, 0)[None], axis=0)
    return Lines(count, np.where(np.arange(len(due))[:, None] < count, due, last), principal, interest)
