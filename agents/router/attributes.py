"""What a sell offer says of its asset for investors' criteria: the attributes that its product lets them use. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pyarrow as pa

from schemas.attributes import Attribute
from schemas.columns import ATTRIBUTES
from schemas.values import value_of


class Told:
    """The attributes of `rows` (ASSESSED), of which each column is read once; `attributes` are those of each product."""

    def __init__(self, rows: pa.RecordBatch, attributes: Mapping[str, Sequence[Attribute]]) -> None:
        self._rows, self._attributes = rows, attributes
        self._products = rows.column("product").to_pylist()
        self._columns: dict[str, list[Any]] = {}

    def of(self, row: int) -> dict[str, int | str]:
        """By name, in their units; what the version does not say, or says as another kind than its product has now, is left out."""
        found: dict[str, int | str] = {}
        own: dict[str, object] | None = None
        for one in self._attributes[self._products[row]]:
            if one.own:
                own = msgspec.json.decode(self._column(ATTRIBUTES.name)[row] or "{}") if own is None else own
                value = value_of(one.kind, own.get(one.source))
            else:
                value = self._column(one.source)[row]
            if value is not None:
                found[one.name] = value * one.scale if one.scale != 1 else value
        return found

    def _column(self, name: str) -> list[Any]:
        if name not in self._columns:
            column = self._rows.column(name)
            self._columns[name] = column.to_pylist() if column.null_count else column.to_numpy(zero_copy_only=False).tolist()
        return self._columns[name]
