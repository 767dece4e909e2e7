"""First due days, maturities and schedules that cannot be: found for a whole Step's columns at once. Pure."""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from agents.assessor.calendar import REGULAR, months_after
from agents.assessor.lines import lines_of
from agents.assessor.schedule import loans_of
from agents.intake.proving import proved
from schemas.amortisation import BULLET, OWN_SCHEDULE
from schemas.asset import Kind
from schemas.columns import DIFFERENCES
from schemas.kinds import kind_of
from schemas.product import Product
from schemas.values import money, written

FIRST_PERIOD_DAYS_MAX: Final = 731  # two years
COLUMNS: Final = ("first_due", "maturity", "schedule", "schedule_convention")

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


class Checked(NamedTuple):
    """The rows that are refused: the document's field, and why; and what each row's schedule is off by: DIFFERENCES."""

    refused: dict[int, tuple[str, str]]
    differences: pa.ListArray


def check(columns: pa.RecordBatch, products: Mapping[str, Product]) -> Checked:
    """Check the rows (columns of LOAN); of several faults of a row the first is told."""
    own = [name for name, product in products.items() if product.amortisation.kind == OWN_SCHEDULE]
    said = np.zeros(columns.num_rows, np.bool_)
    for name in COLUMNS:
        if columns[name].null_count < columns.num_rows:
            said |= _there(columns, name)
    refused: dict[int, tuple[str, str]] = {}
    if not own and not said.any():
        return Checked(refused, pa.nulls(columns.num_rows, DIFFERENCES))
    coded = columns["product"].dictionary_encode()
    codes = coded.indices.to_numpy()
    differences: list[list[dict[str, int]] | None] = [None] * columns.num_rows
    for code, name in enumerate(coded.dictionary.to_pylist()):
        places = np.flatnonzero((codes == code) & (said | (name in own)))
        if name not in products or not len(places):
            continue
        rows = columns.take(pa.array(places))
        faults = _Faults(products[name], rows).found
        proof = proved(products[name], rows, faults.keys())
        refused |= {int(places[row]): fault for row, fault in (proof.refused | faults).items()}
        for row, one in proof.differences.items():
            differences[int(places[row])] = one
    return Checked(refused, pa.array(differences, DIFFERENCES))


class _Faults:
    """What is wrong with rows of one product, before their schedules are proved."""

    def __init__(self, product: Product, rows: pa.RecordBatch) -> None:
        self.found: dict[int, tuple[str, str]] = {}
        self._product, self._rows, self._loans = product, rows, loans_of(rows)
        self._path = kind_of(product.document).path
        none = np.full(rows.num_rows, REGULAR)
        self._first_due = none if self._loans.first_due is None else self._loans.first_due
        self._maturity = none if self._loans.maturity is None else self._loans.maturity
        self._days()
        if product.amortisation.kind != OWN_SCHEDULE and not product.amortisation.day_count:
            self._whole_months()
        self._schedules()

    def _refuse(self, wrong: Mask, path: str | Callable[[int], str], why: str | Callable[[int], str]) -> None:
        for row in np.flatnonzero(wrong).tolist():
            field, reason = (one if isinstance(one, str) else one(row) for one in (path, why))
            self.found.setdefault(row, (field, reason))

    def _days(self) -> None:
        issued, first, end = self._loans.issued, self._first_due, self._maturity
        self._begins(first, first != REGULAR, self._path("first_due"))
        self._refuse((end != REGULAR) & (end <= issued), self._path("maturity"), f"must be after {self._path('issued')}")
        self._refuse((end != REGULAR) & (end < first), self._path("maturity"), f"must not be before {self._path('first_due')}")
        self._ends(end, end != REGULAR, first, self._path("maturity"))

    def _begins(self, first: Ints, there: Mask, path: str) -> None:
        issued, name = self._loans.issued, self._path("issued")
        self._refuse(there & (first <= issued), path, f"must be after {name}")
        most = FIRST_PERIOD_DAYS_MAX
        self._refuse(there & (first > issued + most), path, lambda row: f"is {_day(first[row])}, more than {most} days after {name}")

    def _ends(self, end: Ints, there: Mask, first: Ints, path: str | Callable[[int], str]) -> None:
        """A loan ends with its term, a month less or more, the first period's length aside."""
        issued, months = self._loans.issued, self._loans.months
        low, high = months_after(issued, months - 1), months_after(np.maximum(issued, first), months + 1)

        def why(row: int) -> str:
            term = f"{self._path('term_months')} is {months[row]}"
            return f"is {_day(end[row])}, must be between {_day(low[row])} and {_day(high[row])}: {term}"

        self._refuse(there & ((end < low) | (end > high)), path, why)

    def _whole_months(self) -> None:
        issued, months = self._loans.issued, self._loans.months
        why = f"product {self._product.product!r} has no day_count, its periods are whole months"
        one = months if self._product.amortisation.kind == BULLET else np.ones_like(months)
        self._is("first_due", self._first_due, months_after(issued, one), why)
        self._is("maturity", self._maturity, months_after(issued, months), why)

    def _is(self, column: str, said: Ints, due: Ints, why: str, there: Mask | bool = True) -> None:
        wrong = (said != REGULAR) & (said != due) & there
        self._refuse(wrong, self._path(column), lambda row: f"is {_day(said[row])}, must be {_day(due[row])}: {why}")

    def _schedules(self) -> None:
        path, there = self._path("schedule"), _there(self._rows, "schedule")
        if self._product.amortisation.kind == OWN_SCHEDULE:
            why = f"is missing: product {self._product.product!r} is repaid by the originator's own schedule"
            self._refuse(~there, path, why)
        self._refuse(
            _there(self._rows, "schedule_convention") & ~there, self._path("schedule_convention"), f"there is no {path} that it could be of"
        )
        if not there.any():
            return
        lines = lines_of(self._rows["schedule"])
        first, last = lines.due[0], lines.due[-1]
        unproved = there & ~_there(self._rows, "schedule_convention")  # the proof compares all due days
        self._begins(first, there, f"{path}.0.due")
        self._ends(last, unproved, first, lambda row: f"{path}.{lines.count[row] - 1}.due")
        total, principal = lines.principal_cents.sum(axis=0), self._loans.principal_cents
        self._refuse(
            there & (total != principal),
            path,
            lambda row: f"principal parts add up to {_money(total[row])}, {self._path('principal')} is {_money(principal[row])}",
        )
        self._is("first_due", self._first_due, first, f"that is the first of {path}", unproved)
        self._is("maturity", self._maturity, last, f"that is the last of {path}", unproved)


def _there(rows: pa.RecordBatch, column: str) -> Mask:
    there: Mask = rows[column].is_valid().to_numpy(zero_copy_only=False)
    return there


def _day(day: Any) -> str:
    return str(written(Kind.DAY, int(day)))


def _money(cents: Any) -> str:
    return money(int(cents))
