"""Risk group of an asset, by its product's scorecard, logistic model or map of grades (`schemas/risk.py` says what each is), and why.

Pure. Each comes to a score, a whole number, of which more is better, and the score to a group. It is compiled once and applied to the
columns of many assets at a time. Everything is in whole numbers, so that a replay on any machine comes to the same group.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from schemas import risk
from schemas.product import Product
from schemas.risk import Attribute, Group, Term

Ints = NDArray[np.int64]
Points = Callable[[pa.RecordBatch], Ints]


@dataclass(frozen=True, slots=True)
class Part:
    """What one column gives to the score: `points` of rows that have it, `best` where it is as good as can be."""

    column: str
    points: Points
    best: int


@dataclass(frozen=True, slots=True)
class Model:
    """A product's risk model: a score is `base` and its parts; `from_scores` are those from which its groups begin, best first."""

    columns: frozenset[str]
    base: int
    parts: tuple[Part, ...]
    from_scores: Ints


@dataclass(frozen=True, slots=True)
class Grades:
    """An entry a row: its score, its group's place (0 is the best), and by how much each part is below its best [parts, rows]."""

    score: Ints
    group: Ints
    below_best: Ints


def compile_model(product: Product) -> Model:
    """The risk model of a product that `catalog.parse` has accepted."""
    starts = np.array([group.from_score for group in product.groups], np.int64)
    if product.grades:
        mapped = _mapped(product.grades, product.groups)
        return Model(frozenset({mapped.column, "originator_id"}), 0, (mapped,), starts)
    base, parts = 0, tuple(_banded(line) if line.bands else _listed(line.column, line.values, line.missing) for line in product.scorecard)
    if product.logistic:
        base, parts = -product.logistic.intercept, tuple(map(_contribution, product.logistic.terms))
    return Model(frozenset(part.column for part in parts), base, parts, starts)


def classify(model: Model, rows: pa.RecordBatch) -> Grades:
    """Grade each row. Its group is the first that the score reaches, and the last if it reaches none."""
    points = np.empty((len(model.parts), rows.num_rows), np.int64)
    for place, part in enumerate(model.parts):
        points[place] = part.points(rows)
    score = points.sum(axis=0) + model.base
    ascending = model.from_scores[::-1]
    place = len(ascending) - np.searchsorted(ascending, score, side="right")
    best = np.array([part.best for part in model.parts], np.int64)
    return Grades(score, np.minimum(place, len(ascending) - 1), best[:, None] - points)


def _banded(line: Attribute) -> Part:
    below = np.array([band.below for band in line.bands[:-1]], np.int64)
    points = np.array([band.points for band in line.bands], np.int64)
    return _known(line.column, line.missing, lambda values: points[np.searchsorted(below, values, side="right")], int(points.max()))


def _contribution(term: Term) -> Part:
    """What the term takes from the score: its part of the log-odds of not being repaid."""
    if term.values:
        return _listed(term.column, {text: -odds for text, odds in term.values.items()}, -term.missing)

    def points(values: Ints) -> Ints:
        return -(term.weight * np.clip(values, term.low, term.high) // term.per)

    return _known(term.column, -term.missing, points, int(points(np.array([term.low, term.high])).max()))


def _known(column: str, missing: int, points: Callable[[Ints], Ints], best: int) -> Part:
    """`points` of a numeric column where it has a value, `missing` where it has none."""

    def given(rows: pa.RecordBatch) -> Ints:
        values = rows.column(column)
        if not values.null_count:
            return points(values.to_numpy())
        return np.where(values.is_null().to_numpy(zero_copy_only=False), missing, points(values.fill_null(0).to_numpy()))

    return Part(column, given, max(best, missing))


def _listed(column: str, values: dict[str, int], missing: int) -> Part:
    def given(rows: pa.RecordBatch) -> Ints:
        coded = rows.column(column).dictionary_encode()
        points = [values.get(text, missing) for text in coded.dictionary.to_pylist()]
        table = np.array([*points, missing], np.int64)
        return table[coded.indices.fill_null(len(points)).to_numpy()]  # type: ignore[no-any-return]

    return Part(column, given, max((missing, *values.values())))


def _mapped(said: risk.Grades, groups: Iterable[Group]) -> Part:
    """The score from which the grade's group begins."""
    starts = {group.name: group.from_score for group in groups}
    missing, best = starts[said.missing], max(starts.values())

    def scale(names: dict[str, str]) -> Part:
        return _listed(said.column, {grade: starts[name] for grade, name in names.items()}, missing)

    default, own = scale(said.groups), {who: scale(names) for who, names in said.originators.items()}

    def given(rows: pa.RecordBatch) -> Ints:
        senders = rows.column("originator_id").dictionary_encode()
        found = default.points(rows)
        for code, who in enumerate(senders.dictionary.to_pylist()):
            if who in own:
                found = np.where(senders.indices.to_numpy() == code, own[who].points(rows), found)
        return found

    return Part(said.column, given, best)
