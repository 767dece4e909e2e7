"""The check finds nothing in a sound run, and each thing that is wrong with one: lost, duplicated or diverged."""

from copy import deepcopy

import asyncpg
import pytest
from msgspec import structs

from agents.confirmer.outcomes import released
from schemas.events import BatchReceived, Bucket, Portfolio, decode_proposal, encode
from schemas.service import Service
from streams import topics
from streams.app import discover
from streams.effects import Message, Record
from streams.partition import asset_key, partition_of
from streams.store import Store
from streams.topics import Topic
from tests.audit.check import CHECKED, check, check_logs
from tests.audit.database import check as check_database
from tests.audit.database import feed
from tests.audit.findings import Findings
from tests.audit.logs import Changelog, Logs
from tests.audit.replay import replay
from tests.audit.sent import Sent
from tests.chaos.books import Book, Document
from tests.loans import encoded
from tests.rows import CATALOG

EUR = "consumer-loan-eur"
SERVICE = Service(
    url="http://nobody/", predicts="classification", fallback="built_in", lane=5
)  # is not asked: so the built-in models assess
PRODUCTS = {**CATALOG.products, EUR: structs.replace(CATALOG.products[EUR], service=SERVICE)}
STAGES, SINKS = discover(structs.replace(CATALOG, products=PRODUCTS))
ORDER = ("intake", "assessor", "assessor.queried", "router", "trader", "matcher", "confirmer")


class Run:
    """A small run that never had a fault: its logs, and what was sent."""

    def __init__(self) -> None:
        self.logs, self.sent = Logs(""), Sent()
        book = Book("seed", "bluebird", 12)
        for number in range(3):
            self._deliver(f"bluebird.{number}", book.file(8, refusable=True, straying=True))
        euros = [encoded(f"E{n}", product=EUR, currency="EUR") for n in range(4)]
        self._deliver("bluebird.3", [Document(f"E{n}", data) for n, data in enumerate(euros)])
        self._place()
        for stage in sorted(STAGES, key=lambda stage: ORDER.index(stage.name)):
            self._do(stage)

    def _deliver(self, batch, documents) -> None:
        headers = (("originator", b"bluebird"), ("batch", batch.encode()))
        for document in documents:
            if document.refusable:
                self.sent.refusable.add(f"bluebird/{document.asset}")
            else:
                self.sent.version("bluebird", document.asset, document.data)
            home = partition_of(asset_key(b"bluebird", document.asset.encode()), topics.INGEST.partitions)
            partition = (home + document.strayed) % topics.INGEST.partitions
            self._append(Record(topics.INGEST, None, document.data, partition, headers))
        self.sent.uploads[batch] = len(documents)
        self._append(Record(topics.BATCHES, batch.encode(), encode(BatchReceived(batch, "bluebird", len(documents), 1, ""))))

    def _place(self) -> None:
        for n in range(5):
            portfolio = Portfolio("main", f"ada-{n}", 1, "USD", 1000_00, (Bucket("any", 100),), 90_00)
            self._append(Record(topics.PORTFOLIOS, portfolio.investor.encode(), encode(portfolio)))
            self.sent.portfolios[encode(portfolio)] += 1

    def _do(self, stage) -> None:
        """An agent's work; intake's input is whole when what it forwards to itself is there too."""
        if stage.source == topics.INGEST:
            for record in replay([stage], self.logs).written[topics.INGEST.name]:
                self._append(Record(topics.INGEST, *record[1:3], record.partition, record.headers))
        found = replay([stage], self.logs)
        for topic in topics.FLOW:
            for record in found.written[topic.name] if topic != topics.INGEST else ():
                self._append(Record(topic, *record[1:3], record.partition, record.headers))
        for place, rows in found.rows.items():
            self.logs.tables[place] = Changelog(rows)

    def _append(self, record: Record) -> None:
        partition = partition_of(record.key or b"", record.topic.partitions) if record.partition is None else record.partition
        log = self.logs.records[record.topic.name, partition]
        log.append(Message(record.topic.name, partition, len(log), 1_700_000_000_000, record.key, record.value or b"", record.headers))


def found(run: Run) -> Findings:
    findings = Findings()
    check_logs(run.sent, run.logs, STAGES, findings)
    return findings


def place_of(run: Run, topic: Topic) -> list[Message]:
    """The partition of a topic with most records; of `assets.ingest` with most that were forwarded."""
    logs = [run.logs.records[topic.name, n] for n in range(topic.partitions)]
    return max(logs, key=lambda log: sum(message.key is not None for message in log) if topic == topics.INGEST else len(log))


def lose(run: Run, topic: Topic) -> None:
    place_of(run, topic).pop()


def double(run: Run, topic: Topic) -> None:
    log = place_of(run, topic)
    log.append(log[-1]._replace(offset=log[-1].offset + 1))


