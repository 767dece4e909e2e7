"""Many sell offers' attributes as columns, for many criteria: what `schemas.criteria.takes` says of each, at once."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from schemas.criteria import Criteria, Predicate

Mask = NDArray[np.bool_]


class Asked:
    """The attributes of sell offers, one a place. A predicate that many criteria share is looked at once."""

    def __init__(self, attributes: Sequence[Mapping[str, int | str]]) -> None:
        self._attributes = attributes
        self._columns: dict[str, tuple[list[int | str | None], NDArray[np.int64], Mask]] = {}
        self._masks: dict[Predicate, Mask] = {}

    def taken(self, criteria: Criteria) -> Mask:
        """By place: do the criteria take the sell offer?"""
        found = np.zeros(len(self._attributes), np.bool_)
        for all_of in criteria.any_of:
            every = np.ones(len(self._attributes), np.bool_)
            for predicate in all_of:
                every &= self._fulfilled(predicate)
            found |= every
        return found

    def _fulfilled(self, predicate: Predicate) -> Mask:
        if predicate not in self._masks:
            self._masks[predicate] = self._look(predicate)
        return self._masks[predicate]

    def _look(self, predicate: Predicate) -> Mask:
        values, numbers, is_number = self._column(predicate.attribute)
        if predicate.values or predicate.excluded:
            wanted = frozenset(predicate.values)
            return np.array([isinstance(one, str) and (one in wanted) is not predicate.excluded for one in values], np.bool_)
        found = is_number.copy()
        if predicate.low is not None:
            found &= numbers >= predicate.low
        if predicate.high is not None:
            found &= numbers <= predicate.high
        return found

    def _column(self, name: str) -> tuple[list[int | str | None], NDArray[np.int64], Mask]:
        """The values of all places, those that are numbers, and where these are."""
        if name not in self._columns:
            values = [one.get(name) for one in self._attributes]
            numbers = np.array([one if isinstance(one, int) else 0 for one in values], np.int64)
            self._columns[name] = values, numbers, np.array([isinstance(one, int) for one in values], np.bool_)
        return self._columns[name]
