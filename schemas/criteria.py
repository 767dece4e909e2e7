"""Which assets a buy offer takes, as the matcher reads it: predicates over a sell offer's attributes, in one normal form.

People and front ends write criteria in a language (`schemas/criteria.md`); here is what it means. Equal criteria are equal values and
equal bytes, whoever wrote them and in whatever order, so that they can share one entry of an index.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

CONJUNCTIONS_MAX: Final = 64  # of one criteria
VALUES_MAX: Final = 1_000  # of all its sets together


class Predicate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, order=True):
    """One attribute of a sell offer: a text that is one of `values`, or none of them where `excluded`; a number from `low` to `high`.

    Both bounds are included; None is no bound. An attribute that the sell offer does not have fulfils no predicate, nor its negation: a
    predicate without bounds, or with an excluded set of nothing, says that the sell offer has the attribute.
    """

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
    return any(all(_fulfils(predicate, attributes.get(predicate.attribute)) for predicate in all_of) for all_of in criteria.any_of)


def order(all_of: Conjunction) -> list[tuple[str, tuple[str, ...], bool, int, int]]:
    """What conjunctions are sorted by."""
    end = 2**63  # beyond any bound
    return [(p.attribute, p.values, p.excluded, -end if p.low is None else p.low, end if p.high is None else p.high) for p in all_of]


def _fulfils(predicate: Predicate, value: int | str | None) -> bool:
    """A predicate on a number is not fulfilled by a text, nor one on a text by a number."""
    if value is None:
        return False
    low, high = predicate.low, predicate.high
    if isinstance(value, str):
        return low is None and high is None and (value in predicate.values) is not predicate.excluded
    if predicate.values or predicate.excluded:
        return False
    return (low is None or low <= value) and (high is None or value <= high)
