"""`assets.assessed` to the table of immutable versions: columns all the way, from Arrow to COPY."""

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np
import pyarrow as pa

from agents.merger import rows
from schemas import columns
from schemas.asset import LOAN, Kind
from schemas.schedules import texts_of
from streams.effects import Copy, Execute, Message

# Column of the table for each column of ASSESSED.
NAMES: Final = {
    **{name: name for name in columns.ASSESSED.names},
    **{field.column: field.stored for field in LOAN},
    **{name: name + "_cents" for name in ("delta_principal", "delta_interest", "delta_fees")},
}
DAYS: Final = tuple(field.column for field in LOAN if field.kind is Kind.DAY)
MOMENTS: Final = tuple(field.column for field in LOAN if field.kind is Kind.MOMENT)


def compute(messages: Sequence[Message]) -> list[Copy | Execute]:
    """One COPY of all the messages' asset versions, in order, with the partition and offset that each came from."""
    batches = [rows.read(message, lambda value: columns.decode(value, columns.ASSESSED)) for message in messages]
    sizes = [batch.num_rows for batch in batches]
    table = pa.Table.from_batches(batches).combine_chunks()
    for day in DAYS:
        table = _replace(table, day, table[day].cast(pa.int32()).cast(pa.date32()))
    for moment in MOMENTS:
        table = _replace(table, moment, table[moment].cast(pa.timestamp("ms", "UTC")))
    table = _replace(table, "schedule", pa.chunked_array([texts_of(chunk) for chunk in table["schedule"].chunks], pa.string()))
    table = _replace(table, "schedule_differences", _as_json(table["schedule_differences"]))
    table = _replace(table, "digest", pa.chunked_array([rows.hexadecimal(chunk) for chunk in table["digest"].chunks], pa.string()))
    table = _replace(table, "batch", rows.clean_all(table["batch"]))
    table = table.rename_columns(NAMES)
    table = table.append_column("source_partition", pa.array(np.repeat([m.partition for m in messages], sizes)))
    table = table.append_column("source_offset", pa.array(np.repeat([m.offset for m in messages], sizes)))
    return [rows.copy("asset_versions", table)]


def _as_json(lists: pa.ChunkedArray) -> pa.ChunkedArray:
    """Nearly all are null, and of the others nearly all empty."""
    if lists.null_count == len(lists):
        return pa.chunked_array([pa.nulls(len(lists), pa.string())])
    texts = [None if value is None else msgspec.json.encode(value).decode() for value in lists.to_pylist()]
    return pa.chunked_array([pa.array(texts, pa.string())])


def _replace(table: pa.Table, name: str, values: pa.ChunkedArray) -> pa.Table:
    return table.set_column(table.schema.get_field_index(name), name, values)
