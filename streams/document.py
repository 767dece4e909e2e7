"""One asset document, read plainly: the reference for `streams/decode.py`, and the one that says what is wrong and where.

BSON's grammar: https://bsonspec.org/spec.html. Fields that nobody declared are not read; only where they end and how deep they nest is.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal, DecimalException
from functools import lru_cache
from struct import Struct, error
from typing import Any, Final

from bson.decimal128 import Decimal128

from schemas.asset import DEPTH_MAX, DOCUMENT_BYTES_MAX, LINE, LINES_MAX, Field, Kind
from streams.frames import value_size

Value = int | str | list[dict[str, int]]

_int32: Final = Struct("<i").unpack_from
_int64: Final = Struct("<q").unpack_from
TEXT, DOCUMENT, ARRAY, DAY, NULL, INT32, INT64, DECIMAL = 0x02, 0x03, 0x04, 0x09, 0x0A, 0x10, 0x12, 0x13
ACCEPTED: Final = {
    Kind.TEXT: (TEXT,),
    Kind.MONEY: (DECIMAL,),
    Kind.RATE: (DECIMAL,),
    Kind.WHOLE: (INT32, INT64),
    Kind.DAY: (DAY,),
    Kind.MOMENT: (DAY,),
    Kind.SCHEDULE: (ARRAY,),
}
DECIMALS: Final = {Kind.MONEY: 2, Kind.RATE: 6}
DAY_MS: Final = 86_400_000
IDS: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-")  # they stand in keys, URLs and file names
_NAMES: Final = {
    1: "double", 2: "string", 3: "document", 4: "array", 5: "binary", 7: "ObjectId", 8: "bool", 9: "date", 10: "null", 11: "regex",
    13: "code", 14: "symbol", 16: "int32", 17: "timestamp", 18: "int64", 19: "Decimal128",
}  # fmt: skip
_WANTED: Final = {
    Kind.TEXT: "a string",
    Kind.MONEY: "a Decimal128",
    Kind.RATE: "a Decimal128",
    Kind.WHOLE: "an int32 or int64",
    Kind.DAY: "a date",
    Kind.MOMENT: "a date",
    Kind.SCHEDULE: "an array",
}


class FieldError(ValueError):
    """A document that cannot be accepted: `field` is the path at fault, empty for the document as a whole."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field or 'document'}: {reason}")
        self.field, self.reason = field, reason


def read(doc: bytes, fields: Iterable[Field]) -> dict[str, Value | None]:
    """The declared fields of a document by column name: text, cents, parts per million, whole numbers, days since 1970; None if absent.

    A schedule is a list of its lines, each its fields by column name.

    Raises:
        FieldError: the first fault, in the document's order; missing fields last.
    """
    if len(doc) > DOCUMENT_BYTES_MAX:
        raise FieldError("", f"{len(doc)} bytes; at most {DOCUMENT_BYTES_MAX} are allowed")
    known = {field.name: field for field in fields}
    parents = {name.rpartition(".")[0] for name in known} - {""}
    found: dict[str, Value | None] = {}
    _walk(doc, 4, len(doc) - 1, "", known, parents, found)
    for name, field in known.items():
        if field.required and found.get(name) is None:
            raise FieldError(name, "is null" if name in found else "is missing")
    return {field.column: found.get(name) for name, field in known.items()}


def _walk(doc: bytes, at: int, end: int, path: str, known: dict[str, Field], parents: set[str], found: dict[str, Any]) -> None:
    while at < end:
        kind, name, value = _element(doc, at, end, path)
        try:
            size = value_size(doc, value, kind)
        except (KeyError, ValueError, error) as fault:
            raise FieldError(name, "its value is damaged, or of no BSON type") from fault
        at = value + size
        if at > end:
            raise FieldError(name, "its value ends behind the document")
        if name in found:
            raise FieldError(name, "appears twice")
        if name in known:
            found[name] = None if kind == NULL else _value(doc, value, size, kind, known[name])
        elif name in parents and kind != NULL:
            if kind != DOCUMENT:
                raise FieldError(name, f"must be a document, is {_NAMES.get(kind, kind)}")
            found[name] = None
            if doc[at - 1]:
                raise FieldError(name, "does not end with a zero byte")
            _walk(doc, value + 4, at - 1, f"{name}.", known, parents, found)
        elif kind in (DOCUMENT, ARRAY) and may_be_deep(doc[value:at]):
            _check_depth(doc, value, at, name)
    if at != end:
        raise FieldError(path.rstrip("."), "does not end where its length says")


def _element(doc: bytes, at: int, end: int, path: str) -> tuple[int, str, int]:
    """Type, path and position of the value of the element at `at`."""
    try:
        stop = doc.index(0, at + 1, end)
        return doc[at], path + doc[at + 1 : stop].decode(), stop + 1
    except ValueError as fault:  # UnicodeDecodeError is one
        raise FieldError(path.rstrip("."), f"byte {at}: there is no field name") from fault


def may_be_deep(data: bytes) -> bool:
    """Whether documents could nest too deep here: each level has a type byte of 3 or 4, so fewer such bytes mean fewer levels."""
    return data.count(DOCUMENT) + data.count(ARRAY) >= DEPTH_MAX


def _check_depth(doc: bytes, at: int, end: int, name: str) -> None:
    levels = [(at + 4, end - 1)]
    while levels:
        at, end = levels.pop()
        if at >= end:
            continue
        try:
            value = doc.index(0, at + 1, end) + 1
            after = value + value_size(doc, value, doc[at])
        except (KeyError, ValueError, error) as fault:
            raise FieldError(name, "is damaged inside") from fault
        levels.append((after, end))
        if doc[at] in (DOCUMENT, ARRAY):
            levels.append((value + 4, after - 1))
        if len(levels) > DEPTH_MAX:
            raise FieldError(name, f"nests deeper than {DEPTH_MAX} documents")


