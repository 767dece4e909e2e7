"""The records of a topic as single events by key, however they were put together in messages by Steps of different sizes."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa

from schemas import columns
from schemas.events import BatchProgress, BatchReceived, decode_batch, decode_investment, decode_proposal, decode_rejected, decode_released
from streams import topics
from streams.effects import Headers, Message, Record
from streams.partition import partition_of
from streams.topics import Topic


class Written(NamedTuple):
    """One record on a topic, as an agent wrote it or as it was read."""

    partition: int
    key: bytes | None
    value: bytes
    headers: Headers

    @classmethod
    def read(cls, message: Message) -> "Written":
        return cls(message.partition, message.key, message.value, tuple(message.headers))

    @classmethod
    def by(cls, record: Record) -> "Written":
        partition = partition_of(record.key or b"", record.topic.partitions) if record.partition is None else record.partition
        return cls(partition, record.key, record.value or b"", tuple(record.headers))


class _Subject(msgspec.Struct):
    """Whose a market event is."""

    originator: str = ""
    asset: str = ""
    investor: str = ""
    sell_offer: "_Subject | None" = None  # of what is released; it is written by another agent than the asset's offers


Events = dict[Any, list[Any]]  # key -> events in order
Split = Callable[[Written], Iterator[tuple[Any, Any]]]


def by_key(topic: Topic, written: Iterable[Written]) -> Events:
    """The events on a topic; those of `batches.status` are the sums of each batch's counts, since a Step adds up what it sees."""
    if topic == topics.BATCHES:
        return {batch: sorted(count.items()) for batch, count in counts(written).items()}
    events: Events = defaultdict(list)
    for record in written:
        for key, event in _SPLITS[topic](record):
            events[key].append(event)
    if topic == topics.REJECTED:  # the documents of one Step are refused by reason, not in their order
        return {key: sorted(found) for key, found in events.items()}
    return events


def counts(written: Iterable[Written]) -> dict[str, Counter[str]]:
    """Batch -> outcome -> documents."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for record in written:
        event = decode_batch(record.value)
        if isinstance(event, BatchProgress):
            found[event.batch].update(event.counts)
    return found


def received(written: Iterable[Written]) -> Events:
    """Batch -> what the gateway says that it received of it."""
    found: Events = defaultdict(list)
    for record in written:
        event = decode_batch(record.value)
        if isinstance(event, BatchReceived):
            found[event.batch].append(event)
    return found


def _columns(schema: pa.Schema) -> Split:
    def split(record: Written) -> Iterator[tuple[Any, Any]]:
        for row in columns.decode(record.value, schema).to_pylist():
            yield f"{row['originator_id']}/{row['asset_id']}", (record.partition, *row.values())

    return split


def _market(record: Written) -> Iterator[tuple[Any, Any]]:
    for event in msgspec.json.decode(record.value, type=list[msgspec.Raw]):
        subject = msgspec.json.decode(event, type=_Subject)
        asset = subject.sell_offer or subject
        key = subject.investor or f"{asset.originator}/{asset.asset}"
        yield (record.partition, key if asset is subject else f"released {key}"), bytes(event)


def _investment(record: Written) -> Iterator[tuple[Any, Any]]:
    yield decode_investment(record.value).investment, record


def _proposal(record: Written) -> Iterator[tuple[Any, Any]]:
    yield decode_proposal(record.value).proposal, record


def _released(record: Written) -> Iterator[tuple[Any, Any]]:
    yield decode_released(record.value).proposal, record


def _rejected(record: Written) -> Iterator[tuple[Any, Any]]:
    event = decode_rejected(record.value)
    yield f"{event.originator}/{event.asset}", record


def _keyed(record: Written) -> Iterator[tuple[Any, Any]]:
    """An event with the key of its record; of `assets.ingest` that is what intake has forwarded to an asset's own partition."""
    if record.key is not None:
        yield record.key, record


_SPLITS: dict[Topic, Split] = {
    topics.INGEST: _keyed,
    topics.CHANGED: _columns(columns.CHANGED),
    topics.QUERIED: _columns(columns.CHANGED),
    topics.REJECTED: _rejected,
    topics.REPAYMENTS: _keyed,
    topics.ASSESSED: _columns(columns.ASSESSED),
    topics.OFFERS: _market,
    topics.PROPOSED: _proposal,
    topics.INVESTMENTS: _investment,
    topics.RELEASED: _released,
}
