"""What a sell offer says of its asset for investors' criteria: the attributes that its product lets them use. Pure."""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from schemas.attributes import Attribute
from schemas.columns import ATTRIBUTES
from schemas.values import value_of


class Told:
    """The attributes of `rows` (ASSESSED), read by column; `attributes` are those of some products, `places` says which is each row's."""

    def __init__(self, rows: pa.RecordBatch, attributes: Sequence[Sequence[Attribute]], places: NDArray[np.int64]) -> None:
        self._rows, self._attributes, self._places = rows, attributes, places.tolist()
        self._told: dict[int, _Product] = {}

    def of(self, row: int) -> dict[str, int | str]:
        """By name, in their units; what the version does not say, or says as another kind than its product has, is left out."""
        place = self._places[row]
        if place not in self._told:
            self._told[place] = _Product(self._rows, self._attributes[place])
        return self._told[place].of(row)


class _Product:
    """The same of one product. Most columns have a value in each row, some in none: only the others are looked at row by row."""

    def __init__(self, rows: pa.RecordBatch, attributes: Sequence[Attribute]) -> None:
        columns = {one.name: _column(rows, one) for one in attributes if not one.own}
        full = {name: column for name, column in columns.items() if not column.null_count}
        self._names = tuple(full)
        self._full = list(zip(*(column.to_numpy(zero_copy_only=False).tolist() for column in full.values()), strict=True))
        sparse = {name: column for name, column in columns.items() if 0 < column.null_count < len(column)}
        self._sparse = [(name, column.to_pylist()) for name, column in sparse.items()]
        self._own = [one for one in attributes if one.own]
        self._documents = rows.column(ATTRIBUTES.name).to_pylist() if self._own else []

    def of(self, row: int) -> dict[str, int | str]:
        found: dict[str, int | str] = dict(zip(self._names, self._full[row], strict=True))
        for name, values in self._sparse:
            if values[row] is not None:
                found[name] = values[row]
        if self._own:
            said: dict[str, Any] = msgspec.json.decode(self._documents[row] or "{}")
            own = ((one.name, value_of(one.kind, said.get(one.source))) for one in self._own)
            found.update((name, value) for name, value in own if value is not None)
        return found


def _column(rows: pa.RecordBatch, attribute: Attribute) -> pa.Array:
    column = rows.column(attribute.source)
    return column if attribute.scale == 1 else pc.multiply(column, attribute.scale)
