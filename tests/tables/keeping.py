"""A partition whose table is kept in RocksDB, against a real broker: messages "key=value" put a row, "key=" deletes it."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

from streams.broker import KafkaBroker
from streams.effects import Effects, Message, Stage, Table
from streams.rocks import RocksTable, RocksTables
from streams.step import OFFSET, Partition, read_table
from streams.topics import Topic

WORKER = "worker-1"


class ReadingBroker(KafkaBroker):
    """Counts the records that are read from it."""

    __slots__ = ("records",)

    def __init__(self, address: str) -> None:
        super().__init__(address)
        object.__setattr__(self, "records", 0)

    async def read(self, topic: str, number: int, start: int = 0, end: int | None = None) -> AsyncGenerator[list[Any]]:
        async for records in super().read(topic, number, start, end):
            object.__setattr__(self, "records", self.records + len(records))
            yield records


def put(_: Any, messages: Sequence[Message]) -> Effects:
    rows: dict[bytes, bytes | None] = {}
    for message in messages:
        key, _, value = message.value.partition(b"=")
        rows[key] = value or None
    return Effects(rows=rows)


def stage(name: str, compute: Any = put) -> Stage:
    return Stage("keeper", Topic(f"{name}.in", 1), Topic(f"{name}.table", 1, compacted=True), compute)


class Keeper:
    """Opens the one partition of `stage` again and again; `home` is its worker's."""

    def __init__(self, kafka: str, stage: Stage, home: Path) -> None:
        self.kafka, self.stage, self.home = kafka, stage, home
        self.offset, self.records = 0, 0

    async def open(self, worker: str = WORKER, home: Path | None = None) -> Partition:
        """With its table on disk; `records` is how many records of the changelog that took."""
        broker = ReadingBroker(self.kafka)
        partition = Partition(self.stage, 0, broker, "test", RocksTables(home or self.home, worker).open)
        await partition.open()
        self.records = broker.records
        return partition

    async def elsewhere(self, *values: bytes) -> None:
        """A Step by another worker, whose table is in memory."""
        partition = Partition(self.stage, 0, KafkaBroker(self.kafka), "test")
        await partition.open()
        await self.step(partition, *values)
        await partition.close()

    async def step(self, partition: Partition, *values: bytes) -> None:
        messages = [Message(self.stage.source.name, 0, self.offset + n, 0, None, value, ()) for n, value in enumerate(values)]
        self.offset += len(values)
        await partition.step(messages)

    @property
    def folder(self) -> Path:
        return self.home / "tables" / WORKER / "test.keeper.0"

    async def changelog(self) -> dict[bytes, bytes]:
        """All rows that the changelog has after the last Step, the reserved one included."""
        return await changelog(self.kafka, self.stage.table, 0, self.offset - 1)


async def changelog(kafka: str, topic: Topic, number: int, reached: int) -> dict[bytes, bytes]:
    """All rows of a changelog that includes the source offset `reached`: a commit is acknowledged a moment before it can be read."""
    async with asyncio.timeout(20):
        while True:
            table = Table()
            async for rows in read_table(KafkaBroker(kafka), topic, number):
                table.apply(rows)
            if OFFSET in table and int(table[OFFSET].split()[0]) >= reached:
                return dict(table)


def rows(table: RocksTable) -> dict[bytes, bytes]:
    """All rows, the changelog's reserved one included; a damaged table raises, and does not end early."""
    found, cursor = {}, table._rows.iter()
    cursor.seek_to_first()
    while cursor.valid():
        found[cursor.key()] = cursor.value()
        cursor.next()
    cursor.status()
    return {key: value for key, value in found.items() if key not in (b"\0name", b"\0place")}
