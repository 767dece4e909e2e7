"""Rule 1 the other way: which assets on offer a want takes, and rule 5: in which order.

Each attribute has a bit set for each value that assets on offer have, numbers and rare texts by the bucket; a predicate is the OR of those
that it allows, a conjunction the AND of its predicates. What is left is compared with the values themselves, so it is exact.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Final
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from agents.matcher import rules
from agents.matcher.index import Places, Words
from agents.matcher.meeting import ones
from schemas.criteria import Conjunction, Criteria, Predicate
from schemas.events import SellOffer

WORDS: Final = 8  # at first
TEXT_BUCKETS: Final = 512
TURN: Final = 64  # assets put in order at once at first; many buy offers need no more
ABSENT: Final = -(2**63)  # a value in a column

Column = NDArray[np.int64]
Kind = tuple[str, type]  # an attribute and the type of its values: int or str


class Shelf:
    """The assets on offer, a slot each."""

    def __init__(self) -> None:
        self._slots: dict[str, int] = {}  # by originator/asset
        self._names: list[str] = []
        self._offers: list[SellOffer | None] = []
        self._free: list[int] = []
        self._values: dict[Kind, _Values] = {}
        self._needs: dict[str, Words] = {}  # agreement -> the assets that need it
        self._there = np.zeros(WORDS, np.uint64)
        self._left, self._amount, self._smallest, self._since = np.zeros((4, 64 * WORDS), np.int64)

    def __len__(self) -> int:
        return len(self._slots)

    def first(self, most: int) -> tuple[list[str], list[SellOffer | None]]:
        """At most so many of them, and their offers. With a tuple each, the garbage collector would look through all of the book."""
        return list(islice(self._slots, most)), [self._offers[slot] for slot in islice(self._slots.values(), most)]

    def put(self, key: str, offer: SellOffer, left_cents: int, since: int) -> None:
        """Have an asset on offer; if it is already, as it is now."""
        slot = self._slots.get(key)
        if slot is None or self._version(slot) != offer.version:
            self.take_off(key)
            slot = self._take(key, offer)
            self._amount[slot], self._smallest[slot] = offer.amount_cents, offer.bid_cents_min
        self._left[slot], self._since[slot] = left_cents, since

    def take_off(self, key: str) -> None:
        """Have an asset on offer no longer, if it was."""
        slot = self._slots.pop(key, None)
        if slot is not None:
            offer = self._offers[slot]
            assert offer is not None
            word, bit = slot >> 6, np.uint64(1 << (slot & 63))
            self._there[word] &= ~bit
            for name, value in offer.attributes.items():
                self._values[name, type(value)].drop(slot, value)
            for name in offer.agreements:
                self._needs[name][word] &= ~bit
            self._offers[slot] = None
            self._free.append(slot)

    def _version(self, slot: int) -> int:
        offer = self._offers[slot]
        assert offer is not None
        return offer.version

    def taken(self, criteria: Criteria, agreements: Sequence[str], affordable: Callable[[], int]) -> Iterator[str]:
        """The assets that fit and whose least bid (rule 2) can be afforded when their turn comes, in the order of rule 5.

        Their order is that of now, the first `next`, and none of them may get another place or less on offer but by who asks.
        """
        if not affordable():
            return
        signed = set(agreements)
        there = self._there.copy()
        for name, needing in self._needs.items():
            if name not in signed:
                there &= ~needing
        found = [self._conjunction(all_of, there) for all_of in criteria.any_of]
        slots = found[0] if len(found) == 1 else np.unique(np.concatenate([np.zeros(0, np.int64), *found]))
        left, smallest, amount = self._left[slots], self._smallest[slots], self._amount[slots]
        least = rules.least_bids(left, smallest)
        some = (least <= affordable()).nonzero()[0]
        for places in _in_turn(-((amount - left) * 10_000 // amount)[some], self._since[slots][some]):
            turn = some[places]
            turn = turn[least[turn] <= affordable()]
            for slot, cents in zip(slots[turn].tolist(), least[turn].tolist(), strict=True):
                if cents <= affordable():
                    yield self._names[slot]

    def _conjunction(self, all_of: Conjunction, there: Words) -> Places:
        found, checks = there, []
        for predicate in all_of:
            values = self._values.get((predicate.attribute, str if predicate.values or predicate.excluded else int))
            if values is None:
                return np.zeros(0, np.int64)
            found = found & values.words(predicate)
            checks.append((values, predicate))
        slots = ones(found)
        for values, predicate in checks:
            slots = values.exactly(predicate, slots)
        return slots

    def _take(self, key: str, offer: SellOffer) -> int:
        if self._free:
            slot = self._free.pop()
            self._names[slot], self._offers[slot] = key, offer
        else:
            slot = len(self._names)
            self._names.append(key)
            self._offers.append(offer)
            if slot == 64 * self._there.size:
                self._grow(2 * self._there.size)
        self._slots[key] = slot
        word, bit = slot >> 6, np.uint64(1 << (slot & 63))
        self._there[word] |= bit
        for name, value in offer.attributes.items():
            values = self._values.get((name, type(value)))
            if values is None:
                values = self._values[name, type(value)] = _Values(self._there.size)
            values.add(slot, value)
        for name in offer.agreements:
            self._needs.setdefault(name, np.zeros_like(self._there))[word] |= bit
        return slot

    def _grow(self, words: int) -> None:
        more = words - self._there.size
        self._there = np.pad(self._there, (0, more))
        self._needs = {name: np.pad(needing, (0, more)) for name, needing in self._needs.items()}
        self._left, self._amount, self._smallest, self._since = (
            np.pad(column, (0, 64 * more)) for column in (self._left, self._amount, self._smallest, self._since)
        )
        for values in self._values.values():
            values.grow(words)


class _Values:
    """The values that assets have of one attribute, numbers or texts."""

    def __init__(self, words: int) -> None:
        self._bits = np.zeros((8, words), np.uint64)
        self._buckets: list[int] = []  # ascending
        self._rows: list[int] = []  # theirs
        self._numbers: dict[str, int] = {}  # of texts
        self._column = np.full(64 * words, ABSENT)

    def add(self, slot: int, value: int | str) -> None:
        row = self._row(_bucket(value))  # may replace the bits
        self._bits[row, slot >> 6] |= np.uint64(1 << (slot & 63))
        self._column[slot] = self._numbers.setdefault(value, len(self._numbers)) if isinstance(value, str) else value

    def drop(self, slot: int, value: int | str) -> None:
        self._bits[self._row(_bucket(value)), slot >> 6] &= np.uint64(~(1 << (slot & 63)) & (2**64 - 1))
        self._column[slot] = ABSENT

    def grow(self, words: int) -> None:
        more = words - self._bits.shape[1]
        self._bits = np.pad(self._bits, ((0, 0), (0, more)))
        self._column = np.pad(self._column, (0, 64 * more), constant_values=ABSENT)

    def words(self, predicate: Predicate) -> Words:
        """The slots whose values a predicate may allow."""
        if predicate.excluded:
            rows = self._rows
        elif predicate.values:
            rows = self._rows_of(predicate.values)
        else:
            first = 0 if predicate.low is None else bisect_left(self._buckets, _bucket(predicate.low))
            last = len(self._rows) if predicate.high is None else bisect_right(self._buckets, _bucket(predicate.high))
            rows = self._rows[first:last]
        found: Words = np.bitwise_or.reduce(self._bits[rows], axis=0)
        return found

    def exactly(self, predicate: Predicate, slots: Places) -> Places:
        """Those of the slots whose values a predicate does allow."""
        if predicate.values or predicate.excluded:
            named = [self._numbers[value] for value in predicate.values if value in self._numbers]
            return slots[np.isin(self._column[slots], named, invert=predicate.excluded)]
        if predicate.low is not None:
            slots = slots[self._column[slots] >= predicate.low]
        return slots if predicate.high is None else slots[self._column[slots] <= predicate.high]

    def _rows_of(self, texts: Sequence[str]) -> list[int]:
        rows = []
        for bucket in {_bucket(text) for text in texts}:
            place = bisect_left(self._buckets, bucket)
            if place < len(self._buckets) and self._buckets[place] == bucket:
                rows.append(self._rows[place])
        return rows

    def _row(self, bucket: int) -> int:
        place = bisect_left(self._buckets, bucket)
        if place == len(self._buckets) or self._buckets[place] != bucket:
            row = len(self._rows)
            if row == len(self._bits):
                self._bits = np.pad(self._bits, ((0, row), (0, 0)))
            self._buckets.insert(place, bucket)
            self._rows.insert(place, row)
        return self._rows[place]


def _bucket(value: int | str) -> int:
    """Never falls where a number rises: its sign, its length in bits and the four bits behind the first."""
    if isinstance(value, str):
        return crc32(value.encode()) % TEXT_BUCKETS
    if value < 0:
        return -_bucket(-value)
    shift = max(0, value.bit_length() - 5)
    return (shift << 4) + (value >> shift)


def _in_turn(first: Column, then: Column) -> Iterator[Places]:
    """Places in the order of the first column, then of the other, in growing portions: few are needed and putting all in order is dear."""
    portion, places = TURN, np.arange(first.size)
    while places.size:
        if places.size > 2 * portion:
            some = first[places]
            near = some <= np.partition(some, portion)[portion]
            if np.count_nonzero(near) > 2 * portion:  # most are equal in the first
                equal = then[places[near]]
                limit = np.partition(equal, portion)[portion]
                worst = some[near].max()
                near &= (some < worst) | (then[places] <= limit)
        else:
            near = np.ones(places.size, np.bool_)
        chosen = places[near]
        yield chosen[np.lexsort((then[chosen], first[chosen]))]
        places = places[~near]
        portion *= 4
