"""Everything that a system has committed: the records of the flow's topics, and the tables as their changelogs have them."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, TopicPartition

from streams import topics
from streams.app import messages_of
from streams.effects import Message, Sink, Stage, Table
from streams.step import OFFSET
from streams.topics import Topic

READ_S = 120.0  # bound on one reading to the end


@dataclass
class Changelog:
    """A table's partition: its rows without the reserved one, and (time, source offset included) of each Step, in order."""

    rows: Table = field(default_factory=Table)
    steps: list[tuple[int, int]] = field(default_factory=list)  # milliseconds since 1970, offset

    def add(self, records: Iterable[Any]) -> None:
        for record in records:
            if record.key == OFFSET:
                self.steps.append((record.timestamp, int(record.value.split()[0])))
            else:
                self.rows.apply({record.key: record.value})


class Logs:
    """All partitions of all topics of a broker, reading committed, read on and on."""

    def __init__(self, kafka: str) -> None:
        self._kafka = kafka
        self.records: dict[tuple[str, int], list[Message]] = defaultdict(list)
        self.tables: dict[tuple[str, int], Changelog] = defaultdict(Changelog)

    async def __aenter__(self) -> Self:
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=self._kafka,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=4 << 20,
        )
        await self._consumer.start()
        self._partitions = [TopicPartition(t.name, n) for t in topics.ALL for n in range(t.partitions)]
        self._consumer.assign(self._partitions)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()

    async def read(self) -> None:
        """Read to the ends that there are now. Raises TimeoutError after READ_S."""
        tables = {table.name for table in topics.TABLES}
        async with asyncio.timeout(READ_S):
            ends = await self._consumer.end_offsets(self._partitions)
            while any([await self._consumer.position(p) < ends[p] for p in self._partitions]):
                for partition, found in (await self._consumer.getmany(timeout_ms=100)).items():
                    place = (partition.topic, partition.partition)
                    if partition.topic in tables:
                        self.tables[place].add(found)
                    else:
                        self.records[place] += messages_of(found)

    def of(self, topic: Topic) -> list[Message]:
        """A topic's records, partition by partition."""
        return [message for n in range(topic.partitions) for message in self.records[topic.name, n]]

    def behind(self, stages: Sequence[Stage], sinks: Sequence[Sink], stored: Mapping[tuple[str, int], int]) -> list[str]:
        """What is not done of what was read, a line for each agent's partition; `stored` is (sink, partition) -> its next offset."""
        reached = {
            (stage.name, n): self.tables[stage.table.name, n].steps[-1][1]
            for stage in stages
            for n in range(stage.table.partitions)
            if self.tables[stage.table.name, n].steps
        }
        reached |= {place: offset - 1 for place, offset in stored.items()}
        lines = []
        for agent in (*stages, *sinks):
            for n in range(agent.source.partitions):
                at, records = reached.get((agent.name, n), -1), self.records[agent.source.name, n]
                if records and records[-1].offset != at:
                    lines.append(f"{agent.name} partition {n}: at {at} of {records[-1].offset} on {agent.source.name}")
        return lines
