"""Risk group of an asset, by its product's scorecard, logistic model or map of grades (`schemas/risk.py` says what each is).

Pure. Each comes to a score, a whole number, of which more is better, and the score to a group. It is compiled once and applied to the
columns of many assets at a time. Everything is in whole numbers, so that a replay on any machine comes to the same group.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from schemas.product import Product
from schemas.risk import Attribute, Grades, Group, Term

Ints = NDArray[np.int64]
Points = Callable[[pa.Array], Ints]


@dataclass(frozen=True, slots=True)
class Model:
    """A product's risk model: `score` of rows that have `columns`, and the scores from which its groups begin, best first."""

    columns: frozenset[str]
    score: Callable[[pa.RecordBatch], Ints]
    from_scores: Ints


def compile_model(product: Product) -> Model:
    """The risk model of a product that `catalog.parse` has accepted."""
    starts = np.array([group.from_score for group in product.groups], np.int64)
    if product.grades:
        column = product.grades.column
        return Model(frozenset({column, "originator_id"}), _mapped(product.grades, product.groups), starts)
    if product.logistic:
        terms = product.logistic.terms
        score = _summed(-product.logistic.intercept, [(term.column, _contribution(term)) for term in terms])
        return Model(frozenset(term.column for term in terms), score, starts)
    lines = product.scorecard
    points = [(line.column, _banded(line) if line.bands else _listed(line.values, line.missing)) for line in lines]
    return Model(frozenset(line.column for line in lines), _summed(0, points), starts)


def classify(model: Model, rows: pa.RecordBatch) -> tuple[Ints, Ints]:
    """Score and place among the product's groups (0 is the best) of each row; int64 arrays.

    The group is the first that the score reaches, and the last if it reaches none.
    """
    score = model.score(rows)
    ascending = model.from_scores[::-1]
    place = len(ascending) - np.searchsorted(ascending, score, side="right")
    return score, np.minimum(place, len(ascending) - 1)


def _summed(base: int, parts: Iterable[tuple[str, Points]]) -> Callable[[pa.RecordBatch], Ints]:
    parts = tuple(parts)

    def score(rows: pa.RecordBatch) -> Ints:
        total = np.full(rows.num_rows, base, np.int64)
        for column, points in parts:
            total += points(rows.column(column))
        return total

    return score


def _banded(line: Attribute) -> Points:
    below = np.array([band.below for band in line.bands[:-1]], np.int64)
    points = np.array([band.points for band in line.bands], np.int64)
    return _known(line.missing, lambda values: points[np.searchsorted(below, values, side="right")])


def _contribution(term: Term) -> Points:
    """What the term takes from the score: its part of the log-odds of not being repaid."""
    if term.values:
        return _listed({text: -odds for text, odds in term.values.items()}, -term.missing)
    return _known(-term.missing, lambda values: -(term.weight * np.clip(values, term.low, term.high) // term.per))


def _known(missing: int, points: Callable[[Ints], Ints]) -> Points:
    """`points` of a numeric column where it has a value, `missing` where it has none."""

    def score(column: pa.Array) -> Ints:
        found = points(column.fill_null(0).to_numpy())
        return np.where(column.is_null().to_numpy(zero_copy_only=False), missing, found) if column.null_count else found

    return score


def _listed(values: dict[str, int], missing: int) -> Points:
    def score(column: pa.Array) -> Ints:
        coded = column.dictionary_encode()
        points = [values.get(text, missing) for text in coded.dictionary.to_pylist()]
        table = np.array([*points, missing], np.int64)
        return table[coded.indices.fill_null(len(points)).to_numpy()]  # type: ignore[no-any-return]

    return score


def _mapped(grades: Grades, groups: Iterable[Group]) -> Callable[[pa.RecordBatch], Ints]:
    """The score from which the grade's group begins."""
    starts = {group.name: group.from_score for group in groups}
    missing = starts[grades.missing]
    default = _listed({grade: starts[name] for grade, name in grades.groups.items()}, missing)
    own = {who: _listed({grade: starts[name] for grade, name in said.items()}, missing) for who, said in grades.originators.items()}

    def score(rows: pa.RecordBatch) -> Ints:
        said, senders = rows.column(grades.column), rows.column("originator_id").dictionary_encode()
        found = default(said)
        for code, who in enumerate(senders.dictionary.to_pylist()):
            if who in own:
                found = np.where(senders.indices.to_numpy() == code, own[who](said), found)
        return found

    return score
