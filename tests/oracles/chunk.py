"""A chunk of random loans and their terms, by columns and one by one, compared instalment by instalment."""

from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from agents.assessor import cashflow
from agents.assessor import dated as by_days
from agents.assessor.calendar import REGULAR, months_after
from agents.assessor.schedule import Loans, to_come
from schemas.amortisation import BULLET, DAY_COUNTS, EVERY_MONTHS, EVERY_WEEKS, INTEREST_ONLY, KINDS, ROLLS, ROUNDINGS, Amortisation
from tests.oracles import dated, monthly

CHUNK: Final = 250

Parts = list[tuple[int, int]]


class Checked(NamedTuple):
    """Of one chunk."""

    instalments: int
    ties: int  # loans that were made to end on half a cent somewhere
    differences: list[str]


def check(seed: int) -> Checked:
    """Draw a chunk's loans and their terms, and compare."""
    rng = np.random.default_rng(seed)
    terms, loans, ties = _terms(rng), *_loans(rng)
    if terms.day_count and rng.random() < 0.5:
        loans = _irregular(rng, loans)
    ours = _by_days(terms, loans) if terms.day_count else _by_months(terms, loans)
    differences, instalments = [], 0
    for number, (found, expected) in enumerate(zip(ours, _one_by_one(terms, loans), strict=True)):
        instalments += len(expected)
        if found != expected:
            what = tuple(int(column[number]) for column in (loans.principal_cents, loans.rate_ppm, loans.months, loans.issued))
            place = next((n for n, pair in enumerate(zip(found, expected, strict=False)) if pair[0] != pair[1]), -1)
            differences.append(f"seed {seed}, loan {number}: {terms}, {what}: instalment {place}")
    return Checked(instalments, ties, differences)


def _terms(rng: np.random.Generator) -> Amortisation:
    kind, rounding, interest = (str(rng.choice(values)) for values in (KINDS, ROUNDINGS, ROUNDINGS))
    if rng.random() < 0.5:
        return Amortisation(kind, rounding, interest)
    steps = [{"every_months": int(n)} for n in EVERY_MONTHS] + [{"every_weeks": int(n)} for n in EVERY_WEEKS]
    business_days = str(rng.choice(sorted(ROLLS))) if rng.random() < 0.5 else None
    rest = {"end_of_month": bool(rng.random() < 0.3), "business_days": business_days, **steps[rng.integers(len(steps))]}
    return Amortisation(kind, rounding, interest, day_count=str(rng.choice(DAY_COUNTS)), **rest)


def _loans(rng: np.random.Generator) -> tuple[Loans, int]:
    principal = rng.integers(1, 10 ** rng.integers(2, 12, CHUNK), CHUNK)
    rate = rng.integers(0, 400_000, CHUNK)
    months = rng.choice([1, 3, 6, 12, 24, 36, 48, 60, 84, 120], CHUNK)
    tied = rng.random(CHUNK) < 0.3  # interest of a month is a multiple of half a cent: 1 % a month of a multiple of 50 cents
    principal, rate = (
        np.where(tied, principal // 50 * 50 + 50, principal),
        np.where(tied, rng.choice([0, 60_000, 120_000, 240_000], CHUNK), rate),
    )
    return Loans(principal, rate, months, rng.integers(10_000, 25_000, CHUNK), principal), int(tied.sum())


def _irregular(rng: np.random.Generator, loans: Loans) -> Loans:
    """Two thirds of the loans with a first due day of their own, a third with a maturity, a month about the end of the term."""
    first = np.where(rng.random(CHUNK) < 2 / 3, loans.issued + rng.integers(1, 400, CHUNK), REGULAR)
    end = np.maximum(months_after(np.maximum(loans.issued, first), loans.months) + rng.integers(-31, 32, CHUNK), first)
    maturity = np.where(rng.random(CHUNK) < 1 / 3, np.maximum(end, loans.issued + 1), REGULAR)
    return replace(loans, first_due=first, maturity=maturity)


def _by_months(terms: Amortisation, loans: Loans) -> list[Parts]:
    if terms.kind in (BULLET, INTEREST_ONLY):
        found = to_come(terms, loans, loans.months)
        parts = [_pairs(found.interest_cents[:, n], found.principal_cents[:, n]) for n in range(CHUNK)]
        ends = [[(0, 0)] * (int(m) - len(one)) + one if terms.kind == BULLET else one for one, m in zip(parts, loans.months, strict=True)]
        return [one[: int(m)] for one, m in zip(ends, loans.months, strict=True)]
    regular = cashflow.instalments(terms, loans.principal_cents, loans.rate_ppm, loans.months)
    rows = list(cashflow.schedule(terms, loans.principal_cents, loans.rate_ppm, loans.months, regular))
    return [[(int(interest[n]), int(part[n])) for interest, part in rows[: int(loans.months[n])]] for n in range(CHUNK)]


def _by_days(terms: Amortisation, loans: Loans) -> list[Parts]:
    grid = by_days.grid(terms, loans)
    regular = by_days.instalments(terms, loans, grid)
    interest, principal = by_days.amortised(terms, loans.principal_cents, loans.rate_ppm, grid, regular)
    return [_pairs(interest[:count, n], principal[:count, n]) for n, count in enumerate(grid.periods.tolist())]


def _pairs(interest: NDArray[np.int64], principal: NDArray[np.int64]) -> Parts:
    return list(zip(interest.tolist(), principal.tolist(), strict=True))


def _one_by_one(terms: Amortisation, loans: Loans) -> list[Parts]:
    rows = zip(*(column.tolist() for column in (loans.principal_cents, loans.rate_ppm, loans.months, loans.issued)), strict=True)
    if not terms.day_count:
        return [monthly.schedule(terms, principal, rate, months) for principal, rate, months, _ in rows]
    grid = by_days.grid(terms, loans)  # the days are compared with QuantLib's, in tests/assessor/test_daycount.py
    due = [grid.due[:count, n].tolist() for n, count in enumerate(grid.periods.tolist())]
    return [dated.schedule(terms, principal, rate, issued, due[n]) for n, (principal, rate, _, issued) in enumerate(rows)]
