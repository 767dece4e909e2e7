"""Exactly once: an agent's records, table rows and source offset become one Kafka transaction, or nothing does.

One Partition holds what one agent knows of one source partition. The rules it keeps, each with the fault that it is there for:

- **Opening fences.** The partition's own producer (`transactional.id` = group, agent, partition) is started before the table is read:
  the broker refuses every earlier holder from then on and aborts what it left open, so the table cannot change behind our back.
- **The table knows the offset.** The reserved row OFFSET is written with the other rows; on opening it says which input the rows
  include, and every input at or below it is skipped. The consumer group's commits are for lag views and a cheap restart only: what they
  are ahead of the table is read again (`streams/runner.py`).
- **Committed reads only**, by position and not by record: a transaction's marker takes an offset but is no record.
- **State changes after the commit**, by `State.apply`, and only then: a fault in between leaves nothing half-known. A table on disk
  (`streams/rocks.py`) takes in rows and their Place in the changelog as one; what a kill keeps from it, opening reads from there on.
- **One version of a product for a document, for ever.** Only a stage `by_newest` (intake) decides by the newest products; what it writes
  names their versions, and who comes later goes by those. Products are another topic than its source, so a Step that is done again may
  meet newer ones: what was committed is never decided again, and what was not, nobody has seen. The OFFSET row notes up to where
  `products` was read, and who opens the partition reads at least as far: in each partition versions only go up. Who meets a version that
  it does not know yet reads `products` to its end, where it must be: it was committed before what names it.
- **Fail-stop** is the caller's (`streams/runner.py`): an exception from here means that this process must not go on.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from time import perf_counter, time_ns
from typing import Any, Final

from aiokafka.errors import IllegalOperation

from schemas.product import UnknownProductError
from streams import metrics
from streams.broker import Broker, Producer
from streams.changelog import OFFSET, Keep, Kept, Place, load, parse
from streams.effects import Answers, Ask, Effects, Headers, Message, Record, Stage, not_included
from streams.partition import partition_of
from streams.products import ProductsTable
from streams.topics import MESSAGE_BYTES_MAX, Topic

_NO_HEADERS: Final[list[tuple[str, bytes]]] = []  # aiokafka wants a list; nobody writes to this one
POISON_MAX: Final = 100  # unreadable messages in a row; more is a fault of ours (a bad deploy), not of the data


class PoisonedError(Exception):
    """Too many messages in a row could not be read: the partition stops, so that nothing more is drained into quarantine."""


class ProductsError(Exception):
    """The topic `products` ends before what this partition's table has gone by: it is not the one of that time."""


class TooLargeError(Exception):
    """A single record is larger than the broker takes."""


