"""The attributes of assets that are no loans (`schemas/kinds.py`), as columns for their product's scorecard. Pure."""

from collections.abc import Sequence

import msgspec
import pyarrow as pa

from schemas.asset import Field
from schemas.columns import ARROW, ATTRIBUTES
from schemas.values import value_of


def told(rows: pa.RecordBatch, attributes: Sequence[Field]) -> pa.RecordBatch:
    """`rows` (CHANGED) with a column for each of `attributes`, null where a version does not say it.

    A version of before the product's last change may lack an attribute, or have it of another kind: that is not said either.
    """
    if not attributes:
        return rows
    said = [msgspec.json.decode(text or "{}") for text in rows.column(ATTRIBUTES.name).to_pylist()]
    columns = [pa.array([value_of(field.kind, one.get(field.name)) for one in said], ARROW[field.kind]) for field in attributes]
    return pa.RecordBatch.from_arrays([*rows.columns, *columns], names=[*rows.schema.names, *(field.column for field in attributes)])
