"""Risk group of an asset: the points of its product's scorecard, summed, decide.

Pure: `Product` and `Attribute` in `schemas/risk.py` say what a scorecard is; here it is compiled once and applied to the columns of
many assets at a time.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from schemas.product import Product
from schemas.risk import Attribute

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Scorecard:
    """A product's scorecard: `points` has a column name and the points of such a column's values, for each attribute."""

    points: tuple[tuple[str, Callable[[pa.Array], Ints]], ...]
    from_scores: Ints  # of the groups, best first, so descending


def compile_scorecard(product: Product) -> Scorecard:
    """The scorecard of a product that `catalog.parse` has accepted."""
    points = tuple((line.column, _banded(line) if line.bands else _listed(line)) for line in product.scorecard)
    return Scorecard(points, np.array([group.from_score for group in product.groups], np.int64))


def classify(scorecard: Scorecard, rows: pa.RecordBatch) -> tuple[Ints, Ints]:
    """Score and place among the product's groups (0 is the best) of each row; int64 arrays.

    The group is the first that the score reaches, and the last if it reaches none.
    """
    score = np.zeros(rows.num_rows, np.int64)
    for column, points in scorecard.points:
        score += points(rows.column(column))
    ascending = scorecard.from_scores[::-1]
    place = len(ascending) - np.searchsorted(ascending, score, side="right")
    return score, np.minimum(place, len(ascending) - 1)


def _banded(line: Attribute) -> Callable[[pa.Array], Ints]:
    below = np.array([band.below for band in line.bands[:-1]], np.int64)
    points = np.array([band.points for band in line.bands], np.int64)

    def score(column: pa.Array) -> Ints:
        found = points[np.searchsorted(below, column.fill_null(0).to_numpy(), side="right")]
        return np.where(column.is_null().to_numpy(zero_copy_only=False), line.missing, found) if column.null_count else found

    return score


def _listed(line: Attribute) -> Callable[[pa.Array], Ints]:
    def score(column: pa.Array) -> Ints:
        coded = column.dictionary_encode()
        points = [line.values.get(text, line.missing) for text in coded.dictionary.to_pylist()]
        table = np.array([*points, line.missing], np.int64)
        return table[coded.indices.fill_null(len(points)).to_numpy()]  # type: ignore[no-any-return]

    return score
