"""The check of one simulation: every topic, table and sink against a plain sequential run, per key.

Where the order of a log is chance (two partitions write to it), the log's own order is taken as given, and that it holds exactly what it
is to hold is checked against its writers. So the chain is closed: `assets.ingest` against what was delivered and forwarded, each
agent's output against a sequential run over its committed source, from the input to `investments` and the sinks.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING, Any

from msgspec import Raw, json

from agents.merger import batches
from schemas import columns
from schemas.events import decode_batch
from schemas.published import NotTakenError, Products
from streams import topics
from streams.changelog import parse
from streams.effects import Copy, Effects, Execute, Message, Record, Sink, Stage
from streams.partition import partition_of
from streams.step import OFFSET
from streams.topics import Topic
from streams.transport import messages_of
from tests.audit.findings import Findings
from tests.simulation.broker import Cluster

if TYPE_CHECKING:
    from tests.simulation.world import World

SCHEMAS = {topics.CHANGED.name: columns.CHANGED, topics.QUERIED.name: columns.CHANGED, topics.ASSESSED.name: columns.ASSESSED}
Items = dict[Any, list[Any]]  # by key, in their order


def committed(cluster: Cluster, topic: Topic, number: int) -> list[Message]:
    """What a reader of committed records got of a partition since its beginning, in order."""
    return messages_of(cluster.logs[topic.name, number].history())


def last(cluster: Cluster, topic: str, number: int) -> int:
    """The offset of a partition's last committed record, -1 if there is none."""
    return max((entry.offset for entry in cluster.logs[topic, number].history()), default=-1)


def reached(cluster: Cluster, stage: Stage, number: int) -> int:
    """The source offset that a stage's table includes."""
    rows = [entry.value for entry in cluster.logs[stage.table.name, number].history() if entry.key == OFFSET]
    return int((rows[-1] or b"").split()[0]) if rows else -1


def check(world: "World") -> Findings:
    """Compare everything; nothing is to be found."""
    findings = Findings()
    cluster = world.servers.cluster
    written: list[Record] = []
    _know(world.products, cluster)
    for stage in world.stages:
        for number in range(stage.source.partitions):
            source = committed(cluster, stage.source, number)
            effects = _sequential(findings, world, stage, number, source) if source else Effects()
            written += effects.records
            _tables(findings, world, stage, number, effects)
    _topics(findings, world, written)
    for sink in world.sinks:
        _sink(findings, world, sink)
    return findings


def _know(products: Products, cluster: Cluster, end: int | None = None) -> Products:
    """Take in what is published, up to `end`, without."""
    for message in committed(cluster, topics.PRODUCTS, 0):
        if end is None or message.offset < end:
            with suppress(NotTakenError):
                products.take(message.offset, message.timestamp_ms, message.key, message.value, topics.MARKETS)
    return products


def _sequential(findings: Findings, world: "World", stage: Stage, number: int, source: Sequence[Message]) -> Effects:
    if stage.by_newest:
        return _by_newest(findings, world, stage, number, source)
    asked = {"answers": world.originators.answers(stage.questions(source))} if stage.questions else {}
    return stage.compute(stage.state(), source, **asked)


def _by_newest(findings: Findings, world: "World", stage: Stage, number: int, source: Sequence[Message]) -> Effects:
    """What a stage does that may decide by newer products from any Step on: where it did is its table's to say, and never to go back."""
    log, whole, state, start = world.servers.cluster.logs[stage.table.name, number], Effects(), stage.state(), 0
    steps = [parse(entry.value or b"") for entry in log.whole() if entry.key == OFFSET]
    decided = [products for _, _, products in steps]
    findings.compare(f"{stage.name} goes by products", {number: sorted(decided)}, {number: decided})
    for products, some in groupby(steps, key=lambda step: step[2]):
        end = list(some)[-1][0] + 1
        known = _know(Products(), world.servers.cluster, products + 1)
        (same,) = (one for one in world.make(known)[0] if one.name == stage.name)
        messages = [message for message in source if start <= message.offset < end]
        effects, start = same.compute(state, messages), end
        state.apply(effects.rows)
        whole.records += effects.records
        whole.rows |= effects.rows
    return whole