def _value(doc: bytes, at: int, size: int, kind: int, field: Field) -> Value:
    if kind not in ACCEPTED[field.kind]:
        raise FieldError(field.name, f"must be {_WANTED[field.kind]}, is {_NAMES.get(kind, kind)}")
    if field.kind is Kind.TEXT:
        return _text(doc[at + 4 : at + size], field)
    if field.kind is Kind.SCHEDULE:
        return _schedule(doc, at + 4, at + size - 1, field.name)
    if field.kind is Kind.WHOLE:
        number = (_int32 if kind == INT32 else _int64)(doc, at)[0]
    elif field.kind is Kind.DAY:
        number, rest = divmod(_int64(doc, at)[0], DAY_MS)
        if rest:
            raise FieldError(field.name, "must be a day: midnight UTC, without a time")
    elif field.kind is Kind.MOMENT:
        (number,) = _int64(doc, at)
    else:
        number = _scaled(_decimal(doc[at : at + 16], field), field)
    if not field.low <= number <= field.high:
        raise FieldError(
            field.name, f"is {_shown(number, field)}, must be between {_shown(field.low, field)} and {_shown(field.high, field)}"
        )
    return int(number)


def _schedule(doc: bytes, at: int, end: int, name: str) -> list[dict[str, int]]:
    """The lines of the array between its length and its last byte, each due after the one before."""
    if doc[end]:
        raise FieldError(name, "does not end with a zero byte")
    found: dict[str, Any] = {}
    _walk(doc, at, end, f"{name}.", *_of_lines(name), found)
    lines: list[dict[str, int]] = []
    while at < end:
        kind, key, value = _element(doc, at, end, f"{name}.")
        at = value + value_size(doc, value, kind)
        path = f"{name}.{len(lines)}"
        if len(lines) == LINES_MAX:
            raise FieldError(name, f"has more than {LINES_MAX} lines")
        if key != path:
            raise FieldError(name, f"is no array: {key} stands where {path} must")
        line = {field.column: found.get(f"{path}.{field.name}") for field in LINE}
        if missing := next((f"{path}.{field.name}" for field in LINE if line[field.column] is None), None):
            raise FieldError(missing, "is null" if missing in found else "is missing")
        if lines and line["due"] <= lines[-1]["due"]:  # type: ignore[operator]
            raise FieldError(f"{path}.due", "must be after that of the line before")
        lines.append(line)  # type: ignore[arg-type]
    if not lines:
        raise FieldError(name, "has no lines")
    return lines


@lru_cache(64)
def _of_lines(name: str) -> tuple[dict[str, Field], set[str]]:
    """The fields of all lines that the schedule `name` may have, by their paths; and the paths of those lines."""
    lines = [f"{name}.{line}" for line in range(LINES_MAX)]
    every = (replace(field, name=f"{line}.{field.name}") for line in lines for field in LINE)
    return {field.name: field for field in every}, set(lines)


def _decimal(data: bytes, field: Field) -> Decimal:
    try:
        return Decimal128.from_bid(data).to_decimal()
    except DecimalException as fault:  # 16 bytes can say more than the format has: IEEE 754-2008 calls it non-canonical
        raise FieldError(field.name, "is no Decimal128: more than 34 digits, or an exponent that there is not") from fault


def _scaled(number: Decimal, field: Field) -> int:
    if not number.is_finite():
        raise FieldError(field.name, f"is {number}, not a number" if number.is_nan() else f"is {number}")
    places = DECIMALS[field.kind]
    sign, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)
    if not any(digits):
        return 0
    if len(digits) + exponent > 20:  # beyond every bound, and 10**6000 is not to be computed
        return -(10**20) if sign else 10**20
    whole = int("".join(map(str, digits)))
    scaled, rest = (whole * 10 ** (exponent + places), 0) if exponent >= -places else divmod(whole, 10 ** min(-places - exponent, 40))
    if rest:
        raise FieldError(field.name, f"has more than {places} decimals")
    return int(-scaled if sign else scaled)


def _text(data: bytes, field: Field) -> str:
    body = data[:-1]
    if data[-1]:
        raise FieldError(field.name, "does not end with a zero byte")
    if not 0 < len(body) <= field.length:
        raise FieldError(field.name, f"is {len(body)} bytes long, must be between 1 and {field.length}")
    try:
        text = body.decode()
    except UnicodeDecodeError as fault:
        raise FieldError(field.name, f"is no UTF-8 at its byte {fault.start}") from fault
    if field.choices and text not in field.choices:
        raise FieldError(field.name, f"must be one of {', '.join(field.choices)}")
    if field.name.endswith("_id") and not IDS.issuperset(body):
        raise FieldError(field.name, "may have letters, digits and . _ : - only")
    if min(body) < 0x20 or 0x7F in body:
        raise FieldError(field.name, "has a control character")
    return text


def _shown(number: int, field: Field) -> str:
    if field.kind in (Kind.DAY, Kind.MOMENT):
        days = number if field.kind is Kind.DAY else number // DAY_MS
        low, high = -719_162, 2_932_896  # the days of datetime: years 1 to 9999
        return f"{datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days):%Y-%m-%d}" if low <= days <= high else f"day {days}"
    places = DECIMALS.get(field.kind, 0)
    return f"{Decimal(number).scaleb(-places):f}" if abs(number) < 10**20 else "out of range"
