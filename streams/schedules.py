"""The schedules of many documents to one column of lists: `streams/decode.py`'s part for arrays of lines.

The lines of one originator have one layout, of values of fixed size, so they are all as long, but for the digits of their number: where
the 17th line of a document stands, and in it its due day, is computed and not looked for. All lines of all documents are then compared
with the layout at once. A document whose lines are not so is the plain reader's.
"""

from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa

from schemas.asset import LINE, LINES_MAX, Kind
from schemas.columns import LINES
from streams.document import ACCEPTED, DAY_MS, DECIMALS, DOCUMENT
from streams.frames import value_size
from streams.layout import LENGTHS, REGEX, Buffer, Ints, Mask, matches

_KEYS: Final = [b"%c%d\0" % (DOCUMENT, number) for number in range(LINES_MAX)]
_HEADS: Final = np.array([int.from_bytes(key, "little") for key in _KEYS], np.uint64)
_SIZES: Final = np.array([len(key) for key in _KEYS], np.int64)
_MASKS: Final = np.array([(1 << 8 * len(key)) - 1 for key in _KEYS], np.uint64)
_BEFORE: Final = np.concatenate(([0], np.cumsum(_SIZES)))  # bytes of the heads of all lines before
_FIELDS: Final = {field.name: field for field in LINE}


class Element(NamedTuple):
    """One element of a line: type and name, bytes of its value, which field it is, if it is one."""

    head: bytes
    size: int
    field: str


def schedules(buffer: Buffer, at: Ints, present: Mask, good: Mask) -> pa.Array:
    """The arrays at `at`, of rows that are `present`, as a column of LINES; `good` is lowered where the plain reader must look."""
    counts = np.zeros(len(at), np.int64)
    rows = np.flatnonzero(present & good)
    layout = _layout(buffer, int(at[rows[0]])) if len(rows) else None
    if layout is None:
        good[rows] = False
        return pa.nulls(len(at), LINES)
    width = 5 + sum(len(one.head) + one.size for one in layout)
    ends = 5 + _BEFORE + width * np.arange(LINES_MAX + 1)
    sizes = buffer.int32[at[rows]].astype(np.int64)
    count = np.minimum(np.searchsorted(ends, sizes), LINES_MAX)
    fits = (ends[count] == sizes) & (count > 0)
    good[rows[~fits]] = False
    rows = rows[fits]
    counts[rows] = count[fits]
    owner = np.repeat(rows, counts[rows])
    line = np.arange(len(owner)) - np.repeat(np.cumsum(counts[rows]) - counts[rows], counts[rows])
    values, fine = _lines(buffer, at[owner] + 4 + _BEFORE[line] + width * line, line, layout, width)
    fine[1:] &= (values["due"][1:] > values["due"][:-1]) | (line[1:] == 0)
    good[owner[~fine]] = False
    good[rows] &= buffer.bytes[at[rows] + sizes[fits] - 1] == 0
    structs = pa.StructArray.from_arrays([pa.array(values[field.name]) for field in LINE], fields=list(LINES.value_type))
    offsets = pa.array(np.concatenate(([0], np.cumsum(counts))).astype(np.int32))
    return pa.ListArray.from_arrays(offsets, structs, type=LINES, mask=pa.array(~present))


def _lines(buffer: Buffer, at: Ints, line: Ints, layout: list[Element], width: int) -> tuple[dict[str, Ints], Mask]:
    """The values of the lines that begin at `at`, of these numbers, by field; and which of them keep to the layout and the bounds."""
    fine = (buffer.uint64[at] & _MASKS[line]) == _HEADS[line]
    at = at + _SIZES[line]
    fine &= (buffer.int32[at] == width) & (buffer.bytes[at + width - 1] == 0)
    at = at + 4
    values: dict[str, Ints] = {}
    always = np.ones(len(at), np.bool_)
    for one in layout:
        fine &= matches(buffer, at, one.head)
        at = at + len(one.head)
        if one.field:
            field = _FIELDS[one.field]
            if field.kind is Kind.DAY:
                numbers, rest = np.divmod(buffer.int64[at], DAY_MS)
                fine &= rest == 0
            else:
                numbers = buffer.decimals(at, DECIMALS[field.kind], always, fine)
            fine &= (numbers >= field.low) & (numbers <= field.high)
            values[one.field] = numbers
        at = at + one.size
    return values, fine


def _layout(buffer: Buffer, at: int) -> list[Element] | None:
    """The elements of the first line of the array at `at`; None if it has no such line, or its values are not all of fixed size."""
    end = at + int(buffer.int32[at]) - 1
    doc = buffer.bytes[at : end + 1].tobytes()
    first = 4 + len(_KEYS[0])
    if not doc.startswith(_KEYS[0], 4) or len(doc) < first + 5:
        return None
    stop = first + int.from_bytes(doc[first : first + 4], "little", signed=True) - 1
    found: list[Element] = []
    place = first + 4
    try:
        while place < min(stop, len(doc)):
            kind, value = doc[place], doc.index(0, place + 1) + 1
            name = doc[place + 1 : value - 1].decode()
            field = name if name in _FIELDS else ""
            if kind in LENGTHS or kind == REGEX or (field and kind not in ACCEPTED[_FIELDS[field].kind]):
                return None
            found.append(Element(doc[place:value], value_size(doc, value, kind), field))
            place = value + found[-1].size
    except (KeyError, ValueError):
        return None
    names = [one.head[1:] for one in found]
    whole = {one.field for one in found if one.field} == set(_FIELDS)
    return found if place == stop and whole and len(set(names)) == len(names) else None
