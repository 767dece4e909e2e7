"""A column's value in the words of the asset document, and back.

Money is written in the currency's major unit with two decimals ("1234.50"), a rate as a fraction a year without zeros at its end
("0.1407"), a day or a moment (UTC) as ISO 8601 has it; texts and whole numbers are what they are.
"""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, DecimalException
from typing import Final

from schemas.asset import Kind

Value = str | int

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)


def fraction(number: int, places: int) -> str:
    """A scaled number without zeros at its end."""
    return f"{Decimal(number).scaleb(-places).normalize():f}"


def money(cents: int) -> str:
    return f"{Decimal(cents).scaleb(-2):f}"


def written(kind: Kind, value: Value) -> Value:
    """A value of a column of `kind` (`Kind` has the units) as people write it."""
    if kind is Kind.TEXT or kind is Kind.WHOLE or isinstance(value, str):
        return value
    if kind is Kind.MONEY:
        return money(value)
    if kind is Kind.RATE:
        return fraction(value, 6)
    at = _EPOCH + (timedelta(days=value) if kind is Kind.DAY else value * _MS)
    return (at.date() if kind is Kind.DAY else at).isoformat().replace("+00:00", "Z")


def value_of(kind: Kind, words: object) -> Value | None:
    """The column's value of what `written` made of it; None if it is no such words, because `kind` was another then."""
    if kind is Kind.WHOLE or not isinstance(words, str):
        return words if kind is Kind.WHOLE and isinstance(words, int) else None
    try:
        if kind is Kind.TEXT:
            return words
        if kind is Kind.DAY:
            return (date.fromisoformat(words) - _EPOCH.date()).days
        if kind is Kind.MOMENT:
            return (datetime.fromisoformat(words) - _EPOCH) // _MS
        return int(Decimal(words).scaleb(2 if kind is Kind.MONEY else 6))
    except (ValueError, TypeError, OverflowError, DecimalException):
        return None
