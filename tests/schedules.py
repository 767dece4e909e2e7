"""Loans with a schedule of their originator's for tests: a product that is in no folder of ours, and its documents."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import bson
import numpy as np
from bson.decimal128 import Decimal128

import schemas
from agents.assessor.calendar import due_days
from schemas.amortisation import Amortisation
from schemas.catalog import Catalog, parse
from streams import topics
from tests.loans import loan
from tests.oracles import dated, monthly

PRODUCT = Path(__file__).parent / "intake" / "own-schedule-eur.yaml"
SHIPPED = Path(schemas.__file__).parent
ISSUED, FIRST_DUE = date(2026, 9, 1), date(2026, 10, 15)


def catalog() -> Catalog:
    """The shipped catalog, and loans with schedules."""
    files = {path.name: path.read_text() for path in (*(SHIPPED / "products").glob("*.yaml"), PRODUCT)}
    return parse(files, ("originators.yaml", (SHIPPED / "originators.yaml").read_text()), topics.MARKETS)


CATALOG = catalog()
OWN = CATALOG.products["own-schedule-eur"]


def number(day: date) -> int:
    return (day - date(1970, 1, 1)).days


def at(day: date | int) -> datetime:
    """A day as BSON has it."""
    day = date(1970, 1, 1).toordinal() + day if isinstance(day, int) else day.toordinal()
    return datetime.fromordinal(day).replace(tzinfo=UTC)


def money(cents: int) -> Decimal128:
    return Decimal128(Decimal(cents).scaleb(-2))


def lines(parts: Iterable[tuple[date | int, int, int]], **more: Any) -> list[dict[str, Any]]:
    """(due, principal, interest) in cents as lines of a document."""
    return [{"due": at(due), "principal": money(principal), "interest": money(interest), **more} for due, principal, interest in parts]


def parts_by(
    terms: Amortisation, principal: int, rate: int, months: int, issued: date = ISSUED, first_due: date | None = None
) -> list[tuple[int, int, int]]:
    """(due, principal, interest) of a loan by the plain implementations."""
    first = np.array([number(first_due)]) if first_due else None
    due = due_days(terms, np.array([number(issued)]), np.array([months]), first)[0][:, 0].tolist()
    found = (
        dated.schedule(terms, principal, rate, number(issued), due) if terms.day_count else monthly.schedule(terms, principal, rate, months)
    )
    return [(day, part, interest) for day, (interest, part) in zip(due, found, strict=True)]


def own(asset: str = "LC1", schedule: Sequence[dict[str, Any]] | None = None, **changed: Any) -> dict[str, Any]:
    """A valid document: 12,000.00 at 8.95 % for 12 months, by ACT/360 from a first due day that is two weeks late."""
    if schedule is None:
        terms = OWN.schedule_proof.conventions["act-360"] if OWN.schedule_proof else OWN.amortisation
        schedule = lines(parts_by(terms, 1_200_000, 89_500, 12, first_due=FIRST_DUE))
    whole = {
        "product": "own-schedule-eur", "currency": "EUR", "country": "DE", "issued": at(ISSUED), "term_months": 12, "grade": "A1",
        "rate": Decimal128("0.0895"), "principal": Decimal128("12000.00"), "outstanding": Decimal128("12000.00"),
        "first_due": at(FIRST_DUE), "schedule": schedule, "schedule_convention": "act-360",
        "paid": {"principal": Decimal128("0"), "interest": Decimal128("0"), "fees": Decimal128("0")},
    }  # fmt: skip
    return loan(asset, **{**whole, **changed})


def encoded(asset: str = "LC1", schedule: Sequence[dict[str, Any]] | None = None, **changed: Any) -> bytes:
    """`own` as BSON."""
    return bson.encode(own(asset, schedule, **changed))