def move(run: Run, topic: Topic) -> None:
    """To another partition, where it does not belong."""
    message = place_of(run, topic).pop()
    partition = (message.partition + 1) % topic.partitions
    log = run.logs.records[topic.name, partition]
    log.append(message._replace(partition=partition, offset=len(log)))


WRITTEN = [topic for topic in CHECKED if topic != topics.RELEASED]  # nobody is asked, so nothing is released
WRONG = [
    *((lose, "lost", topic) for topic in WRITTEN),
    *((double, "duplicated", topic) for topic in WRITTEN if topic != topics.BATCHES),
    (double, "diverged", topics.BATCHES),
    *((move, "diverged", topic) for topic in WRITTEN if topic != topics.BATCHES),
]


@pytest.fixture(scope="module")
def sound() -> Run:
    return Run()


def test_a_sound_run_has_events_everywhere_and_nothing_is_found(sound):
    assert all(sound.logs.of(topic) for topic in WRITTEN)
    assert not found(sound)


def test_a_release_that_nobody_decided_is_found(sound):
    run = deepcopy(sound)
    proposal = decode_proposal(place_of(run, topics.PROPOSED)[0].value)
    run._append(Record(topics.RELEASED, b"bluebird", encode(released(proposal, "declined"))))
    assert found(run)["investments.released: diverged"]


@pytest.mark.parametrize(("harm", "kind", "topic"), WRONG, ids=lambda value: getattr(value, "name", getattr(value, "__name__", value)))
def test_a_record_that_is_lost_or_doubled_or_elsewhere_is_found_on_its_topic(sound, harm, kind, topic):
    run = deepcopy(sound)
    harm(run, topic)
    assert found(run)[f"{topic.name}: {kind}"]


@pytest.mark.parametrize("table", topics.TABLES, ids=lambda table: table.name)
def test_a_table_that_lacks_a_row_or_has_another_is_found(sound, table):
    for value, kind in ((None, "lost"), (b"other", "diverged")):
        run = deepcopy(sound)
        rows = next((log.rows for (name, _), log in run.logs.tables.items() if name == table.name and log.rows), None)
        if rows is None:
            assert table in {topics.QUERIED_TABLE, topics.CONFIRMER_TABLE}, "they alone keep nothing"
            rows = run.logs.tables[table.name, 0].rows
            rows[b"new"] = b"row"
            assert found(run)[f"{table.name}: diverged"]
            return
        rows.apply({next(iter(rows)): value})
        assert found(run)[f"{table.name}: {kind}"]


def test_what_never_arrived_is_found_though_all_that_arrived_is_sound(sound):
    run = deepcopy(sound)
    run.sent.version("bluebird", "A1", b"a document that nobody has seen")
    run.sent.refusable.add("bluebird/B99")
    run.sent.portfolios[b"{}"] += 1
    run.sent.uploads["bluebird.9"] = 3
    run.sent.produced["bluebird.10"] = (3, 1)
    for what in ("versions of the input", "portfolios of the input", "refusals of the input", "uploads received", "batches counted"):
        assert found(run)[f"{what}: lost"], what


def test_a_batch_that_is_counted_more_often_than_it_was_sent_is_found(sound):
    for times, expected in ((1, 1), (2, 0)):
        run = deepcopy(sound)
        run.sent.produced["bluebird.1"] = (run.sent.uploads.pop("bluebird.1") - 1, times)
        assert found(run)["batches counted: duplicated"] == expected


async def test_a_sound_database_has_nothing_to_find(sound, database):
    await feed(Store(database), SINKS, sound.logs)
    assert not await check(sound.sent, sound.logs, database, STAGES, SINKS)


@pytest.mark.parametrize(
    ("table", "harm", "kind"),
    [
        ("asset_versions", "DELETE FROM asset_versions WHERE version = 2", "lost"),
        ("asset_versions", "UPDATE asset_versions SET score = score + 1 WHERE version = 2", "diverged"),
        ("batches", "UPDATE batches SET created = created + 1", "diverged"),
        ("rejections", "DELETE FROM rejections", "lost"),
        ("rejections", "UPDATE rejections SET reason = ''", "diverged"),
        ("investments", "DELETE FROM investments", "lost"),
        ("investments", "UPDATE investments SET amount_cents = amount_cents + 1", "diverged"),
        ("portfolios", "UPDATE portfolios SET version = version + 1", "diverged"),
        ("sink_offsets", "UPDATE sink_offsets SET next_offset = next_offset + 1", "diverged"),
    ],
)
async def test_a_row_of_the_database_that_is_lost_or_wrong_is_found(sound, database, table, harm, kind):
    await feed(Store(database), SINKS, sound.logs)
    connection = await asyncpg.connect(database)
    await connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL; {harm}")
    await connection.close()
    findings = Findings()
    await check_database(database, SINKS, sound.logs, findings)
    assert findings[f"PostgreSQL {table}: {kind}"]