def _tables(findings: Findings, world: "World", stage: Stage, number: int, effects: Effects) -> None:
    """The changelog, and the state in memory of whoever holds the partition, against the rows of the sequential run."""
    cluster = world.servers.cluster
    log = cluster.logs[stage.table.name, number]
    rows: dict[bytes, bytes | None] = {}
    for entry in log.history():
        assert entry.key is not None
        rows[entry.key] = entry.value
    reached_ = int((rows.pop(OFFSET, None) or b"-1 0").split()[0])
    findings.compare(f"{stage.table.name} offset", {number: [last(cluster, stage.source.name, number)]}, {number: [reached_]})
    expected = {key: [value] for key, value in effects.rows.items() if value is not None}
    findings.compare(stage.table.name, expected, {key: [value] for key, value in rows.items() if value is not None})
    for worker in world.alive():
        for runner in worker.front.runners:
            held = runner.held.get(number)
            current = (stage.source.name, number) in worker.front.assignment
            if runner.name == stage.name and current and isinstance(held.state if held else None, dict):
                findings.compare(f"{stage.name} in memory", expected, {key: [value] for key, value in held.state.items()})


def _topics(findings: Findings, world: "World", written: Sequence[Record]) -> None:
    """Every topic against what was delivered from outside and what its writers were to write."""
    cluster = world.servers.cluster
    expected: dict[str, list[tuple[int, bytes | None, bytes]]] = defaultdict(list)
    for one in world.given.deliveries:
        expected[one.topic].append((one.partition, one.key, one.value))
    for record in written:
        number = record.partition if record.partition is not None else partition_of(record.key or b"", record.topic.partitions)
        expected[record.topic.name].append((number, record.key, record.value or b""))
    for topic in topics.FLOW:
        found = [(n, message.key, message.value) for n in range(topic.partitions) for message in committed(cluster, topic, n)]
        findings.compare(topic.name, _items(topic, expected[topic.name]), _items(topic, found))


@lru_cache(256)
def _versions(topic: str, value: bytes) -> list[tuple[tuple[str, str], tuple[Any, ...]]]:
    """The rows of one message of columns, each with its asset. What was expected and what was found are most often the same bytes."""
    rows = columns.decode(value, SCHEMAS[topic])
    whole = zip(*(column.to_pylist() for column in rows.columns), strict=True)
    assets = zip(rows["originator_id"].to_pylist(), rows["asset_id"].to_pylist(), strict=True)
    return list(zip(assets, whole, strict=True))


def _items(topic: Topic, records: Iterable[tuple[int, bytes | None, bytes]]) -> Items:
    """Records as what they say, by key, however they were put together in messages."""
    items: Items = defaultdict(list)
    for number, key, value in records:
        if topic.name in SCHEMAS:
            for asset, row in _versions(topic.name, value):
                items[number, asset].append(row)
        elif topic is topics.OFFERS:
            items[number] += [bytes(event) for event in json.decode(value, type=list[Raw])]
        elif topic is topics.BATCHES:
            event = decode_batch(value)
            items[number, key, event.originator] += [outcome for outcome, n in event.counts.items() for _ in range(n)]
        else:
            items[number, key].append(value)
    if topic in (
        topics.INGEST,
        topics.OFFERS,
        topics.BATCHES,
        topics.REJECTED,
        topics.INVESTMENTS,
    ):  # several partitions write to one: any order
        return {place: sorted(found) for place, found in items.items()}
    return items


def _sink(findings: Findings, world: "World", sink: Sink) -> None:
    """What the database has committed against one sequential run over the source, and the offsets without gap or overlap."""
    for number in range(sink.source.partitions):
        key = (sink.name, sink.source.name, number)
        source = committed(world.servers.cluster, sink.source, number)
        transactions = [one for one in world.servers.database.committed if one.key == key]
        expected = _rows(sink.compute(source)) if source else {}
        found = _rows([statement for one in transactions for statement in one.statements])
        findings.compare(sink.name, expected, found)
        offsets = [0, *(one.next_offset for one in transactions)]
        findings.compare(f"{sink.name} offsets", {number: offsets[:-1]}, {number: [one.expected for one in transactions]})


def _rows(statements: Iterable[Copy | Execute]) -> Items:
    """Rows by table; the batches' as sums, the portfolios' as arguments."""
    items: Items = defaultdict(list)
    for statement in statements:
        if isinstance(statement, Copy):
            items[statement.table] += statement.csv.splitlines()
        elif " INTO portfolios " in statement.sql:
            items[statement.sql] += statement.arguments
        else:
            for batch, originator, first, last_, *counts in statement.arguments:
                items[statement.sql, batch, originator, "times"] += [first, last_]
                for outcome, n in zip(batches.OUTCOMES, counts, strict=True):
                    items[statement.sql, batch, originator, outcome] += [outcome] * n
    return {key: [min(found), max(found)] if key[-1] == "times" else found for key, found in items.items()}
