"""Kinds of assets: what the documents of a product say, if it is no loan. A product file declares it as `document`, and no code knows it.

What the dataflow itself needs of an asset has one place for all kinds, the columns of a loan (`schemas.asset.LOAN`): what is sold, how much
of it, until when, at what rate, what was paid. A declared field either takes such a place (`as`), or is an *attribute*: kept with every
version under its own name, part of the terms, and at hand for the product's scorecard. A place that a kind has no field for gets a
constant. Every document of every kind has COMMON by these names; `product` is how its kind is known.

Why one set of columns and not one for each kind: router, matcher, subscribers and investors deal in all kinds alike, and a market that is
to price them needs the same words for the same things. Why the attributes are one JSON text and not columns: topics and table stay of one
schema, whatever products there are, and every version tells its own words without the product file of its time.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Annotated, Final

import msgspec

from schemas.asset import CENTS_MAX, LOAN, Field, Kind
from schemas.values import Value

COMMON: Final = ("originator_id", "asset_id", "product", "updated_at")
TEXT_BYTES_MAX: Final = 1024  # of a declared text

_PLACES: Final = {field.name: field for field in LOAN}
_COLUMNS: Final = {field.column for field in LOAN}
_NUMBERS: Final = (Kind.MONEY, Kind.RATE, Kind.WHOLE)
_TIMES: Final = {Kind.DAY: ("issued",), Kind.MOMENT: ("updated_at",)}  # the loan's field whose bounds a day or a moment has

Path = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z][A-Za-z0-9_]{0,39}(\.[A-Za-z][A-Za-z0-9_]{0,39})?\Z")]
Number = Annotated[int, msgspec.Meta(ge=-CENTS_MAX, le=CENTS_MAX)]


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"place": "as"}):
    """One line of a product's `document`: a field of it at `path`, or a constant `value`. What it does not say is as `place`'s is.

    Numbers are in their column's unit, as everywhere in a product file: cents, parts per million.
    """

    path: Path | None = None
    value: str | Number | None = None
    place: str | None = None  # the loan's field whose place it takes
    kind: Kind | None = None
    required: bool | None = None
    low: Number | None = None
    high: Number | None = None
    choices: tuple[str, ...] = ()
    length: Annotated[int, msgspec.Meta(ge=1, le=TEXT_BYTES_MAX)] | None = None


Lines = Annotated[tuple[Line, ...], msgspec.Meta(max_length=100)]


@dataclass(frozen=True, slots=True, eq=False)
class AssetKind:
    """How documents of a kind are read, and where what they say goes.

    `fields` are a document's. `sources` has the field whose values a column of LOAN takes, `constants` the value of a column that has none.
    `due` is the day by which all is paid, where `term_months` is not said but follows from it. `attributes` are the fields without a place
    of their own; `due` is one of them. Each kind is one object: `kind_of`.
    """

    fields: tuple[Field, ...]
    sources: Mapping[str, Field]
    constants: Mapping[str, Value]
    attributes: tuple[Field, ...]
    due: Field | None = None

    def path(self, column: str) -> str:
        """What a document of this kind calls a column of LOAN."""
        return self.sources[column].name if column in self.sources else column

    @property
    def columns(self) -> dict[str, Kind]:
        """What a scorecard may use: the loan's columns that have a value, and the attributes, with the kinds of their values."""
        said = {*self.sources, *self.constants, "term_months"}
        filled = {f.column: f.kind for f in LOAN if f.column in said and f.kind is not Kind.SCHEDULE}
        return {**filled, **{f.column: f.kind for f in self.attributes}}


LOAN_KIND: Final = AssetKind(LOAN, MappingProxyType({f.column: f for f in LOAN}), MappingProxyType({}), ())


@lru_cache(256)
def kind_of(lines: tuple[Line, ...]) -> AssetKind:
    """The kind that `document` declares, of which `faults` finds none; without any lines, loans."""
    if not lines:
        return LOAN_KIND
    common = tuple(_PLACES[name] for name in COMMON)
    fields = [(line, _field(line)) for line in lines if line.path]
    due = next((field for line, field in fields if _is_due(line)), None)
    placed = {_PLACES[line.place].column: field for line, field in fields if line.place and not _is_due(line)}
    constants = {_PLACES[line.place].column: line.value for line in lines if line.value is not None and line.place}
    return AssetKind(
        (*common, *(field for _, field in fields)),
        MappingProxyType({**{field.column: field for field in common}, **placed}),
        MappingProxyType(constants),
        tuple(field for line, field in fields if not line.place or _is_due(line)),
        due,
    )


