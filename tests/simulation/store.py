"""The in-memory database, and a process's store on it: the semantics of `streams/store.py`, which one contract suite asks of both."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from streams.effects import Copy, Execute
from streams.store import LIMIT_S, Fenced
from tests.simulation.clock import Process
from tests.simulation.network import Connection, LostError, Network

Key = tuple[str, str, int]  # sink, topic, partition
RETRY_S: Final = 0.5


class Committed(NamedTuple):
    """One transaction of a sink."""

    key: Key
    expected: int
    next_offset: int
    statements: Sequence[Copy | Execute]


@dataclass(slots=True)
class Row:
    """A row of `sink_offsets`."""

    next_offset: int = 0
    epoch: int = 0


class Database:
    """What is committed. While it is `down` every request fails."""

    fenced = True  # unless a test turns it off

    def __init__(self) -> None:
        self.rows: dict[Key, Row] = {}
        self.committed: list[Committed] = []
        self.down = False

    def open(self, reply: Callable[[Any], None], key: Key) -> None:
        """Count the row's epoch up; answers (next offset, epoch)."""
        if self.down:
            reply(ConnectionResetError("the database is down"))
            return
        row = self.rows.setdefault(key, Row())
        row.epoch += 1
        reply((row.next_offset, row.epoch))

    def write(self, reply: Callable[[Any], None], epoch: int, transaction: Committed) -> None:
        """Commit if epoch and offset are as expected; answers None then, otherwise what is there instead."""
        if self.down:
            reply(ConnectionResetError("the database is down"))
            return
        row = self.rows[transaction.key]
        if self.fenced and (row.next_offset, row.epoch) != (transaction.expected, epoch):
            reply((row.next_offset, row.epoch))
            return
        row.next_offset = transaction.next_offset
        self.committed.append(transaction)
        reply(None)


class SimulatedStore:
    """One process's holds on source partitions."""

    def __init__(self, network: Network, database: Database, process: Process) -> None:
        self.network, self.database, self.process = network, database, process
        self._epochs: dict[Key, int] = {}

    async def next_offset(self, sink: str, topic: str, partition: int) -> int:
        key = (sink, topic, partition)
        (next_offset, self._epochs[key]), _ = await self._patiently(f"opens {key}", self.database.open, key)
        return next_offset

    async def write(
        self, sink: str, topic: str, partition: int, expected: int, next_offset: int, statements: Sequence[Copy | Execute]
    ) -> None:
        key = (sink, topic, partition)
        epoch = self._epochs.get(key)
        if epoch is None:
            raise Fenced(f"{key}: not opened by this process")
        transaction = Committed(key, expected, next_offset, statements)
        found, attempt = await self._patiently(f"writes {key} {expected}..{next_offset}", self.database.write, epoch, transaction)
        if found is not None and (attempt == 1 or found != (next_offset, epoch)):
            self.network.faults["sinks fenced"] += 1
            raise Fenced(f"{key}: expected {(expected, epoch)}, found {found}")

    async def _patiently(self, what: str, function: Callable[..., None], *arguments: Any) -> tuple[Any, int]:
        """The answer, and the attempt that brought it; a transient fault is tried again for LIMIT_S."""
        connection = Connection(self.network, self.process, lossy=True)
        until, attempt = self.network.loop.now + LIMIT_S, 0
        while True:
            attempt += 1
            try:
                return await connection.ask(what, function, *arguments), attempt
            except (LostError, ConnectionResetError):
                self.network.faults["database tried again"] += 1
                if self.network.loop.now > until:
                    raise
            await asyncio.sleep(RETRY_S)
