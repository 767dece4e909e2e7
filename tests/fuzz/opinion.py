"""A third opinion on what is accepted: pymongo's `bson` reads the same values."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any, Final

import bson
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.errors import BSONError

from schemas.asset import LINE, LOAN, Field, Kind
from streams.document import DAY_MS, DECIMALS
from tests.fuzz.elements import declared
from tests.fuzz.sendings import expect

OPTIONS: Final = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_MS)
NAMES: Final = {field.name for field in LOAN}


def compare(doc: bytes, row: Mapping[str, Any]) -> None:
    """Compare a row of `assets.changed` with its document as `bson` decodes it, without what nobody declared: that is not read.

    Raises:
        FoundError: a value differs. BSONError: `bson` refuses a declared field.
    """
    try:
        decoded = bson.decode(doc, OPTIONS)
    except BSONError:
        decoded = bson.decode(declared(doc, NAMES), OPTIONS)
    for field in LOAN:
        expect(f"{field.name} of {row['asset_id']}", row[field.column], _value(decoded, field))


def _value(decoded: Mapping[str, Any], field: Field) -> int | str | list[Any] | None:
    """A field's value, in the unit of its column."""
    value: Any = decoded
    for name in field.name.split("."):
        value = None if value is None else value.get(name)
    if value is None or field.kind is Kind.TEXT:
        return value  # type: ignore[no-any-return]
    if field.kind is Kind.SCHEDULE:
        return [{part.column: _value(line, part) for part in LINE} for line in value]
    if field.kind in (Kind.DAY, Kind.MOMENT):
        return int(value) // (DAY_MS if field.kind is Kind.DAY else 1)
    if field.kind is Kind.WHOLE:
        return int(value)
    number = value.to_decimal()
    scaled = Fraction(number) * 10 ** DECIMALS[field.kind] if number else Fraction(0)  # 0E-6176 is no fraction to work out
    expect(f"{field.name}: a rest beyond its decimals", scaled.denominator, 1)
    return int(scaled)
