"""One side of the book as columns: a slot an offer, int64 throughout, so that one expression looks at all offers."""

from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

ROOM: Final = 64  # slots at first; it doubles

Column = NDArray[np.int64]


class Columns:
    """Columns of one length. A fork shares them with its origin and copies a column when it first writes it.

    The origin must not be written while a fork is in use: the fork would see it.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._arrays = {name: np.zeros(ROOM, np.int64) for name in names}
        self._own = set(self._arrays)
        self._room = ROOM
        self.slots = 0

    def fork(self) -> "Columns":
        twin = Columns(())
        twin._arrays = dict(self._arrays)
        twin._room, twin.slots = self._room, self.slots
        return twin

    def __contains__(self, name: str) -> bool:
        return name in self._arrays

    def __getitem__(self, name: str) -> Column:
        """To read: the values of all slots."""
        return self._arrays[name][: self.slots]

    def write(self, name: str) -> Column:
        """To write: the same values, in an array of our own."""
        if name not in self._own:
            self._arrays[name] = self._arrays[name].copy()
            self._own.add(name)
        return self._arrays[name]

    def add(self) -> int:
        """A new slot, all zero or left over: the caller fills every column."""
        if self.slots == self._room:
            self._arrays = {name: np.concatenate((array, np.zeros_like(array))) for name, array in self._arrays.items()}
            self._own = set(self._arrays)
            self._room *= 2
        self.slots += 1
        return self.slots - 1

    def extend(self, name: str, values: Column) -> None:
        """A new column with `values` in the slots that there are."""
        self._arrays[name] = np.zeros(self._room, np.int64)
        self._arrays[name][: self.slots] = values
        self._own.add(name)


class Side:
    """Columns and the names of their slots. A fork adds names beside its origin's and never frees a slot."""

    def __init__(self, columns: Columns, origin: "Side | None" = None) -> None:
        self.columns = columns
        self._origin = origin
        self._slots: dict[str, int] = {}
        self._names: dict[int, str] = {}
        self._free: list[int] = []

    def fork(self) -> "Side":
        return Side(self.columns.fork(), self)

    def slot(self, name: str) -> int | None:
        found = self._slots.get(name)
        return self._origin.slot(name) if found is None and self._origin else found

    def name(self, slot: int) -> str:
        if slot in self._names or self._origin is None:
            return self._names[slot]
        return self._origin.name(slot)

    def take(self, name: str) -> int:
        """A slot for a name that has none."""
        slot = self._free.pop() if self._free else self.columns.add()
        self._slots[name], self._names[slot] = slot, name
        return slot

    def free(self, name: str) -> int | None:
        """Give the slot of a name back, if it has one; the caller makes it inactive."""
        slot = self._slots.pop(name, None)
        if slot is not None:
            del self._names[slot]
            self._free.append(slot)
        return slot
