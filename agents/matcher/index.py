"""Rule 1 the one way: which wants take a sell offer. A want is what buy offers share: their criteria and their agreements.

Each conjunction of each want is an entry, a bit. An attribute has a bit set for each value that criteria name, and for each segment between
two bounds that they name; an entry's bit is 1 where it takes that value, and 1 everywhere if it says nothing of the attribute. So a sell
offer's entries are the AND of one bit set an attribute: 12.5 kB each for 100,000 entries, a microsecond. Profiles say why it is this way:
range checks over all entries take 40 times as long, and unpacking all bits takes longer than all ANDs, so only words that are not 0 are.

A bound or value beyond what an attribute may have bit sets for leaves its entry loose: the bits then say too much of it, and it is checked
on its own when they name it. Nothing that comes out depends on the order in which wants came and went.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from agents.matcher.meeting import ones
from schemas.criteria import Conjunction, Criteria, Predicate, takes

ROWS_MAX: Final = 1_024  # bit sets of an attribute: 13 MB with 100,000 entries
WORDS: Final = 8  # at first, an odd number of cache lines, and so ever: else all rows of a column share a few places of the cache
ABSENT, OTHER, NUMBERS = 0, 1, 2  # an attribute's first rows: it is not there, a text that nobody names, the first segment
ALL: Final = np.uint64(2**64 - 1)

LEAST, MOST = -(2**63), 2**63 - 1

Words = NDArray[np.uint64]
Places = NDArray[np.int64]
Want = tuple[Criteria, tuple[str, ...]]  # with the agreements of the buy offer, sorted and unique


class Wants:
    """The wants that there are, by number. Numbers of wants that are gone are used again."""

    def __init__(self) -> None:
        self._entries: list[Conjunction] = []  # what it says
        self._owners = np.zeros(64 * WORDS, np.int64)  # its want
        self._of: list[list[int]] = []  # a want's entries
        self._wants: list[Want] = []
        self._free: list[int] = []
        self._free_entries: list[int] = []
        self._attributes: dict[str, _Attribute] = {}
        self._signed: dict[str, Words] = {}  # agreement -> the entries that have it
        self._there = np.zeros(WORDS, np.uint64)
        self._loose: set[int] = set()  # entries with texts beyond the bit sets
        self._several = 0  # wants of more than one conjunction

    def add(self, want: Want) -> int:
        """The number of a want that is not there yet."""
        criteria, agreements = want
        number = self._free.pop() if self._free else len(self._of)
        if number == len(self._of):
            self._of.append([])
            self._wants.append(want)
        self._wants[number] = want
        self._of[number] = [self._enter(number, all_of, agreements) for all_of in criteria.any_of]
        self._several += len(criteria.any_of) > 1
        return number

    def __getitem__(self, number: int) -> Want:
        return self._wants[number]

    def remove(self, number: int) -> None:
        entries = self._of[number]
        self._several -= len(entries) > 1
        for entry in entries:
            word, bit = entry >> 6, np.uint64(1 << (entry & 63))
            self._there[word] &= ~bit
            for predicate in self._entries[entry]:
                self._attributes[predicate.attribute].forget(entry)
            for name in self._wants[number][1]:
                self._signed[name][word] &= ~bit
        self._loose.difference_update(entries)
        self._free_entries += reversed(entries)
        self._of[number] = []
        self._free.append(number)

    def taking(self, attributes: Mapping[str, int | str], agreements: Sequence[str]) -> Places:
        """The numbers of the wants that take such a sell offer, each once, in no particular order."""
        found = self._there.copy()
        for name, attribute in self._attributes.items():
            found &= attribute.words(attributes.get(name))
        for name in agreements:
            signed = self._signed.get(name)
            if signed is None:
                return np.zeros(0, np.int64)
            found &= signed
        places = ones(found)
        for name, attribute in self._attributes.items():
            if attribute.loose:
                places = attribute.checked(places, attributes.get(name))
        if self._loose:
            sure = [e not in self._loose or takes(Criteria((self._entries[e],)), attributes) for e in places.tolist()]
            places = places[np.array(sure, np.bool_)]
        wants = self._owners[places]
        return np.unique(wants) if self._several else wants

    def _enter(self, number: int, all_of: Conjunction, agreements: Sequence[str]) -> int:
        if self._free_entries:
            entry = self._free_entries.pop()
            self._entries[entry] = all_of
        else:
            entry = len(self._entries)
            self._entries.append(all_of)
            if entry == 64 * self._there.size:
                self._grow(3 * self._there.size)
        word, bit = entry >> 6, np.uint64(1 << (entry & 63))
        self._there[word] |= bit
        self._owners[entry] = number
        for predicate in all_of:
            attribute = self._attributes.get(predicate.attribute)
            if attribute is None:
                attribute = self._attributes[predicate.attribute] = _Attribute(self._there.size)
            if not attribute.note(predicate, entry):
                self._loose.add(entry)
        for name in agreements:
            self._signed.setdefault(name, np.zeros_like(self._there))[word] |= bit
        return entry

    def _grow(self, words: int) -> None:
        self._owners = np.pad(self._owners, (0, 64 * (words - self._there.size)))
        self._there = np.pad(self._there, (0, words - self._there.size))
        self._signed = {name: np.pad(signed, (0, words - signed.size)) for name, signed in self._signed.items()}
        for attribute in self._attributes.values():
            attribute.grow(words)


class _Attribute:
    """The bit sets of one attribute, as rows of a matrix; an entry that says nothing of it is 1 in all of them."""

    def __init__(self, words: int) -> None:
        self.loose = False  # bounds beyond the bit sets
        self._bits = np.full((8, words), ALL)
        self._rows = 3
        self._texts: dict[str, int] = {}
        self._cuts: list[int] = []  # where a segment begins; the first has no beginning
        self._segments = np.array([NUMBERS])  # their rows
        self._low = np.full(64 * words, LEAST)
        self._high = np.full(64 * words, MOST)

    def words(self, value: int | str | None) -> Words:
        """The entries that a value fulfils, and perhaps some that it does not, where bounds or texts are beyond the bit sets."""
        if value is None:
            row = ABSENT
        elif isinstance(value, str):
            row = self._texts.get(value, OTHER)
        else:
            row = self._segments[bisect_right(self._cuts, value)]
        found: Words = self._bits[row]
        return found

    def checked(self, entries: Places, value: int | str | None) -> Places:
        """Those whose bounds take the value."""
        if not isinstance(value, int):
            return entries
        return entries[(self._low[entries] <= value) & (value <= self._high[entries])]

    def note(self, predicate: Predicate, entry: int) -> bool:
        """Set an entry's bits and bounds; False if texts are beyond the bit sets."""
        exact, rows = True, self._segments
        if predicate.values or predicate.excluded:
            exact, rows = self._text_rows(predicate)
        else:
            rows = self._number_rows(predicate)
            self._low[entry] = LEAST if predicate.low is None else predicate.low
            self._high[entry] = MOST if predicate.high is None else predicate.high
        column, bit = self._bits[: self._rows, entry >> 6], np.uint64(1 << (entry & 63))
        column &= ~bit
        column[rows] |= bit
        return exact

    def forget(self, entry: int) -> None:
        self._bits[: self._rows, entry >> 6] |= np.uint64(1 << (entry & 63))
        self._low[entry], self._high[entry] = LEAST, MOST

    def grow(self, words: int) -> None:
        more = words - self._bits.shape[1]
        self._bits = np.pad(self._bits, ((0, 0), (0, more)), constant_values=ALL)
        self._low = np.pad(self._low, (0, 64 * more), constant_values=LEAST)
        self._high = np.pad(self._high, (0, 64 * more), constant_values=MOST)

    def _text_rows(self, predicate: Predicate) -> tuple[bool, Places]:
        named = [row for value in predicate.values if (row := self._text(value)) is not None]
        exact = len(named) == len(predicate.values)
        if predicate.excluded:
            named = [OTHER, *(set(self._texts.values()) - set(named))]
        elif not exact:
            named = [OTHER, *named]
        return exact, np.array(named, np.int64)

    def _number_rows(self, predicate: Predicate) -> Places:
        first, last = 0, None
        if predicate.low is not None:
            self.loose |= not self._cut(predicate.low)
        if predicate.high is not None:
            self.loose |= not self._cut(predicate.high + 1)
            last = bisect_right(self._cuts, predicate.high) + 1
        if predicate.low is not None:
            first = bisect_right(self._cuts, predicate.low)
        return self._segments[first:last]

    def _text(self, value: str) -> int | None:
        """The row of a text, at first as those that nobody named until now. None if there is no room for it."""
        row = self._texts.get(value)
        if row is None and (row := self._copy(OTHER)) is not None:
            self._texts[value] = row
        return row

    def _cut(self, at: int) -> bool:
        """Let a segment begin there, if none does. False if there is no room for it."""
        place = bisect_left(self._cuts, at)
        if place < len(self._cuts) and self._cuts[place] == at:
            return True
        row = self._copy(self._segments[place])
        if row is not None:
            self._cuts.insert(place, at)
            self._segments = np.insert(self._segments, place + 1, row)
        return row is not None

    def _copy(self, row: int) -> int | None:
        if self._rows == ROWS_MAX:
            return None
        if self._rows == len(self._bits):
            self._bits = np.pad(self._bits, ((0, self._rows), (0, 0)), constant_values=ALL)
        self._bits[self._rows] = self._bits[row]
        self._rows += 1
        return self._rows - 1
