"""Exactly once into PostgreSQL: rows and source offset are one database transaction, and the stored offset is the fence.

A writer that finds another offset than the one it wrote last is not alone: `Fenced` goes up, and the process stops (`streams/runner.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

from streams import metrics
from streams.effects import Message, Sink, not_included
from streams.store import Store


@dataclass(slots=True)
class SinkPartition:
    """One sink's hold on one source partition; `offset` is the last source offset that the database includes."""

    sink: Sink
    number: int
    store: Store
    offset: int = -1

    async def open(self) -> None:
        """Read the stored offset."""
        self.offset = await self.store.next_offset(self.sink.name, self.sink.source.name, self.number) - 1
        metrics.OPENED.labels(self.sink.name, self.number).inc()

    async def step(self, messages: Sequence[Message]) -> None:
        """Write the rows of `messages`, none skipped since the last Step; all of them and the offset, or nothing."""
        started = perf_counter()
        fresh = not_included(messages, self.offset)
        if not fresh:
            return
        statements = self.sink.compute(fresh)
        last = fresh[-1].offset
        await self.store.write(self.sink.name, self.sink.source.name, self.number, self.offset + 1, last + 1, statements)
        self.offset = last
        metrics.step(self.sink.name, self.number, messages=len(fresh), rows=0, poison=0, seconds=perf_counter() - started)

    async def close(self) -> None:
        """Nothing is held but the number."""
