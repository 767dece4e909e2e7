"""Intake, assessor and merger in one process: what a real delivery does to intake's table and to the database."""

from collections import Counter, defaultdict
from struct import pack

from agents.assessor.agent import stages as assessors
from agents.intake.agent import take_in
from agents.merger.agent import sinks
from schemas.events import decode_batch, decode_rejected
from streams import topics
from streams.effects import Message, Table
from streams.frames import identify, split
from streams.partition import asset_key, partition_of
from streams.store import Store
from tests.database import feed
from tests.rows import CATALOG

ASSESSOR, _ = assessors(CATALOG)
SINKS = {sink.source: sink for sink in sinks(CATALOG)}


class System:
    """`tables` has a table a partition, as the workers do. Only bluebird delivers."""

    def __init__(self, dsn: str = "") -> None:
        self.tables = defaultdict(Table)
        self._dsn = dsn
        self._offsets = Counter()

    @property
    def table(self) -> dict[bytes, bytes]:
        return {key: row for table in self.tables.values() for key, row in table.items()}

    def deliver(self, book: bytes):
        """Intake takes a book. Its counts by outcome, its rejections in order, and its records."""
        homes, at = defaultdict(list), 0
        for document in split(book)[0]:
            key = asset_key(b"bluebird", identify(document).asset or b"")
            homes[partition_of(key[:200], topics.INGEST.partitions)].append((at, document))
            at += len(document)
        records = [record for home, found in sorted(homes.items()) for record in self._take_in(home, found)]
        counts = Counter()
        for record in records:
            if record.topic is topics.BATCHES:
                counts.update(decode_batch(record.value).counts)
        rejected = [decode_rejected(record.value) for record in records if record.topic is topics.REJECTED]
        return counts, sorted(rejected, key=lambda one: one.position), records

    async def settle(self, book: bytes):
        """`deliver`, until the versions are in the database."""
        counts, rejected, records = self.deliver(book)
        changed = [self._message(topics.CHANGED, record) for record in records if record.topic is topics.CHANGED]
        assessed = [self._message(topics.ASSESSED, record) for record in ASSESSOR.compute(None, changed).records]
        store = Store(self._dsn)
        for message in assessed:
            await feed(store, SINKS[topics.ASSESSED], [message])
        await store.close()
        return counts, rejected

    def _take_in(self, home, found):
        positions = pack(f"<{len(found)}Q", *(position for position, _ in found))
        headers = (("originator", b"bluebird"), ("batch", b"bluebird.1"), ("positions", positions))
        value = b"".join(document for _, document in found)
        effects = take_in(CATALOG, self.tables[home], [Message("assets.ingest", home, 0, 0, None, value, headers)])
        self.tables[home].apply(effects.rows)
        return effects.records

    def _message(self, topic, record):
        self._offsets[topic, record.partition] += 1
        return Message(topic.name, record.partition, self._offsets[topic, record.partition], 0, None, record.value, ())
