"""A partition of the in-memory broker: records and transaction markers, each at an offset, and what of them is stable."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple


class Entry(NamedTuple):
    """One offset that is taken. A marker is no record: it has no transaction's data, only the end of one."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    transaction: "Transaction | None"
    marker: bool = False
    # as aiokafka's records are read by name
    topic: str = ""
    partition: int = 0


@dataclass(eq=False, slots=True)
class Transaction:
    """One transaction of one producer: undecided, then committed or aborted; each of its `logs` then gets a marker."""

    transactional_id: str
    epoch: int
    logs: list["Log"] = field(default_factory=list)
    committed: bool | None = None


@dataclass(eq=False, slots=True)
class Log:
    """One partition. `start` is the first offset that is kept."""

    topic: str
    number: int
    entries: list[Entry | None] = field(default_factory=list)  # by offset; None: compacted away
    start: int = 0
    compacted: dict[int, Entry] = field(default_factory=dict)  # by offset
    open: dict[Transaction, int] = field(default_factory=dict)  # with their first offset here, in that order
    waiting: list[Callable[[], None]] = field(default_factory=list)  # called once, when more becomes stable

    @property
    def end(self) -> int:
        """The offset that the next record will have."""
        return len(self.entries)

    @property
    def stable(self) -> int:
        """The offset from which on something is undecided: a reader of committed records gets nothing from there on."""
        return next(iter(self.open.values()), self.end)

    def append(
        self,
        timestamp: int,
        key: bytes | None,
        value: bytes | None,
        headers: tuple[tuple[str, bytes], ...],
        transaction: Transaction | None,
    ) -> int:
        """Write a record; returns its offset."""
        offset = self.end
        self.entries.append(Entry(offset, timestamp, key, value, headers, transaction, topic=self.topic, partition=self.number))
        if transaction is None:
            self._wake()
        else:
            self.open.setdefault(transaction, offset)
        return offset

    def mark(self, transaction: Transaction) -> None:
        """Write the marker that ends a transaction here."""
        self.entries.append(Entry(self.end, 0, None, None, (), transaction, marker=True))
        self.open.pop(transaction, None)
        self._wake()

    def _wake(self) -> None:
        waiting, self.waiting = self.waiting, []
        for call in waiting:
            call()

    def read(self, start: int, *, isolated: bool = True) -> Iterator[Entry]:
        """The records that are kept from `start` on; `isolated`: stable and committed ones only."""
        return self._records(max(start, self.start), isolated=isolated)

    def history(self) -> Iterator[Entry]:
        """All committed records that there ever were, but those compacted away."""
        return self._records(0, isolated=True)

    def whole(self) -> list[Entry]:
        """All committed records that there ever were."""
        gone = [entry for entry in self.compacted.values() if entry.transaction is None or entry.transaction.committed]
        return sorted([*self.history(), *gone], key=lambda entry: entry.offset)

    def _records(self, start: int, *, isolated: bool) -> Iterator[Entry]:
        for offset in range(start, self.stable if isolated else self.end):
            entry = self.entries[offset]
            if entry is not None and not entry.marker and (not isolated or entry.transaction is None or entry.transaction.committed):
                yield entry

    def compact(self) -> int:
        """Forget committed records whose key has a later one, and those aborted; returns how many. The last offset is always kept."""
        gone = 0
        seen: set[bytes | None] = set()
        for offset in range(self.stable - 1, self.start - 1, -1):
            entry = self.entries[offset]
            if entry is None or entry.marker or offset == self.end - 1:
                continue
            aborted = entry.transaction is not None and not entry.transaction.committed
            if aborted or entry.key in seen:
                self.entries[offset], self.compacted[offset] = None, entry
                gone += 1
            if not aborted:
                seen.add(entry.key)
        return gone
