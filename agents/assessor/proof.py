"""Proof of a schedule: the original one of a loan computed again by a convention, line by line, and compared. Pure and vectorised."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from agents.assessor import dated
from agents.assessor.calendar import months_after
from agents.assessor.cashflow import instalments, interest_of, schedule, simple_interest
from agents.assessor.lines import Lines, lines_of
from agents.assessor.rounding import Ints
from agents.assessor.schedule import Loans
from schemas.amortisation import BULLET, INTEREST_ONLY, Amortisation


@dataclass(frozen=True, slots=True)
class Proof:
    """What n schedules are off by, the said one less the computed one: [p, n], zeros where a loan has no line."""

    said: Lines
    computed: Lines
    days: Ints
    principal_cents: Ints
    interest_cents: Ints


def prove(terms: Amortisation, loans: Loans, schedules: pa.ListArray) -> Proof:
    """Compare `schedules` (LINES) with those of `loans` by `terms`, which are no own schedule's."""
    said, computed = lines_of(schedules), original(terms, loans)
    lines = min(len(said.due), len(computed.due))
    common = np.arange(lines)[:, None] < np.minimum(said.count, computed.count)
    days, principal, interest = (
        np.where(common, getattr(said, name)[:lines] - getattr(computed, name)[:lines], 0)
        for name in ("due", "principal_cents", "interest_cents")
    )
    return Proof(said, computed, days, principal, interest)


def original(terms: Amortisation, loans: Loans) -> Lines:
    """The original schedule of each loan to the last line in which something is paid; of a bullet that line alone."""
    due, interest, principal = _by_days(terms, loans) if terms.day_count else _by_months(terms, loans)
    last = len(due) - 1 - np.argmax((interest + principal > 0)[::-1], axis=0)
    count = last + 1
    live = np.arange(len(due))[:, None] < count
    return Lines(count, np.where(live, due, np.take_along_axis(due, last[None], axis=0)), principal, interest)


def _by_days(terms: Amortisation, loans: Loans) -> tuple[Ints, Ints, Ints]:
    days = dated.grid(terms, loans)
    regular = dated.instalments(terms, loans, days)
    interest, principal = dated.amortised(terms, loans.principal_cents, loans.rate_ppm, days, regular)
    if terms.kind == BULLET:
        return days.due[-1:], interest.sum(axis=0)[None], principal.sum(axis=0)[None]
    return days.due, interest, principal


def _by_months(terms: Amortisation, loans: Loans) -> tuple[Ints, Ints, Ints]:
    if terms.kind == BULLET:
        interest = simple_interest(loans.principal_cents, loans.rate_ppm, loans.months, terms.rounding)
        return months_after(loans.issued, loans.months)[None], interest[None], loans.principal_cents[None]
    month = np.arange(1, int(loans.months.max(initial=1)) + 1)[:, None]
    due = months_after(loans.issued, np.minimum(month, loans.months))
    if terms.kind == INTEREST_ONLY:
        owed = interest_of(loans.principal_cents, loans.rate_ppm, terms.interest_rounding)
        return due, np.where(month <= loans.months, owed, 0), np.where(month == loans.months, loans.principal_cents, 0)
    regular = instalments(terms, loans.principal_cents, loans.rate_ppm, loans.months)
    parts = list(schedule(terms, loans.principal_cents, loans.rate_ppm, loans.months, regular))
    return due, np.array([interest for interest, _ in parts]), np.array([principal for _, principal in parts])
