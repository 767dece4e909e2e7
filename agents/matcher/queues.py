"""Rule 4: the buy offers of each want, least recently served first, so that a sell offer takes the first few of each want and sorts those.

Who is served goes to the end, and stays where it was as an entry that is dead: its number is not the one that last served the buy offer.
So a queue only grows at its end and shrinks at its head, but where a buy offer that was used up, and left out, gets money back.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import numpy as np

from agents.matcher.buys import Buys, Column

SLOT_BITS: Final = 24  # of an entry; the others are the number of the input: 5 * 10 ** 11 of them
SLOT: Final = (1 << SLOT_BITS) - 1
TURN: Final = 192  # entries looked at at first, of all wants together, and at least FEW of each; most sell offers need no more
FEW: Final = 4
SLACK: Final = 16  # entries more than twice its buy offers, before a queue is made anew
LAST: Final = 1 << 62  # no input has a number as large


class Queues:
    """A queue a want, by its number. What is done to them since the last commit can be undone."""

    def __init__(self, buys: Buys) -> None:
        self.members: list[int] = []  # how many buy offers a want has
        self._buys = buys
        self._queues: list[array[int]] = []  # of number of the input << SLOT_BITS | slot
        self._heads: list[int] = []
        self._begun: dict[int, tuple[int, int, array[int] | None]] = {}  # want -> before this Step: head and length, or all of it

    def open(self, want: int) -> None:
        """Have a queue for a want."""
        if want == len(self._queues):
            self._queues.append(array("q"))
            self._heads.append(0)
            self.members.append(0)

    def clear(self, want: int) -> None:
        """Nobody has this want any more."""
        self._queues[want], self._heads[want] = array("q"), 0
        self._begun.pop(want, None)

    def load(self) -> None:
        """Make all queues anew."""
        buys = self._buys
        slots = (buys.open > 0).nonzero()[0]
        wants = buys.want[slots]
        order = np.lexsort((buys.served[slots], wants))
        entries = (buys.served[slots] << SLOT_BITS | slots)[order]
        ends = np.cumsum(np.bincount(wants, minlength=len(self._queues))).tolist()
        self._queues = [array("q", entries[start:end].tobytes()) for start, end in zip([0, *ends], ends, strict=False)]
        self._heads = [0] * len(ends)

    def append(self, wants: Iterable[int], slots: Iterable[int], now: int) -> None:
        """Put buy offers that the newest input places or serves at the end."""
        front, begun = now << SLOT_BITS, self._begun
        for want, slot in zip(wants, slots, strict=True):
            queue = self._queues[want]
            if want not in begun:
                begun[want] = self._heads[want], len(queue), None
            queue.append(front | slot)

    def put_back(self, want: int, slot: int, served: int) -> None:
        """Put a buy offer that has money again where it was, if it was left out meanwhile."""
        queue, head, entry = self._queues[want], self._heads[want], served << SLOT_BITS | slot
        place = bisect_left(queue, served << SLOT_BITS, head)
        while place < len(queue) and queue[place] >> SLOT_BITS == served:
            if queue[place] == entry:
                return
            place += 1
        begun, length, before = self._begun.get(want, (head, len(queue), None))
        self._begun[want] = begun, length, queue[:length] if before is None else before
        queue.insert(place, entry)

    def turns(self, wants: Sequence[int], least_cents: int) -> Iterator[Column]:
        """The slots of buy offers of these wants that can afford a bid, in growing portions: in the order of rule 4 but for ties.

        All that were served by one input are in one portion, so what comes later is later.
        """
        buys, queues, heads = self._buys, [self._queues[want] for want in wants], self._heads
        portion, reached = max(FEW, TURN // max(1, len(wants))), -1
        while queues:
            starts = [heads[want] for want in wants]
            pieces = [queue[start : start + portion] for queue, start in zip(queues, starts, strict=True)]
            cut = [piece[-1] for piece, queue, start in zip(pieces, queues, starts, strict=True) if start + portion < len(queue)]
            until = min(cut) >> SLOT_BITS if cut else LAST
            entries = np.frombuffer(b"".join(pieces), np.int64)
            slots, numbers = entries & SLOT, entries >> SLOT_BITS
            open_cents = buys.open[slots]
            live = (buys.served[slots] == numbers) & (open_cents > 0)
            if 2 * np.count_nonzero(live) < entries.size:
                self._skip(wants, pieces, live.tolist())
            live &= np.minimum(open_cents, buys.most[slots]) >= least_cents
            live &= (numbers >= reached) & (numbers < until)
            chosen = entries[live]
            if chosen.size:
                chosen.sort()
                yield chosen & SLOT
            if not cut:
                return
            reached, portion = until, 4 * portion

    def _skip(self, wants: Sequence[int], pieces: Sequence["array[int]"], live: list[bool]) -> None:
        """Move heads behind what is dead."""
        start = 0
        for want, piece in zip(wants, pieces, strict=True):
            end = start + len(piece)
            dead = (live.index(True, start, end) if any(live[start:end]) else end) - start
            if dead:
                self._begun.setdefault(want, (self._heads[want], len(self._queues[want]), None))
                self._heads[want] += dead
            start = end

    def commit(self) -> None:
        """Keep what the Step did, and let go of what is dead where that is most of a queue."""
        buys = self._buys
        for want in self._begun:
            queue, head = self._queues[want], self._heads[want]
            if len(queue) - head > 2 * self.members[want] + SLACK:
                entries = np.frombuffer(queue[head:], np.int64)
                slots = entries & SLOT
                live = (buys.served[slots] == entries >> SLOT_BITS) & (buys.open[slots] > 0)
                self._queues[want], self._heads[want] = array("q", entries[live].tobytes()), 0
            elif 2 * head > len(queue) + SLACK:
                del queue[:head]
                self._heads[want] = 0
        self._begun.clear()

    def undo(self) -> None:
        for want, (head, length, before) in self._begun.items():
            self._heads[want] = head
            if before is None:
                del self._queues[want][length:]
            else:
                self._queues[want] = before
        self._begun.clear()
