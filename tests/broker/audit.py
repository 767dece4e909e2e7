"""The check of a run, per key and reading committed: every topic, table and database row against a plain sequential run of the input."""

import asyncio
import time
from collections import Counter, defaultdict
from typing import Any, Self

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from msgspec import Raw, json

from schemas import columns
from schemas.asset import Change
from schemas.events import decode_batch, decode_investment
from streams import topics
from streams.app import discover, messages_of
from streams.broker import KafkaBroker
from streams.effects import Effects, Message, Stage
from streams.settings import load
from streams.step import OFFSET, read_table
from streams.topics import Topic

FLOW = (
    topics.INGEST,
    topics.CHANGED,
    topics.ASSESSED,
    topics.PORTFOLIOS,
    topics.OFFERS,
    topics.INVESTMENTS,
    topics.BATCHES,
    topics.REJECTED,
)


class Logs:
    """All records of the flow's topics, read on and on."""

    def __init__(self, kafka: str) -> None:
        self.kafka = kafka
        self.records: dict[tuple[str, int], list[Message]] = defaultdict(list)

    async def __aenter__(self) -> Self:
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=self.kafka, isolation_level="read_committed", enable_auto_commit=False, auto_offset_reset="earliest"
        )
        await self._consumer.start()
        self._partitions = [TopicPartition(t.name, n) for t in FLOW for n in range(t.partitions)]
        self._consumer.assign(self._partitions)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()

    async def read(self) -> None:
        """Read to the ends that there are now."""
        ends = await self._consumer.end_offsets(self._partitions)
        while any([await self._consumer.position(p) < ends[p] for p in self._partitions]):
            for partition, found in (await self._consumer.getmany(timeout_ms=100)).items():
                self.records[partition.topic, partition.partition] += messages_of(found)

    def of(self, topic: Topic) -> list[Message]:
        return [message for n in range(topic.partitions) for message in self.records[topic.name, n]]

    def last(self, topic: Topic) -> dict[int, int]:
        return {n: self.records[topic.name, n][-1].offset for n in range(topic.partitions) if self.records[topic.name, n]}


async def settled(logs: Logs, postgres: asyncpg.Connection) -> bool:
    """Whether every agent has done all that is in its source."""
    await logs.read()
    stages, sinks = discover(load({}).load_catalog())
    for stage in stages:
        if await table_offsets(logs.kafka, stage) != logs.last(stage.source):
            return False
    for sink in sinks:
        rows = await postgres.fetch("SELECT partition, next_offset FROM sink_offsets WHERE sink = $1 AND next_offset > 0", sink.name)
        if {row["partition"]: row["next_offset"] - 1 for row in rows} != logs.last(sink.source):
            return False
    return True


async def table_offsets(kafka: str, stage: Stage) -> dict[int, int]:
    async def one(number: int) -> int:
        offset = -1
        async for rows in read_table(KafkaBroker(kafka), stage.table, number):
            offset = int(rows.get(OFFSET, b"%d 0" % offset).split()[0])
        return offset

    offsets = await asyncio.gather(*(one(n) for n in range(stage.table.partitions)))
    return {n: offset for n, offset in enumerate(offsets) if offset >= 0}


async def drain(run: Any, logs: Logs, postgres: asyncpg.Connection, limit_s: float = 120) -> float:
    """Wait until everything is done; returns the seconds it took."""
    began = time.monotonic()
    while not await settled(logs, postgres):
        assert time.monotonic() - began < limit_s, f"not done after {limit_s} s; see {run.logs}"
        await run.watch(0.5)
    return time.monotonic() - began


class Findings(Counter[str]):
    """How many keys are wrong, by what is wrong with them; empty if nothing is."""

    def compare(self, what: str, expected: dict[Any, list[Any]], found: dict[Any, list[Any]]) -> None:
        for key in expected.keys() | found.keys():
            want, got = expected.get(key, []), found.get(key, [])
            if want != got:
                lost, twice = Counter(want) - Counter(got), Counter(got) - Counter(want)
                duplicated = sum(n for item, n in twice.items() if item in set(want))
                self[f"{what}: lost"] += lost.total()
                self[f"{what}: duplicated"] += duplicated
                self[f"{what}: diverged"] += twice.total() - duplicated or (not lost and not duplicated)


