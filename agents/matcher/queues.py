"""The queues of all wants, in one pool of arrays: made and grown here, kept by `meeting.py`."""

from typing import Final

import numpy as np

from agents.matcher import meeting
from agents.matcher.buys import Buys, Column
from agents.matcher.meeting import Asked, Queued

WANTS: Final = 64  # that there is room for at first; it doubles
SPARE: Final = 4  # entries of room for a want, besides two for each of its buy offers


class Queues:
    """A queue a want, by its number. A Step changes them at once; what it did is undone by making all of them anew."""

    def __init__(self, buys: Buys) -> None:
        self.members: list[int] = []  # how many buy offers a want has
        self.touched = False  # since they were made
        self._buys = buys
        self._queued: Queued
        self.load()

    def open(self, want: int) -> None:
        """Have a queue for a want, an empty one."""
        while want >= len(self.members):
            self.members.append(0)
        queued = self._queued
        if want >= queued.start.size:
            more = np.zeros(queued.start.size, np.int64)
            wider = {name: np.concatenate((getattr(queued, name), more)) for name in ("start", "head", "end", "room")}
            self._queued = queued._replace(**wider)

    def load(self) -> None:
        """Make all queues anew, of the buy offers that have money."""
        buys = self._buys
        slots = (buys.open > 0).nonzero()[0]
        wants = buys.want[slots]
        slots = slots[np.lexsort((buys.served[slots], wants))]
        counts = np.bincount(wants, minlength=max(WANTS, len(self.members)))
        room = np.where(counts, 2 * counts + SPARE, 0)
        start = np.cumsum(room) - room
        size = int(room.sum())
        pool = np.zeros((2, 2 * size + 1024), np.int64)
        places = np.repeat(start - (np.cumsum(counts) - counts), counts) + np.arange(slots.size)
        pool[0, places], pool[1, places] = slots, buys.served[slots]
        self._queued = Queued(pool[0], pool[1], start, start.copy(), start + counts, room, np.array([size]))
        self.touched = False

    def meet(self, wants: Column, asked: Asked) -> tuple[Column, Column]:
        """Who bids for an asset, of the buy offers of these wants: slots in their order, and cents. Nothing changes."""
        return meeting.meet(wants, tuple(self._queued), self._buys.offered, tuple(asked))

    def append(self, slots: Column, now: int) -> None:
        """Put buy offers that the newest input places or serves at the end."""
        self.touched, done = True, 0
        while (done := meeting.append(tuple(self._queued), self._buys.offered, slots, now, done)) < len(slots):
            self._grow()

    def put_back(self, slot: int) -> None:
        """Put a buy offer that has money again where its turn is, if it was left out meanwhile."""
        self.touched = True
        while not meeting.put_back(tuple(self._queued), self._buys.offered, slot):
            self._grow()

    def _grow(self) -> None:
        """A larger pool. What queues have left behind in it is at most as large as they are, since each move doubles one."""
        queued = self._queued
        slots, inputs = (np.concatenate((pool, np.zeros_like(pool))) for pool in (queued.slots, queued.inputs))
        self._queued = queued._replace(slots=slots, inputs=inputs)
