"""Criteria as JSON, for front ends (`schemas/criteria.md`): a decoded value in, an expression out. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from agents.trader.expression import DEPTH_MAX, Ask, CriteriaError, Many, Node, Not, Shape, Test, Word

TESTS: Final = {
    "is": Test.IS, "is_not": Test.IS, "in": Test.IN, "not_in": Test.IN, "below": Test.BELOW, "at_most": Test.AT_MOST, "above": Test.ABOVE,
    "at_least": Test.AT_LEAST, "known": Test.KNOWN,
}  # fmt: skip
_SHAPE: Final = 'an object: {"all": [...]}, {"any": [...]}, {"not": {...}} or {"attribute": "...", "is": ...}'


def parse(given: Any, path: str = "") -> Node:
    """The expression of a JSON value at `path`.

    Raises:
        CriteriaError: it is too deep, or none; with the path of what is at fault.
    """
    return _node(given, path, 1)


def _node(given: Any, path: str, depth: int) -> Node:
    if depth > DEPTH_MAX:
        raise CriteriaError(f"the criteria are nested deeper than {DEPTH_MAX} levels", path)
    match given:
        case {"attribute": _}:
            return _ask(given, path)
        case {"all": list(parts)} | {"any": list(parts)} if len(given) == 1:
            (name,) = given
            return Many(name == "all", tuple(_node(one, f"{path}.{name}[{n}]", depth + 1) for n, one in enumerate(parts)))
        case {"not": part} if len(given) == 1:
            return Not(_node(part, f"{path}.not", depth + 1))
    raise CriteriaError(f"must be {_SHAPE}", path)


def _ask(given: Mapping[str, Any], path: str) -> Node:
    if not isinstance(given["attribute"], str):
        raise CriteriaError("must be an attribute's name", f"{path}.attribute")
    attribute = Word(given["attribute"], Shape.STRING, f"{path}.attribute")
    names = given.keys() - {"attribute"}
    if names == {"at_least", "at_most"}:
        return Ask(attribute, Test.BETWEEN, tuple(_word(given[name], f"{path}.{name}") for name in ("at_least", "at_most")))
    if len(names) != 1 or not names <= TESTS.keys():
        raise CriteriaError(f"must have, besides the attribute, one of {', '.join(TESTS)}, or at_least and at_most", path)
    (name,) = names
    test, at, value = TESTS[name], f"{path}.{name}", given[name]
    if test is Test.KNOWN:
        if value is not True:
            raise CriteriaError("must be true: an asset that does not say is never taken by what is asked of it", at)
        return Ask(attribute, test)
    if test is Test.IN:
        if not isinstance(value, list) or not value:
            raise CriteriaError("must be a list of at least one value", at)
        ask = Ask(attribute, test, tuple(_word(one, f"{at}[{n}]") for n, one in enumerate(value)))
    else:
        ask = Ask(attribute, test, (_word(value, at),))
    return Not(ask) if name in {"is_not", "not_in"} else ask


def _word(value: Any, path: str) -> Word:
    if isinstance(value, str):
        return Word(value, Shape.STRING, path)
    if isinstance(value, int) and not isinstance(value, bool):
        return Word(str(value), Shape.NUMBER, path)
    raise CriteriaError('must be a text or a whole number; a number with decimals is written as a text, as "0.06"', path)
