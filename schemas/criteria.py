"""Which assets a buy offer takes, as the matcher reads it: predicates over a sell offer's attributes, in one normal form.

People and front ends write criteria in a language (`schemas/criteria.md`); here is what it means. Equal criteria are equal values and
equal bytes, whoever wrote them and in whatever order, so that they can share one entry of an index.

Bounds are included; None is no bound. An attribute that the sell offer does not have fulfils no predicate, nor its negation: a predicate
without bounds, or with an excluded set of nothing, says that the sell offer has the attribute.
"""

import operator
from collections.abc import Mapping
from itertools import pairwise
from typing import Final

import msgspec

CONJUNCTIONS_MAX: Final = 64  # of one criteria
VALUES_MAX: Final = 1_000  # of all its sets together
NAME_MAX: Final = 81  # of an attribute: a path in a document, two names of 40
TEXT_BYTES_MAX: Final = 256  # of a value
NUMBER_END: Final = 2**62  # every bound is below, so that it and one more still fit int64


class Predicate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, order=True):
    """One attribute of a sell offer: a text that is one of `values`, or none of them where `excluded`; a number from `low` to `high`."""

    attribute: str
    values: tuple[str, ...] = ()  # sorted, unique; only for texts
    excluded: bool = False
    low: int | None = None  # in the attribute's unit: cents, parts per million, months, days
    high: int | None = None


Conjunction = tuple[Predicate, ...]  # all of them; sorted by attribute, one an attribute; empty: everything


class Criteria(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Disjunctive normal form: an asset is taken if it fulfils every predicate of at least one conjunction. None: nothing is taken."""

    any_of: tuple[Conjunction, ...] = ((),)  # sorted, unique; at most CONJUNCTIONS_MAX


def takes(criteria: Criteria, attributes: Mapping[str, int | str]) -> bool:
    """Whether a sell offer of these attributes is taken: the definition, which a faster way must agree with."""
    return any(all(fulfils(predicate, attributes.get(predicate.attribute)) for predicate in all_of) for all_of in criteria.any_of)


def order(all_of: Conjunction) -> list[tuple[str, tuple[str, ...], bool, int, int]]:
    """What conjunctions are sorted by."""
    last = 2**63  # no bound stands before the least, or after the greatest
    return [(p.attribute, p.values, p.excluded, -last if p.low is None else p.low, last if p.high is None else p.high) for p in all_of]


def fault(criteria: Criteria) -> str:
    """Why criteria are not in normal form, empty if they are: anybody can write to a topic."""
    found = criteria.any_of
    if len(found) > CONJUNCTIONS_MAX:
        return f"more than {CONJUNCTIONS_MAX} conjunctions"
    if sum(len(one.values) for all_of in found for one in all_of) > VALUES_MAX:
        return f"more than {VALUES_MAX} values"
    if any(map(operator.ge, map(order, found), map(order, found[1:]))):
        return "the conjunctions are not sorted, or one is there twice"
    for all_of in found:
        if any(one.attribute >= other.attribute for one, other in pairwise(all_of)):
            return "the predicates of a conjunction are not sorted by attribute, or two are on one"
        for why in filter(None, map(_predicate_fault, all_of)):
            return why
    return ""


def _predicate_fault(one: Predicate) -> str:
    named = f"{one.attribute[:64]!r}"
    if not 0 < len(one.attribute) <= NAME_MAX:
        return f"{named}: the name of an attribute has 1 to {NAME_MAX} characters"
    if any(len(value.encode()) > TEXT_BYTES_MAX for value in one.values):
        return f"{named}: a value longer than {TEXT_BYTES_MAX} bytes"
    if any(value >= other for value, other in pairwise(one.values)):
        return f"{named}: the values are not sorted, or one is there twice"
    bounds = [bound for bound in (one.low, one.high) if bound is not None]
    if bounds and (one.values or one.excluded):
        return f"{named}: has values and bounds"
    if any(abs(bound) >= NUMBER_END for bound in bounds) or bounds != sorted(bounds):
        return f"{named}: the bounds are in the wrong order, or beyond {NUMBER_END}"
    return ""


def fulfils(predicate: Predicate, value: int | str | None) -> bool:
    """Whether this value of the predicate's attribute is what it asks, None where the sell offer does not have it.

    A predicate on a number is not fulfilled by a text, nor one on a text by a number.
    """
    if value is None:
        return False
    low, high = predicate.low, predicate.high
    if isinstance(value, str):
        return low is None and high is None and (value in predicate.values) is not predicate.excluded
    if predicate.values or predicate.excluded:
        return False
    return (low is None or low <= value) and (high is None or value <= high)
