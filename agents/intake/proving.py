"""Schedules that name a convention, proved: computed again as the product's `schedule_proof` says, and compared line by line. Pure."""

from collections.abc import Collection
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa

from agents.assessor.proof import Proof, prove
from agents.assessor.schedule import loans_of
from schemas.asset import Kind
from schemas.kinds import kind_of
from schemas.product import Product
from schemas.values import money, written

TOLD: Final = 5  # lines, besides the first, whose differences a reason tells


class Proved(NamedTuple):
    """By row: of what is refused, the document's field and why; of the others what is off within the tolerance, as DIFFERENCES has it."""

    refused: dict[int, tuple[str, str]]
    differences: dict[int, list[dict[str, int]]]


def proved(product: Product, rows: pa.RecordBatch, refused: Collection[int]) -> Proved:
    """Prove the schedules of `rows`, which are all of `product`, but of those that are `refused` already."""
    found = Proved({}, {})
    path = kind_of(product.document).path
    named = rows["schedule_convention"].to_pylist()
    known = product.schedule_proof.conventions if product.schedule_proof else {}
    those = f"there are {', '.join(known)}" if known else f"product {product.product!r} has none"
    places: dict[str, list[int]] = {name: [] for name in known}
    for row, name in enumerate(named):
        if name is not None and row not in refused:
            if name in known:
                places[name].append(row)
            else:
                found.refused[row] = path("schedule_convention"), f"{name!r} is not known; {those}"
    for name, theirs in places.items():
        if theirs:
            part = rows.take(pa.array(theirs))
            _compare(product, name, prove(known[name], loans_of(part), part["schedule"]), theirs, found)
    return found


def _compare(product: Product, convention: str, proof: Proof, rows: list[int], found: Proved) -> None:
    """Add what a proof says of each of `rows` to what is `found`."""
    assert product.schedule_proof
    path, tolerance = kind_of(product.document).path("schedule"), product.schedule_proof.tolerance_cents
    wrong = (proof.days != 0) | (np.abs(proof.principal_cents) > tolerance) | (np.abs(proof.interest_cents) > tolerance)
    off = (proof.principal_cents != 0) | (proof.interest_cents != 0)
    for place, row in enumerate(rows):
        lines = np.flatnonzero(wrong[:, place]).tolist()
        count, computed = int(proof.said.count[place]), int(proof.computed.count[place])
        counted = f"has {count} lines, must have {computed}, by convention {convention!r}"
        if lines:
            first, *others = lines
            part, why = _differs(proof, first, place, tolerance)
            more = f"; {', '.join(_told(proof, line, place) for line in others[:TOLD])}" if others else ""
            more += f" and {len(others) - TOLD} more lines" if len(others) > TOLD else ""
            more += f"; {counted}" if count != computed else ""
            found.refused[row] = f"{path}.{first}.{part}", f"{why}, by convention {convention!r}{more}"
        elif count != computed:
            found.refused[row] = path, counted
        else:
            found.differences[row] = [
                {"line": line, "principal": int(proof.principal_cents[line, place]), "interest": int(proof.interest_cents[line, place])}
                for line in np.flatnonzero(off[:, place]).tolist()
            ]


def _differs(proof: Proof, line: int, place: int, tolerance: int) -> tuple[str, str]:
    """Which part of a line differs by more than it may, the first, and how."""
    if proof.days[line, place]:
        day, other = (written(Kind.DAY, int(lines.due[line, place])) for lines in (proof.said, proof.computed))
        return "due", f"is {day}, must be {other}"
    part = "principal" if abs(int(proof.principal_cents[line, place])) > tolerance else "interest"
    said, computed = (int(getattr(lines, f"{part}_cents")[line, place]) for lines in (proof.said, proof.computed))
    return part, f"is {money(said)}, must be {money(computed)}, off by {money(said - computed)} where {money(tolerance)} is tolerated"


def _told(proof: Proof, line: int, place: int) -> str:
    """What a line is off by, in a few words."""
    parts = {"days": int(proof.days[line, place])}
    amounts = {"principal": int(proof.principal_cents[line, place]), "interest": int(proof.interest_cents[line, place])}
    said = {**parts, **{name: money(cents) for name, cents in amounts.items() if cents}}
    return f"line {line}: {' '.join(f'{name} {value}' for name, value in said.items() if value)}"
