"""The book of one market: every buy offer and every asset, built from the matcher's rows alone."""

from collections.abc import Mapping
from typing import Final, Protocol

import msgspec

from agents.matcher import rows
from agents.matcher.buys import Buys
from agents.matcher.index import Wants
from agents.matcher.lot import Lot
from agents.matcher.queues import Queues
from agents.matcher.rows import Withdrawn
from agents.matcher.shelf import Shelf
from schemas.criteria import Criteria

decode_criteria: Final = msgspec.json.Decoder(Criteria).decode
BIDS: Final = 100_000  # that are reckoned at once
SharedWant = tuple[bytes, tuple[str, ...]]  # criteria as JSON, agreements


class Step(Protocol):
    """What a book knows of the Step that works in it: a Draft."""

    changed: dict[bytes, bytes | None] | None  # its rows, once they were asked for
    lots: dict[str, Lot]  # the assets that it looked at
    withdrawn: dict[str, Withdrawn]
    served: dict[str, int]


class Book:
    """The matcher's State. It changes for good by `apply` alone, after a commit: what a Step does here (`draft.py`) is undone by the next.

    So the rows of the Step that ran last cost next to nothing to apply; a book that was built from them goes on like this one.
    Assets are kept as they were written: most are closed, and unfolded they take several times the memory.
    """

    def __init__(self) -> None:
        self.inputs = 0
        self.assets: dict[str, bytes] = {}
        self.withdrawn: dict[str, Withdrawn] = {}  # investor/portfolio -> its newest withdrawn version
        self.holding: dict[str, set[str]] = {}  # buy offer -> the assets where bids of it are held
        self.served: dict[str, int] = {}  # buy offer -> what its row says
        self.buys = Buys()
        self.queues = Queues(self.buys)
        self.wants = Wants()
        self.shelf = Shelf()
        self._shared: dict[SharedWant, int] = {}
        self._keys: dict[int, SharedWant] = {}
        self._holders: dict[str, list[str]] = {}  # asset -> the buy offers whose bids it holds
        self._reckoned = True  # what follows from several rows
        self._step: Step | None = None

    def begin(self, step: Step) -> None:
        """A Step begins: what the last one did is undone, unless it was applied."""
        self._undo()
        if not self._reckoned:
            self._reckon()
        self._step = step

    def settle(self) -> bool:
        """Be as the rows say, to be read. False while a Step works in here: what it does is not committed, and may never be."""
        if self._step is None and not self._reckoned:
            self._reckon()
        return self._step is None

    def want(self, shared: SharedWant) -> int:
        """The number of a want, known or new."""
        number = self._shared.get(shared)
        if number is None:
            number = self._shared[shared] = self.wants.add((decode_criteria(shared[0]), shared[1]))
            self._keys[number] = shared
            self.queues.open(number)
        return number

    def apply(self, changed: Mapping[bytes, bytes | None]) -> None:
        """Take in rows, in any order.

        Raises:
            ValueError: a row is none of ours: it was written by another version of this program.
        """
        if self._step is not None and self._step.changed == changed:
            self._commit(self._step)
            return
        self._undo()
        self._reckoned = False
        for key, value in changed.items():
            if key.startswith(rows.BUY):
                self._apply_buy(key[2:].decode(), value)
            elif key.startswith(rows.SERVED):
                self.served.pop(key[2:].decode(), None)
                if value is not None:
                    self.served[key[2:].decode()] = int(value)
            elif value is None:
                raise ValueError(f"matcher: row {key!r} is deleted; only buy offers are")
            elif key.startswith(rows.ASSET):
                self.assets[key[2:].decode()] = value
            elif key.startswith(rows.PORTFOLIO):
                self.withdrawn[key[2:].decode()] = Withdrawn.of(value)
            elif key == rows.MARKET:
                self.inputs = int(value)
            else:
                raise ValueError(f"matcher: unknown row {key!r}")

    def _apply_buy(self, offer: str, value: bytes | None) -> None:
        slot = self.buys.slots.get(offer)
        if value is None:
            if slot is not None:
                self._leave(slot)
                self.buys.free(slot)
        elif slot is None:
            buy = rows.decode_buy(value)
            want = self.want((bytes(buy.criteria), buy.agreements))
            self.queues.members[want] += 1
            self.buys.take(offer, buy, want)

    def _reckon(self) -> None:
        """What buy offers have in assets and when they were last served, and which assets are on offer: all of it from all rows."""
        buys = self.buys
        buys.reset()
        for offer, served in self.served.items():
            if offer in buys.slots:
                buys.served[buys.slots[offer]] = served
        self.holding, self._holders, self.shelf = {}, {}, Shelf()
        slots: list[int] = []
        numbers: list[tuple[int, int, int]] = []
        for key, value in self.assets.items():
            lot = Lot(key, rows.decode_asset(value))
            self._show(lot)
            for bids, held in ((lot.row.held, True), (lot.row.sold, False)):
                for bid in bids:
                    slot = buys.slots.get(bid.buy_offer)
                    if slot is not None:
                        slots.append(slot)
                        numbers.append((bid.cents, bid.cents if held else 0, bid.served))
            if len(slots) > BIDS:
                buys.add(slots, numbers)
                slots, numbers = [], []
        buys.add(slots, numbers)
        self.queues.load()
        self._reckoned = True

    def _leave(self, slot: int) -> None:
        """A buy offer is no longer one of those with its want."""
        want = int(self.buys.want[slot])
        self.queues.members[want] -= 1
        if not self.queues.members[want]:
            self.wants.remove(want)
            del self._shared[self._keys.pop(want)]

    def _show(self, lot: Lot) -> None:
        """Have an asset on the shelf, and known to those whose bids it holds, if and as its row says so."""
        for holder in self._holders.pop(lot.key, ()):
            self.holding[holder].discard(lot.key)
            if not self.holding[holder]:
                del self.holding[holder]
        if lot.row.held:
            self._holders[lot.key] = [bid.buy_offer for bid in lot.row.held]
            for holder in self._holders[lot.key]:
                self.holding.setdefault(holder, set()).add(lot.key)
        if lot.left:
            assert lot.row.offer is not None
            self.shelf.put(lot.key, lot.row.offer, lot.left, lot.row.since)
        else:
            self.shelf.take_off(lot.key)

    def _commit(self, step: Step) -> None:
        changed = step.changed or {}
        for key, lot in step.lots.items():
            if lot.changed:
                value = changed[rows.ASSET + key.encode()]
                assert value is not None
                self.assets[key] = value
                self._show(lot)
        self.withdrawn |= step.withdrawn
        self.served |= step.served
        self.inputs = int(changed.get(rows.MARKET) or self.inputs)
        for slot in self.buys.withdrawn_now:
            self._leave(slot)
            self.served.pop(self.buys.offers[slot], None)
        self.buys.commit()
        self.queues.touched = False
        self._step = None

    def _undo(self) -> None:
        if self._step is None:
            return
        for slot in self.buys.placed_now:
            self._leave(slot)
        self.buys.undo()
        if self.queues.touched:
            self.queues.load()
        for key, lot in self._step.lots.items():
            if lot.changed:
                row = self.assets.get(key)
                self._show(Lot(key, rows.Asset() if row is None else rows.decode_asset(row)))
        self._step = None
