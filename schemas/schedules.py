"""Schedules in the words of the asset document, as JSON, which is how PostgreSQL keeps them; and back to a column's value."""

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.asset import LINE
from schemas.values import value_of


def texts_of(schedules: pa.ListArray) -> pa.StringArray:
    """`[{"due":"2026-10-01","principal":"291.82","interest":"89.50"}, …]` of each of a column (`schemas.columns.LINES`)."""
    flat = schedules.flatten()
    due = flat.field("due").cast(pa.int32()).cast(pa.date32()).cast(pa.string())
    principal, interest = (_money(flat.field(name)) for name in ("principal", "interest"))
    lines = pc.binary_join_element_wise('{"due":"', due, '","principal":"', principal, '","interest":"', interest, '"}', "")
    ends = np.cumsum(schedules.value_lengths().fill_null(0).to_numpy())
    joined = pc.binary_join(pa.ListArray.from_arrays(pa.array(np.concatenate(([0], ends)).astype(np.int32)), lines), ",")
    return pc.if_else(schedules.is_valid(), pc.binary_join_element_wise("[", joined, "]", ""), None)


def _money(cents: pa.Int64Array) -> pa.StringArray:
    """As `schemas.values.money`: a decimal of no places, its bytes read as one of two."""
    whole = cents.cast(pa.decimal128(19, 0))
    return pa.Array.from_buffers(pa.decimal128(19, 2), len(whole), whole.buffers()).cast(pa.string())


def lines_of(text: str) -> list[dict[str, int]]:
    """A column's value of what `texts_of` made of it."""
    return [{field.column: value_of(field.kind, line[field.name]) for field in LINE} for line in msgspec.json.decode(text)]  # type: ignore[misc]