@dataclass(slots=True)
class Partition:
    """One agent's hold on one source partition: its state, the last source offset that the state includes, and its producer."""

    stage: Stage
    number: int
    broker: Broker
    group: str
    keep: Keep | None = None  # None: the table is in memory
    ask: Ask | None = None  # for a stage with questions
    products: ProductsTable | None = None  # None: they stay as they are
    state: Any = field(init=False)  # a State, or a Kept
    offset: int = -1
    poison: int = 0
    products_offset: int = -1  # up to which the last Step went by `products`
    _kept: Kept | None = None
    _producer: Producer = field(init=False)

    @property
    def transactional_id(self) -> str:
        return f"{self.group}.{self.stage.name}.{self.number}"

    async def open(self) -> None:
        """Fence every earlier holder, then read the table.

        Raises what Kafka and the table's disk raise. A fault leaves nothing behind, nor does a cancellation: opening changes nothing.
        """
        self._producer = self.broker.producer(self.transactional_id)
        try:
            await self._producer.start()
            await (self._read() if self.keep is None else self._load(self.keep))
            if self.products is not None and self.products_offset > self.products.offset:
                await self._catch_up(self.products)
        except BaseException:
            await self.close()
            raise
        metrics.OPENED.labels(self.stage.name, self.number).inc()

    async def _read(self) -> None:
        self.state = self.stage.state()
        async for rows in read_table(self.broker, self.stage.table, self.number):
            last = rows.pop(OFFSET, None)
            if last is not None:
                self.offset, self.poison, self.products_offset = parse(last)
            self.state.apply(rows)

    async def _load(self, keep: Keep) -> None:
        self.state = self._kept = kept = keep(self.transactional_id, self.stage.table)
        await load(kept, self.broker, self.stage.table, self.number)
        if kept.place is not None:
            self.offset, self.poison, self.products_offset = kept.place.reached

    async def step(self, messages: Sequence[Message]) -> None:
        """Do the agent's work for `messages`, none skipped since the last Step; all of its effects or none."""
        started = perf_counter()
        fresh = not_included(messages, self.offset)
        if not fresh:
            return
        effects = await self._computed(fresh)
        products_offset = self.products.offset if self.products and self.stage.by_newest else -1
        poison = self.poison + effects.poison if effects.poison == len(fresh) else effects.poison
        if poison > POISON_MAX:
            raise PoisonedError(f"{poison} unreadable messages in a row up to {fresh[-1].source}: repair, then start again")
        reached = b"%d %d" % (fresh[-1].offset, poison)
        place = await self._commit(effects, reached if products_offset < 0 else b"%b %d" % (reached, products_offset))
        if self._kept is None:
            self.state.apply(effects.rows)
        else:
            self._kept.keep(effects.rows, place)
        self.offset, self.poison, self.products_offset = fresh[-1].offset, poison, products_offset
        seconds = perf_counter() - started
        metrics.step(self.stage.name, self.number, messages=len(fresh), rows=len(effects.rows), poison=effects.poison, seconds=seconds)

    async def _catch_up(self, products: ProductsTable) -> None:
        await products.catch_up()
        if self.products_offset > products.offset:
            raise ProductsError(
                f"{self.transactional_id} has gone by products up to {self.products_offset}, and the topic ends at {products.offset}: "
                "it was made anew, or is of another broker"
            )

    async def _computed(self, messages: Sequence[Message]) -> Effects:
        try:
            return self.stage.compute(self.state, messages, **await self._answers(messages))
        except UnknownProductError:
            if self.products is None:
                raise
        await self.products.catch_up()
        return self.stage.compute(self.state, messages, **await self._answers(messages))

    async def _answers(self, messages: Sequence[Message]) -> dict[str, Answers]:
        """What `compute` gets besides. Asked outside the transaction: a kill from here to the commit has it asked again."""
        if self.stage.questions is None:
            return {}
        questions = self.stage.questions(messages)
        if not questions:
            return {"answers": {}}
        assert self.ask is not None, "a stage with questions needs somebody to ask them"
        return {"answers": await self.ask(questions)}

    async def _commit(self, effects: Effects, offset: bytes) -> Place:
        """Write it all as one transaction; the Place in the changelog that the rows then reach."""
        table = ((None, key, value, None, ()) for key, value in (*effects.rows.items(), (OFFSET, offset)))
        now_ms = time_ns() // 1_000_000
        async with self._producer.transaction():
            acks = []
            try:
                for topic, partition, records in (*_by_partition(effects.records), (self.stage.table.name, self.number, table)):
                    for batch in self._batches(records, now_ms):
                        acks.append(await self._producer.send_batch(batch, topic, partition=partition))
            except IllegalOperation:  # the transaction has ended already; the batches before know why: fenced, most often
                await asyncio.gather(*acks)
                raise
            *_, last = await asyncio.gather(*acks)
        return Place(last.offset + batch.record_count() - 1, now_ms, offset)

    def _batches(self, records: Iterable[tuple[Any, bytes | None, bytes | None, Any, Headers]], now_ms: int) -> Iterable[Any]:
        """Kafka record batches: a hundred times cheaper than a `send` for each record. The loop below runs once for each record and row."""
        batch = self._producer.create_batch()
        for _, key, value, _, headers in records:
            given = list(headers) if headers else _NO_HEADERS
            if batch.append(timestamp=now_ms, key=key, value=value, headers=given) is None:
                yield _closed(batch)
                batch = self._producer.create_batch()
                batch.append(timestamp=now_ms, key=key, value=value, headers=given)
        yield _closed(batch)

    async def close(self) -> None:
        """Let go of the table and the producer. No Step may be under way."""
        if self._kept is not None:
            self._kept.close()
        await self._producer.stop()


def _closed(batch: Any) -> Any:
    """The batch, ready to be sent. A record that is larger than a batch has one of its own: the only one that can be too large."""
    if batch.size() > MESSAGE_BYTES_MAX:
        raise TooLargeError(f"a record makes a batch of {batch.size()} bytes, at most {MESSAGE_BYTES_MAX} are allowed")
    batch.close()
    return batch


def _by_partition(records: Iterable[Record]) -> Iterable[tuple[str, int, list[Record]]]:
    """Records by topic and partition, each in its order; where a record names no partition, its key does."""
    grouped: dict[tuple[str, int], list[Record]] = {}
    for record in records:
        number = record.partition if record.partition is not None else partition_of(record.key or b"", record.topic.partitions)
        grouped.setdefault((record.topic.name, number), []).append(record)
    return ((topic, number, found) for (topic, number), found in grouped.items())


async def read_table(broker: Broker, table: Topic, number: int) -> AsyncIterator[dict[bytes, bytes | None]]:
    """Yield a table partition's rows, in chunks, from its beginning to the end that it has now; None where a key was deleted.

    The caller has fenced the writers, so the end stays the end.
    """
    async for records in broker.read(table.name, number):
        yield {record.key: record.value for record in records}