def faults(lines: Sequence[Line], currency: str) -> Iterator[str]:
    """What is wrong with a product's `document`, each with the field at fault; `currency` is the product's."""
    for line in lines:
        name = f"document {line.path or line.place or 'line'}"
        yield from (f"{name}: {message}" for message in _faults(line, currency))
    for column, count in Counter(line.path.replace(".", "_") for line in lines if line.path).items():
        if count > 1:
            yield f"document {column}: two paths of this name, dots and underscores alike"
    for place, count in Counter(line.place for line in lines if line.place).items():
        if count > 1:
            yield f"document: {count} lines are `as: {place}`"
    parents = {line.path.partition(".")[0] for line in lines if line.path and "." in line.path}
    leaves = {*COMMON, *(line.path for line in lines if line.path)}
    yield from (f"document {name}: is a field and has fields in it" for name in sorted(parents & leaves))
    said = {line.place for line in lines}
    if missing := [field.name for field in LOAN if field.required and field.name not in (*COMMON, *said)] if lines else []:
        yield f"document: nothing is `as:` {', '.join(missing)}; a field or a constant must be"


def _faults(line: Line, currency: str) -> Iterator[str]:
    place = _PLACES.get(line.place or "")
    if (line.path is None) == (line.value is None):
        yield "either path or value"
    elif line.place is not None and (place is None or line.place in COMMON):
        yield f"as {line.place!r}: there is no such place; there are {', '.join(name for name in _PLACES if name not in COMMON)}"
    elif line.path in COMMON:
        yield "is in every document anyway"
    elif line.path and line.path.replace(".", "_") in _COLUMNS - {place.column if place and not _is_due(line) else ""}:
        yield "is the name of a place: only what takes that place may have it"
    elif line.value is not None:
        yield from _of_constant(line, place, currency)
    elif line.kind is None and place is None:
        yield f"kind: one of {', '.join(Kind)}"
    elif place and line.kind not in (None, place.kind) and not _is_due(line):
        yield f"kind: as {place.name} it is {place.kind}"
    elif line.kind is Kind.SCHEDULE and place is None:
        yield "kind: a schedule must be as: schedule"
    else:
        yield from _of_field(line, place)


def _of_constant(line: Line, place: Field | None, currency: str) -> Iterator[str]:
    if place is None:
        yield "as: a constant must take a place"
    elif any(part is not None for part in (line.kind, line.required, line.low, line.high, line.length)) or line.choices:
        yield "a constant has nothing but value and as"
    elif place.kind is Kind.TEXT:
        if not isinstance(line.value, str) or not 0 < len(line.value.encode()) <= place.length or not line.value.isprintable():
            yield f"value: must be a text of 1 to {place.length} bytes"
        elif place.choices and line.value not in place.choices:
            yield f"value: must be one of {', '.join(place.choices)}"
        elif place.name == "currency" and line.value != currency:
            yield f"value: must be {currency}, the product's"
    elif place.kind not in _NUMBERS:
        yield f"value: a {place.kind} must come from the document"
    elif not isinstance(line.value, int) or not place.low <= line.value <= place.high:
        yield f"value: must be a whole number, {place.low} to {place.high}"


def _of_field(line: Line, place: Field | None) -> Iterator[str]:
    field = _field(line)
    if place and place.required and not field.required:
        yield f"required: as {place.name} it must be"
    if (line.low is not None or line.high is not None) and field.kind not in _NUMBERS:
        yield f"low, high: are for {', '.join(_NUMBERS)}"
    elif field.low > field.high:
        yield "low: is above high"
    elif place and not _is_due(line) and not place.low <= field.low <= field.high <= place.high:
        yield f"low, high: as {place.name} within {place.low} to {place.high}"
    if (line.choices or line.length is not None) and field.kind is not Kind.TEXT:
        yield "choices, length: are for text"
    elif place and field.length > place.length:
        yield f"length: as {place.name} at most {place.length}"
    elif place and place.choices and not set(line.choices) <= set(place.choices):
        yield f"choices: as {place.name} only {', '.join(place.choices)}"
    elif any(not 0 < len(choice.encode()) <= field.length for choice in line.choices):
        yield f"choices: each of 1 to {field.length} bytes"


def _field(line: Line) -> Field:
    """The field of a line with a path: what it says, then what its place says, then what its kind has."""
    assert line.path
    place = None if _is_due(line) else _PLACES.get(line.place or "")
    kind = line.kind or (place.kind if place else Kind.TEXT)
    usual = place or next((_PLACES[name] for name in _TIMES.get(kind, ())), Field("", kind))
    return Field(
        line.path,
        kind,
        required=line.required if line.required is not None else place is None or place.required,
        low=usual.low if line.low is None else line.low,
        high=usual.high if line.high is None else line.high,
        choices=line.choices or (place.choices if place else ()),
        length=usual.length if line.length is None else line.length,
        term=place is None or place.term,
    )


def _is_due(line: Line) -> bool:
    return line.place == "term_months" and line.kind is Kind.DAY
