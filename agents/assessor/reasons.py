"""Why a score is not the best there is: the attributes that cost most, largest first, in a few words that go with the assessment. Pure.

An attribute costs what it is below the best that it could be. That is one of the ways in which United States creditors find the principal
reasons of an adverse action, and they give four at most: Regulation B, 12 CFR 1002.9(b)(2), Official Interpretations 9(b)(2)-1 and -5; for
scorecards, Siddiqi, Credit Risk Scorecards, 2006.

A text is "rate -65, purpose -14": columns as the product's file names them, and points; empty where nothing costs anything. Equal costs
stand in the order of the file.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from agents.assessor.rounding import Ints

REASONS_MAX: Final = 4


def reasons(columns: Sequence[str], below_best: Ints) -> pa.Array:
    """A text a row; `below_best` [columns, rows] are points, never negative."""
    order = np.argsort(-below_best, axis=0, kind="stable")[:REASONS_MAX]
    first, *more = (_texts(columns, place, np.take_along_axis(below_best, place[None], axis=0)[0]) for place in order)
    # where the first is null all are, and a row of nulls alone would be left out of what is joined
    return pc.binary_join_element_wise(first.fill_null(""), *more, ", ", null_handling="skip")


def _texts(columns: Sequence[str], place: Ints, points: Ints) -> pa.Array:
    """A reason a row, null where it costs nothing. There are few different ones, and each is written once."""
    codes, which = np.unique(points * len(columns) + place, return_inverse=True)
    texts = [f"{columns[code % len(columns)]} -{code // len(columns)}" if code >= len(columns) else None for code in codes.tolist()]
    return pa.array(texts, pa.string()).take(pa.array(which))