async def audit(run: Any, logs: Logs, postgres: asyncpg.Connection) -> Findings:
    """Compare everything; nothing is to be found."""
    findings = Findings()
    versions = {key: list(enumerate(digests, 1)) for key, digests in run.expected.items()}
    for topic, schema in ((topics.CHANGED, columns.CHANGED), (topics.ASSESSED, columns.ASSESSED)):
        found: dict[bytes, list[Any]] = defaultdict(list)
        for message in logs.of(topic):
            rows = columns.decode(message.value, schema).select(["originator_id", "asset_id", "version", "digest"]).to_pylist()
            for originator, asset, version, digest in (row.values() for row in rows):
                found[f"{originator}/{asset}".encode()].append((version, digest))
        findings.compare(topic.name, versions, found)
    rows = await postgres.fetch("SELECT originator, asset, version, digest FROM asset_versions ORDER BY version")
    stored: dict[bytes, list[Any]] = defaultdict(list)
    for row in rows:
        stored[f"{row['originator']}/{row['asset']}".encode()].append((row["version"], row["digest"]))
    findings.compare("asset_versions", versions, stored)
    await _investments(findings, logs, postgres)
    _batches(findings, run, logs)
    return findings


async def _investments(findings: Findings, logs: Logs, postgres: asyncpg.Connection) -> None:
    stages = {stage.name: stage for stage in discover(load({}).load_catalog())[0]}
    routed = _replayed(stages["router"], logs, topics.OFFERS)
    placed = _replayed(stages["trader"], logs, topics.OFFERS)
    log = [(message.partition, message.value) for message in logs.of(topics.OFFERS)]
    findings.compare("offers", {0: sorted(_events(routed + placed))}, {0: sorted(_events(log))})
    expected: dict[str, list[bytes]] = defaultdict(list)
    for _, value in _replayed(stages["matcher"], logs, topics.INVESTMENTS):
        expected[decode_investment(value).investment].append(value)
    found: dict[str, list[bytes]] = defaultdict(list)
    for message in logs.of(topics.INVESTMENTS):
        found[decode_investment(message.value).investment].append(message.value)
    findings.compare("investments", expected, found)
    ids = [row["investment"] for row in await postgres.fetch("SELECT investment FROM investments")]
    findings.compare("investments table", {id_: [1] for id_ in expected}, {id_: [1] for id_ in ids})


def _replayed(stage: Stage, logs: Logs, topic: Topic) -> list[tuple[int | None, bytes]]:
    """What a plain sequential run of an agent over its committed input writes to a topic."""
    written: list[tuple[int | None, bytes]] = []
    for number in range(stage.source.partitions):
        state = stage.state()
        for message in logs.records[stage.source.name, number]:
            effects: Effects = stage.compute(state, [message])
            state.apply(effects.rows)
            written += [(r.partition, r.value or b"") for r in effects.records if r.topic == topic]
    return written


def _events(log: list[tuple[int | None, bytes]]) -> list[tuple[int | None, bytes]]:
    """Single events of `offers`, however they were put together in messages."""
    return [(partition, bytes(event)) for partition, value in log for event in json.decode(value, type=list[Raw])]


def _batches(findings: Findings, run: Any, logs: Logs) -> None:
    counted: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    for message in logs.of(topics.BATCHES):
        event = decode_batch(message.value)
        counted[event.batch] += sum(event.counts.values())
        kinds.update(event.counts)
    findings.compare("batches", {b: [n] for b, n in run.sent.items()}, {b: [n] for b, n in counted.items()})
    changed = sum(kinds[change] for change in Change)
    findings.compare("changes counted", {0: [sum(map(len, run.expected.values()))]}, {0: [changed]})
