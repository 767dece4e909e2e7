"""An investor's criteria, as a text in the language or as JSON: read, checked against the market's attributes, in normal form. Pure."""

from collections.abc import Mapping
from typing import Any

from agents.trader import form, meaning, normal
from agents.trader.expression import Ask, CriteriaError, Many, Node, Shape, Test, Word, asks
from schemas.attributes import DAYS_PAST_DUE, Attribute
from schemas.criteria import VALUES_MAX, Criteria, Predicate

_ON_TIME = Predicate(DAYS_PAST_DUE, high=0)
_DUE = Ask(Word(DAYS_PAST_DUE, Shape.WORD, ""), Test.AT_MOST)


def read(given: Any, attributes: Mapping[str, Attribute], *, past_due: bool = False) -> Criteria:
    """Criteria of a text, or of a JSON value. What says nothing of days past due takes nothing that is past due, unless `past_due`.

    Raises:
        CriteriaError: they are not in the language, or do not go with the attributes, or are too large, or take nothing.
    """
    if isinstance(given, str):
        try:
            return _checked(_parsed(given), attributes, past_due)
        except CriteriaError as fault:  # what is wrong with the meaning knows the place, not the text
            raise CriteriaError(fault.why, fault.place, given) from fault
    return _checked(form.parse(given), attributes, past_due)


def _parsed(text: str) -> Node:
    from agents.trader import language  # noqa: PLC0415 - the parser is 3 MB, which a gateway without portfolios does without

    return language.parse(text)


def _checked(node: Node, attributes: Mapping[str, Attribute], past_due: bool) -> Criteria:
    listed = sum(len(ask.values) for ask in asks(node))
    if listed > VALUES_MAX:
        raise CriteriaError(f"the criteria have {listed} values; at most {VALUES_MAX}", "")
    if not past_due and all(ask.attribute.text != DAYS_PAST_DUE for ask in asks(node)):
        node = Many(True, (node, _DUE))
    found = normal.normal(node, lambda ask: (_ON_TIME,) if ask is _DUE else meaning.predicates(ask, attributes))
    if not found.any_of:
        raise CriteriaError("the criteria take nothing: what they ask contradicts itself", "")
    return found
