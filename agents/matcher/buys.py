"""The buy offers of a book: a slot each, its numbers in columns, so that one expression looks at many.

A Step changes them at once and keeps what was before until the commit: a copy of the columns would cost what exists, not what changes.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import numpy as np
from numpy.typing import NDArray

from agents.matcher.meeting import Offered, Plain
from agents.matcher.rows import Buy
from agents.matcher.rules import digest
from schemas.criteria import Conjunction

ROOM: Final = 64  # slots at first; it doubles
NOBODY: Final = -1  # the number of no input: who is not there was never served

Column = NDArray[np.int64]


class Buys:
    """By slot, in cents where a name does not say otherwise. A buy offer's amount is open + held + invested."""

    amount: Column
    open: Column
    held: Column
    most: Column  # that it bids for one asset
    served: Column  # the number of the input that last gave it a bid, or placed it
    placed: Column
    digest: NDArray[np.uint64]
    version: Column  # of its portfolio
    want: Column  # the number of what it wants
    investor: Column  # a number for it
    limits: list[Conjunction]  # of its portfolio
    names = ("amount", "open", "held", "most", "served", "placed", "digest", "version", "want", "investor")

    def __init__(self) -> None:
        self.slots: dict[str, int] = {}  # by buy offer
        self.offers: list[str] = []
        self.investors: list[str] = []
        self.portfolios: list[str] = []
        self.buckets: list[str] = []
        self.limits = []
        self.placed_now: list[int] = []
        self.withdrawn_now: list[int] = []
        self._texts: dict[str, str] = {}  # what many have is kept once
        self._limits: dict[Conjunction, Conjunction] = {}
        self._numbers: dict[str, int] = {}  # of investors
        self._free: list[int] = []
        self._before: list[tuple[Column, Column, Column, Column]] = []  # slots, and what was open, held and served
        for name in self.names:
            setattr(self, name, np.zeros(ROOM, np.uint64 if name == "digest" else np.int64))
        self._out = np.zeros(ROOM, np.bool_)
        self._has = np.zeros(ROOM, np.int64)
        self._show()

    def _show(self) -> None:
        """To be called where a column is another array."""
        offered = Offered(self.open, self.most, self.served, self.placed, self.digest, self.want, self.investor, self._out, self._has)
        self.offered: Plain = tuple(offered)

    @contextmanager
    def besides(self, bidders: Collection[str], totals: Mapping[str, int]) -> Iterator[None]:
        """Meanwhile these buy offers may not bid for the asset, and these investors have so much in it."""
        if not bidders:
            yield
            return
        out = [self.slots[offer] for offer in bidders if offer in self.slots]
        some = {self._numbers[investor]: cents for investor, cents in totals.items() if investor in self._numbers}
        self._out[out] = True
        self._has[list(some)] = list(some.values())
        yield
        self._out[out] = False
        self._has[list(some)] = 0

    def take(self, offer: str, buy: Buy, want: int) -> int:
        """A slot for a buy offer that has none; nothing of it is open yet."""
        own = self._texts.setdefault
        investor, portfolio, bucket = own(buy.investor, buy.investor), own(buy.portfolio, buy.portfolio), own(buy.bucket, buy.bucket)
        limits = self._limits.setdefault(buy.limits, buy.limits)
        if self._free:
            slot = self._free.pop()
            self.offers[slot], self.investors[slot], self.portfolios[slot], self.buckets[slot] = offer, investor, portfolio, bucket
            self.limits[slot] = limits
        else:
            slot = len(self.offers)
            self.offers.append(offer)
            self.investors.append(investor)
            self.portfolios.append(portfolio)
            self.buckets.append(bucket)
            self.limits.append(limits)
            if slot == self.amount.size:
                self._widen()
        self.slots[offer] = slot
        self.amount[slot], self.most[slot] = buy.amount_cents, buy.bid_cents_max
        self.version[slot], self.placed[slot] = buy.version, buy.placed
        self.digest[slot], self.want[slot] = digest(offer), want
        self.investor[slot] = self._numbers.setdefault(investor, len(self._numbers))
        if len(self._numbers) > self._has.size:  # nothing compiled looks at bounds
            self._has = np.zeros(2 * self._has.size, np.int64)
            self._show()
        self.fill(slot, 0, 0, NOBODY)
        return slot

    def _widen(self) -> None:
        for name in self.names:
            column = getattr(self, name)
            setattr(self, name, np.concatenate((column, np.zeros_like(column))))
        self._out = np.zeros(self.open.size, np.bool_)
        self._show()

    def fill(self, slot: int, open_cents: int, held_cents: int, served: int) -> None:
        self.open[slot], self.held[slot], self.served[slot] = open_cents, held_cents, served

    def reset(self) -> None:
        """Nobody has bid yet."""
        there = np.zeros(self.open.size, np.bool_)
        there[list(self.slots.values())] = True
        self.open, self.held = np.where(there, self.amount, 0), np.zeros_like(self.held)
        self.served = np.where(there, self.placed, NOBODY)
        self._show()

    def add(self, slots: list[int], numbers: list[tuple[int, int, int]]) -> None:
        """Add bids: cents, how many of these are held, the number of the input that made it."""
        if slots:
            cents, held, served = np.array(numbers, np.int64).T
            np.subtract.at(self.open, slots, cents)
            np.add.at(self.held, slots, held)
            np.maximum.at(self.served, slots, served)

    def free(self, slot: int) -> None:
        """Give a slot back."""
        self.slots.pop(self.offers[slot], None)
        self.fill(slot, 0, 0, NOBODY)
        self._free.append(slot)

    def place(self, offer: str, buy: Buy, want: int) -> int:
        """A new buy offer, all of it open."""
        slot = self.take(offer, buy, want)
        self.fill(slot, buy.amount_cents, 0, buy.placed)
        self.placed_now.append(slot)
        return slot

    def withdraw(self, slot: int) -> None:
        self.keep(np.array([slot]))
        del self.slots[self.offers[slot]]
        self.fill(slot, 0, 0, NOBODY)
        self.withdrawn_now.append(slot)

    def keep(self, slots: Column) -> None:
        """To be called before `open`, `held` or `served` change: what they are now can be had again."""
        self._before.append((slots, self.open[slots], self.held[slots], self.served[slots]))

    def commit(self) -> None:
        for slot in self.withdrawn_now:
            self._free.append(slot)
        self._forget()

    def undo(self) -> None:
        for slots, open_cents, held, served in reversed(self._before):
            self.open[slots], self.held[slots], self.served[slots] = open_cents, held, served
        for slot in self.withdrawn_now:
            self.slots[self.offers[slot]] = slot
        for slot in reversed(self.placed_now):
            self.free(slot)
        self._forget()

    def _forget(self) -> None:
        self._before.clear()
        self.placed_now.clear()
        self.withdrawn_now.clear()
