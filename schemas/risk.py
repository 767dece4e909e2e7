"""How a product grades its assets: the `scorecard` and the `groups` of its file. `agents/assessor` grades by them."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Annotated

import msgspec

from schemas.asset import Kind
from schemas.repeated import repeated

Points = Annotated[int, msgspec.Meta(ge=-1_000_000, le=1_000_000)]
Whole = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


class Band(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Points for a number: those of the first band whose `below` exceeds the value; the last band has none and takes the rest."""

    points: Points
    below: Whole | None = None


class Attribute(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of a scorecard: points by `bands` of a numeric column, or by `values` of a text column; `missing` for null or unlisted."""

    column: str
    missing: Points
    bands: tuple[Band, ...] = ()
    values: dict[str, Points] = {}


class Group(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A risk group: from `from_score` points up, best group first, the last from the lowest score there is. `price_bp`: its sell price."""

    name: Annotated[str, msgspec.Meta(min_length=1)]
    from_score: Whole
    price_bp: Annotated[int, msgspec.Meta(ge=1, le=20_000)] = 10_000


def faults(scorecard: Sequence[Attribute], groups: Sequence[Group], columns: Mapping[str, Kind]) -> Iterator[tuple[str, str]]:
    """What is wrong: the field, by its path in the file, and why. `columns` are those that a scorecard may use."""
    if not groups:
        yield "groups", "at least one"
    if not _ascending([group.from_score for group in groups][::-1]):
        yield "groups", "best first, no two from the same score"
    for name in repeated(group.name for group in groups):
        yield "groups", f"{name!r} is defined twice"
    for column in repeated(line.column for line in scorecard):
        yield "scorecard", f"{column} is there twice"
    for place, line in enumerate(scorecard):
        yield from ((f"scorecard[{place}]", f"{line.column}: {message}") for message in _faults(line, columns))


def _faults(line: Attribute, columns: Mapping[str, Kind]) -> Iterator[str]:
    if line.column not in columns:
        yield f"no such column; there are {', '.join(columns)}"
    elif bool(line.bands) == bool(line.values):
        yield "either bands or values"
    elif bool(line.values) != (columns[line.column] is Kind.TEXT):
        yield "a text column has values, a numeric column has bands"
    below = [band.below for band in line.bands[:-1] if band.below is not None]
    if line.bands and (len(below) != len(line.bands) - 1 or line.bands[-1].below is not None):
        yield "only the last band is open"
    elif not _ascending(below):
        yield "each band's below must be above the one before"


def _ascending(numbers: list[int]) -> bool:
    return all(low < high for low, high in pairwise(numbers))
