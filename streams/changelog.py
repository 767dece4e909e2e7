"""A table's changelog: its reserved row, and how a table that was kept on disk takes in what it has missed.

A kept table is a copy of its changelog up to a Place, and is trusted for no more than that: a copy that the changelog does not continue is
thrown away and made anew.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from time import time_ns
from typing import Any, Final, NamedTuple, Protocol, Self

import structlog

from streams.broker import Broker
from streams.effects import Rows
from streams.topics import TOMBSTONE_MS, Topic

# The reserved row: "offset poison", the last source offset included and the run of poison before it; and, of a stage that decides by the
# newest products, the offset on `products` up to which it had read them.
OFFSET: Final = b"\0offset"
BEHIND_MS_MAX: Final = TOMBSTONE_MS // 2  # half of it is for the clocks of others, and for the reading itself

log = structlog.get_logger()


def parse(row: bytes) -> tuple[int, int, int]:
    """What an OFFSET row says: the last source offset that the rows include, the run of poison before it, the products' offset or -1."""
    offset, poison, products, *_ = *map(int, row.split()), -1
    return offset, poison, products


class Place(NamedTuple):
    """One OFFSET record of a changelog, the last of a Step: the rows of all records up to it are those of a whole number of Steps.

    Its time makes it one of a kind: a changelog that was deleted and made again, or that of another broker, has none like it.
    """

    offset: int  # of the record in the changelog
    timestamp_ms: int
    row: bytes

    @classmethod
    def of(cls, record: Any) -> Self:
        """The Place of an OFFSET record."""
        return cls(record.offset, record.timestamp, record.value)

    @property
    def reached(self) -> tuple[int, int, int]:
        """What its row says (`parse`)."""
        return parse(self.row)


class Kept(Protocol):
    """A table on disk, in the place of a State: `get` and `in` for agents, and what follows for the Step."""

    place: Place | None  # that the rows have reached; None: there are no rows

    def get(self, key: bytes, default: bytes | None = None) -> bytes | None: ...
    def __contains__(self, key: bytes) -> bool: ...

    def keep(self, rows: Rows, place: Place) -> None:
        """Take in the rows of one committed Step and its Place, as one."""

    def take(self, records: Sequence[Any]) -> None:
        """Take in records of the changelog, in order, and the last Place among them, as one."""

    def clear(self, why: str) -> None:
        """Throw all rows away."""

    def close(self) -> None: ...


Keep = Callable[[str, Topic], Kept]  # opens the table of a transactional id on disk, a copy of that changelog


class BrokenOffError(Exception):
    """The changelog does not go on where a kept table stands: the message says why."""


async def load(kept: Kept, broker: Broker, table: Topic, number: int) -> None:
    """Bring a kept table to the end that its changelog has now: what follows its Place is applied, or all if that cannot be trusted.

    The caller has fenced the writers, so the end stays the end.
    """
    count = 0
    if kept.place is not None:
        try:
            async with aclosing(_after(kept.place, broker, table, number)) as tail:
                async for records in tail:
                    kept.take(records)
                    count += len(records)
        except BrokenOffError as why:
            kept.clear(str(why))
    if kept.place is None:
        async for records in broker.read(table.name, number):
            kept.take(records)
            count += len(records)
    log.info("table loaded", table=table.name, partition=number, records=count)


async def _after(place: Place, broker: Broker, table: Topic, number: int) -> AsyncGenerator[list[Any]]:
    """Yield the records after `place`, in lists.

    What stands at `place` must be the very record. Else the changelog is another one, or ends before it, or has lost it to compaction; then
    nothing says any more that it is the same.

    Raises:
        BrokenOffError: it is not; or deletions after `place` may have vanished from the changelog already.
    """
    found = False
    async with aclosing(broker.read(table.name, number, place.offset)) as chunks:
        async for chunk in chunks:
            records = chunk
            if not found and records:
                found = records[0].offset == place.offset and Place.of(records[0]) == place
                if not found:
                    break
                records = records[1:]
            if records and time_ns() // 1_000_000 - place.timestamp_ms > BEHIND_MS_MAX:
                raise BrokenOffError(f"it is older than {BEHIND_MS_MAX // 3_600_000} h and has missed records, deletions may be among them")
            yield records
    if not found:
        raise BrokenOffError(f"{table.name}-{number} has no such record at {place.offset} as the last that it took in")
