"""Criteria in normal form as people write them: in the language, and as JSON. Pure. Both are read again to the same criteria."""

from collections.abc import Mapping
from typing import Any, Final

from agents.trader.expression import BARE, KEYWORDS
from schemas.asset import Kind
from schemas.attributes import Attribute
from schemas.criteria import Conjunction, Criteria, Predicate
from schemas.values import fraction, written

NOTHING: Final = "not everything"


def text(criteria: Criteria, attributes: Mapping[str, Attribute]) -> str:
    """The criteria in the language; a number of an attribute that the market has no more stands in the unit that it had."""
    return " or ".join(" and ".join(_said(one, attributes) for one in all_of) or "everything" for all_of in criteria.any_of) or NOTHING


def form(criteria: Criteria, attributes: Mapping[str, Attribute]) -> dict[str, Any]:
    """The criteria as JSON for front ends."""
    parts = [_all(all_of, attributes) for all_of in criteria.any_of]
    return parts[0] if len(parts) == 1 else {"any": parts}


def _all(all_of: Conjunction, attributes: Mapping[str, Attribute]) -> dict[str, Any]:
    parts = [{"attribute": one.attribute, **_tests(one, _kind(one, attributes))} for one in all_of]
    return parts[0] if len(parts) == 1 else {"all": parts}


def _tests(one: Predicate, kind: Kind) -> dict[str, Any]:
    match one.values, one.low, one.high:
        case ((), None, None):
            return {"known": True}
        case ((), low, None):
            return {"at_least": _value(kind, low)}
        case ((), None, high):
            return {"at_most": _value(kind, high)}
        case ((), low, high):
            return {"is": _value(kind, low)} if low == high else {"at_least": _value(kind, low), "at_most": _value(kind, high)}
        case ((value,), _, _):
            return {"is_not" if one.excluded else "is": value}
    return {"not_in" if one.excluded else "in": list(one.values)}


def _said(one: Predicate, attributes: Mapping[str, Attribute]) -> str:
    kind = _kind(one, attributes)
    low, high = (None if bound is None else number_text(kind, bound) for bound in (one.low, one.high))
    match one.values, low, high:
        case ((), None, None):
            return f"{one.attribute} is known"
        case ((), low, None):
            return f"{one.attribute} >= {low}"
        case ((), None, high):
            return f"{one.attribute} <= {high}"
        case ((), low, high):
            return f"{one.attribute} = {low}" if low == high else f"{one.attribute} between {low} and {high}"
        case ((value,), _, _):
            return f"{one.attribute} {'!=' if one.excluded else '='} {_quoted(value)}"
    return f"{one.attribute} {'not in' if one.excluded else 'in'} ({', '.join(map(_quoted, one.values))})"


def _kind(one: Predicate, attributes: Mapping[str, Attribute]) -> Kind:
    return attributes[one.attribute].kind if one.attribute in attributes else Kind.WHOLE


def _value(kind: Kind, number: int | None) -> str | int | None:
    return None if number is None else written(kind, number)


def number_text(kind: Kind, number: int) -> str:
    """A number of an attribute in the language."""
    return f"{fraction(number, 4)}%" if kind is Kind.RATE else str(written(kind, number))


def _quoted(value: str) -> str:
    if BARE.fullmatch(value) and value.lower() not in KEYWORDS:
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
