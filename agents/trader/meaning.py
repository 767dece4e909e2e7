"""What a question of criteria means in its market: predicates over typed attributes, in their units. Pure.

Numbers are exact: what has more decimals than its attribute is refused, not rounded. A bound that no asset can be beyond is no bound, so
that `days_past_due <= 0` and `days_past_due = 0` are equal.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from agents.trader.expression import Ask, CriteriaError, Shape, Test, Word
from agents.trader.wording import number_text
from schemas.asset import Kind
from schemas.attributes import Attribute, nearest
from schemas.criteria import TEXT_BYTES_MAX, Predicate
from schemas.values import value_of

BARE_RATE_MAX: Final = 2  # written without a sign of percentage: who writes 6 means 6 %, not 600 %

_NUMBER: Final = re.compile(r"(-?[0-9]{1,15}(?:\.[0-9]{1,12})?) ?(%?)", re.ASCII)  # within Decimal's 28 digits: nothing is rounded
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_COUNTRY: Final = re.compile(r"[A-Z]{2}", re.ASCII)
_PLACES: Final = {Kind.MONEY: 2, Kind.RATE: 6, Kind.WHOLE: 0}
_WRITTEN: Final = {
    Kind.TEXT: "a text",
    Kind.MONEY: "an amount with at most two decimals, such as 2500.00",
    Kind.RATE: "a share, such as 6% or 0.06, with at most six decimals as a fraction",
    Kind.WHOLE: "a whole number",
    Kind.DAY: "a day, such as 2026-01-31",
}
_TEXT_TESTS: Final = (Test.IS, Test.IN, Test.KNOWN)


def predicates(ask: Ask, attributes: Mapping[str, Attribute]) -> tuple[Predicate, ...]:
    """The predicates of which an asset must fulfil one; `attributes` are the market's.

    Raises:
        CriteriaError: there is no such attribute, or the question does not go with its type, or cannot be fulfilled.
    """
    name = ask.attribute.text
    if name not in attributes:
        raise CriteriaError(f"{name[:64]!r} is no attribute of this market; {nearest(name, attributes)}", ask.attribute.place)
    attribute = attributes[name]
    if attribute.is_text:
        return (_of_text(ask, attribute),)
    if ask.test is Test.IN:
        return tuple(_of_number(Ask(ask.attribute, Test.IS, (word,)), attribute) for word in ask.values)
    return (_of_number(ask, attribute),)


def _of_text(ask: Ask, attribute: Attribute) -> Predicate:
    if ask.test not in _TEXT_TESTS:
        raise CriteriaError(f"{attribute.name} is a text: ask for it with =, !=, in, not in or is known", ask.attribute.place)
    if ask.test is Test.KNOWN:
        return Predicate(attribute.name, excluded=True)
    return Predicate(attribute.name, tuple(sorted({_text(word, attribute) for word in ask.values})))


def _text(word: Word, attribute: Attribute) -> str:
    text = word.text
    if word.shape not in {Shape.WORD, Shape.TEXT, Shape.STRING}:
        raise CriteriaError(f'{attribute.name} is a text: write "{text}"', word.place)
    if not text or not text.isprintable() or len(text.encode()) > TEXT_BYTES_MAX:
        raise CriteriaError(f"a text must be 1 to {TEXT_BYTES_MAX} bytes, and printable", word.place)
    if attribute.name == "country" and not _COUNTRY.fullmatch(text):
        raise CriteriaError(f"{text[:64]!r}: a country is two capital letters, such as DE (ISO 3166-1)", word.place)
    if attribute.values and text not in attribute.values:
        raise CriteriaError(f"{attribute.name} is never {text[:64]!r}; {nearest(text, attribute.values)}", word.place)
    return text


def _of_number(ask: Ask, attribute: Attribute) -> Predicate:
    name, least, most = attribute.name, attribute.low, attribute.high
    numbers = [number(word, attribute) for word in ask.values]
    low, high = {
        Test.KNOWN: lambda: (least, most),
        Test.IS: lambda: (numbers[0], numbers[0]),
        Test.BELOW: lambda: (least, numbers[0] - 1),
        Test.AT_MOST: lambda: (least, numbers[0]),
        Test.ABOVE: lambda: (numbers[0] + 1, most),
        Test.AT_LEAST: lambda: (numbers[0], most),
        Test.BETWEEN: lambda: (numbers[0], numbers[1]),
    }[ask.test]()
    if low > high:
        raise CriteriaError(f"no {name} is {_shown(ask)}: the range is empty", ask.values[0].place)
    return Predicate(name, low=None if low <= least else low, high=None if high >= most else high)


def _shown(ask: Ask) -> str:
    first, *rest = (word.text + ("%" if word.shape is Shape.PERCENT else "") for word in ask.values)
    return f"between {first} and {rest[0]}" if rest else f"{ask.test} {first}"


def number(word: Word, attribute: Attribute) -> int:
    """A value in the attribute's unit.

    Raises:
        CriteriaError: it is none of the attribute's kind, or out of its bounds.
    """
    kind = attribute.kind
    found = _day(word) if kind is Kind.DAY else _scaled(word, attribute)
    if found is None:
        raise CriteriaError(f"{attribute.name} is {_WRITTEN[kind]}; this is {word.text[:64]!r}", word.place)
    if not attribute.low <= found <= attribute.high:
        low, high = number_text(kind, attribute.low), number_text(kind, attribute.high)
        raise CriteriaError(f"{attribute.name} is {low} to {high}", word.place)
    return found


def _day(word: Word) -> int | None:
    number = value_of(Kind.DAY, word.text) if _DAY.fullmatch(word.text) else None
    return number if isinstance(number, int) else None


def _scaled(word: Word, attribute: Attribute) -> int | None:
    """A decimal number in the attribute's unit; None if it is none, or would have to be rounded."""
    percent = word.shape is Shape.PERCENT
    found = _NUMBER.fullmatch(f"{word.text}%" if percent else word.text)
    if found is None or word.shape in {Shape.WORD, Shape.TEXT, Shape.DAY}:
        return None
    if found[2] and attribute.kind is not Kind.RATE:
        return None
    number = Decimal(found[1])
    if attribute.kind is Kind.RATE and not found[2] and abs(number) > BARE_RATE_MAX:
        why = f"{found[1]} without % is {number * 100:f}%; write {found[1]}%, or {number * 100:f}% if that is meant"
        raise CriteriaError(why, word.place)
    scaled = number.scaleb(_PLACES[attribute.kind] - (2 if found[2] else 0))
    return int(scaled) if scaled == scaled.to_integral_value() else None
