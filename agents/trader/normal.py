"""The normal form of criteria: the same for all who ask the same, in whatever order and with whatever brackets. Pure.

Negations go inwards to the predicates (by Kleene's strong logic: what an asset does not say stays unknown under a negation, and unknown
is not taken), `and` is distributed over `or`, predicates on one attribute become one, contradictions and conjunctions that another one
includes are dropped, and conjunctions that differ in one attribute become one where their predicates on it are one range or set together.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import lru_cache
from typing import Final

from agents.trader.expression import Ask, CriteriaError, Node, Not
from schemas.criteria import CONJUNCTIONS_MAX, VALUES_MAX, Conjunction, Criteria, Predicate, order

STEPS_MAX: Final = 200_000  # comparisons of two conjunctions, or of two values

Meaning = Callable[[Ask], tuple[Predicate, ...]]


def normal(node: Node, meaning: Meaning) -> Criteria:
    """The criteria of an expression, by what its questions mean: the predicates of which one must be fulfilled.

    Raises:
        CriteriaError: they have too many conjunctions or values, or take too many steps; or one of `meaning`.
    """
    return _Work(meaning).criteria(node)


@lru_cache(128)  # of the stage and the sink, and of each twice
def within(criteria: Criteria, limits: Conjunction) -> Criteria:
    """What criteria in normal form take that is within all limits, ranges of numbers, in normal form too; perhaps nothing.

    Raises:
        CriteriaError: it takes too many steps.
    """
    return _Work(lambda _: ()).within(criteria, limits) if limits else criteria


class _Work:
    """The steps that are left, for one expression."""

    def __init__(self, meaning: Meaning) -> None:
        self._meaning = meaning
        self._left = STEPS_MAX

    def criteria(self, node: Node) -> Criteria:
        return self._sorted(self._of(node, positive=True))

    def within(self, criteria: Criteria, limits: Conjunction) -> Criteria:
        met = (self._met(all_of, limits) for all_of in criteria.any_of)
        return self._sorted(self._largest({one for one in met if one is not None}))

    def _sorted(self, found: Collection[Conjunction]) -> Criteria:
        found = self._joined(found)
        if len(found) > CONJUNCTIONS_MAX:
            raise CriteriaError(f"with every `or` outside the criteria have {len(found)} alternatives; at most {CONJUNCTIONS_MAX}", "")
        values = sum(len(one.values) for all_of in found for one in all_of)
        if values > VALUES_MAX:
            raise CriteriaError(f"with every `or` outside the criteria list {values} values; at most {VALUES_MAX}", "")
        return Criteria(tuple(sorted(found, key=order)))

    def _of(self, node: Node, *, positive: bool) -> Collection[Conjunction]:
        """The conjunctions of a part, or of its negation; none of them includes another."""
        if isinstance(node, Not):
            return self._of(node.of, positive=not positive)
        if isinstance(node, Ask):
            asked = self._meaning(node)
            if positive:
                return self._largest({(one,) for one in asked})
            return self._all([{(one,) for one in _negated(predicate)} for predicate in asked])
        parts = [self._of(one, positive=positive) for one in node.of]
        return self._all(parts) if node.every is positive else self._largest({one for part in parts for one in part})

    def _all(self, parts: Iterable[Collection[Conjunction]]) -> Collection[Conjunction]:
        """Every way to take one conjunction of each part."""
        found: Collection[Conjunction] = {()}
        for part in sorted(parts, key=len):  # those without alternatives first
            self._spend(len(found) * len(part))
            met = (self._met(one, other) for one in found for other in part)
            found = self._largest({one for one in met if one is not None})
        return found

    def _met(self, one: Conjunction, other: Conjunction) -> Conjunction | None:
        """Both conjunctions as one; None if nothing fulfils both."""
        every = {predicate.attribute: predicate for predicate in one}
        for predicate in other:
            before = every.get(predicate.attribute)
            if before is not None:
                self._spend(len(before.values) + len(predicate.values))
                met = _both(before, predicate)
                if met is None:
                    return None
                every[predicate.attribute] = met
            else:
                every[predicate.attribute] = predicate
        return tuple(every[name] for name in sorted(every))

    def _largest(self, found: Collection[Conjunction]) -> Collection[Conjunction]:
        """Those that no other one includes."""
        if len(found) < 2:
            return found
        self._spend(len(found) ** 2)
        kept: list[dict[str, Predicate]] = []
        for one in sorted(({p.attribute: p for p in all_of} for all_of in found), key=len):  # who includes another has no more predicates
            if not any(self._includes(other, one) for other in kept):
                kept = [other for other in kept if len(other) < len(one) or not self._includes(one, other)]
                kept.append(one)
        return {tuple(one.values()) for one in kept}

    def _includes(self, wide: dict[str, Predicate], narrow: dict[str, Predicate]) -> bool:
        if not wide.keys() <= narrow.keys():
            return False
        for name, predicate in wide.items():
            other = narrow[name]
            self._spend(len(predicate.values) + len(other.values))
            if other is not predicate and not _within(other, predicate):
                return False
        return True

    def _joined(self, found: Collection[Conjunction]) -> Collection[Conjunction]:
        """Conjunctions that differ in one attribute, as one; attribute by attribute, until nothing changes."""
        names = sorted({predicate.attribute for all_of in found for predicate in all_of})
        while True:
            before = set(found)
            for name in names:
                alike: defaultdict[Conjunction, list[Predicate]] = defaultdict(list)
                kept = set()
                for all_of in found:
                    asked = [predicate for predicate in all_of if predicate.attribute == name]
                    if asked:
                        alike[tuple(one for one in all_of if one.attribute != name)].append(asked[0])
                    else:
                        kept.add(all_of)
                for rest, some in alike.items():
                    kept |= {tuple(sorted((*rest, one), key=lambda p: p.attribute)) for one in _either(some)}
                found = self._largest(kept)
            if set(found) == before:
                return found

    def _spend(self, steps: int) -> None:
        self._left -= steps
        if self._left < 0:
            raise CriteriaError("the criteria are too complex: too many alternatives are combined with each other", "")


def _both(one: Predicate, other: Predicate) -> Predicate | None:
    """Two predicates on one attribute as one; None if nothing fulfils both."""
    if _is_text(one):
        mine, others = set(one.values), set(other.values)
        if one.excluded and other.excluded:
            return _text(one.attribute, mine | others, excluded=True)
        left = mine - others if other.excluded else others - mine if one.excluded else mine & others
        return _text(one.attribute, left) if left else None
    low = max((n for n in (one.low, other.low) if n is not None), default=None)
    high = min((n for n in (one.high, other.high) if n is not None), default=None)
    return None if low is not None and high is not None and low > high else Predicate(one.attribute, low=low, high=high)


def _within(one: Predicate, wide: Predicate) -> bool:
    """Whether all that fulfils `one` fulfils `wide`."""
    if _is_text(one):
        if wide.excluded:
            return set(wide.values) <= set(one.values) if one.excluded else set(wide.values).isdisjoint(one.values)
        return not one.excluded and set(one.values) <= set(wide.values)
    low = wide.low is None or (one.low is not None and wide.low <= one.low)
    return low and (wide.high is None or (one.high is not None and one.high <= wide.high))


def _negated(one: Predicate) -> list[Predicate]:
    """What fulfils the negation, of assets that say; nothing, where the predicate asks no more than that."""
    if _is_text(one):
        return [_text(one.attribute, set(one.values), excluded=not one.excluded)] if one.values else []
    below = [] if one.low is None else [Predicate(one.attribute, high=one.low - 1)]
    return below + ([] if one.high is None else [Predicate(one.attribute, low=one.high + 1)])


def _either(some: Sequence[Predicate]) -> list[Predicate]:
    """Predicates on one attribute with all that follow each other, or are sets, as one."""
    if _is_text(some[0]):
        listed = {value for one in some if not one.excluded for value in one.values}
        barred = [set(one.values) for one in some if one.excluded]
        if not barred:
            return [_text(some[0].attribute, listed)]
        return [_text(some[0].attribute, set.intersection(*barred) - listed, excluded=True)]
    ordered = sorted(some, key=lambda one: (one.low is not None, one.low or 0))
    joined = ordered[:1]
    for one in ordered[1:]:
        last = joined[-1]
        if last.high is None or one.low is None or one.low <= last.high + 1:
            high = None if last.high is None or one.high is None else max(last.high, one.high)
            joined[-1] = Predicate(last.attribute, low=last.low, high=high)
        else:
            joined.append(one)
    return joined


def _is_text(one: Predicate) -> bool:
    return bool(one.values) or one.excluded


def _text(attribute: str, values: set[str], *, excluded: bool = False) -> Predicate:
    return Predicate(attribute, tuple(sorted(values)), excluded)
