"""The bench of recovery measures what it says: the rows that were written, all of them, and no others."""

import asyncio

import pytest

from agents.intake.versions import ROW
from streams import topics
from streams.broker import KafkaBroker
from streams.step import OFFSET, Partition
from tests.bench import opening, recovery
from tests.bench.at_least_once import PlainBroker
from tests.bench.process import RunError
from tests.bench.system import kafka_with_topics
from tests.broker.tools import make_topics
from tests.tables.keeping import Keeper, changelog, stage

ASSETS = 3000


@pytest.fixture(scope="module")
def kafka(tmp_path_factory):
    """A broker of its own: other tests read what is in its topics, too."""
    with kafka_with_topics(tmp_path_factory.mktemp("servers")) as address:
        yield address


@pytest.fixture(scope="module")
def written(kafka):
    tables = recovery.make_tables(ASSETS)
    asyncio.run(recovery.write(kafka, tables))
    return tables


def test_the_changelog_has_the_rows_of_intake_in_the_partitions_of_their_assets(kafka, written):
    assert sum(map(len, written)) == ASSETS
    for number, rows in enumerate(written):
        table = asyncio.run(changelog(kafka, topics.INTAKE_TABLE, number, 0))
        assert table.pop(OFFSET) == b"0 0"
        assert table == rows
        assert {len(row) for row in rows.values()} == {ROW.size}


def test_the_hash_is_of_all_rows_and_of_nothing_else(written):
    tables = [list(rows.items()) for rows in written]
    same = [list(reversed(rows)) for rows in tables]
    less = [tables[0][1:], *tables[1:]]
    other = [[(tables[0][0][0], b"other"), *tables[0][1:]], *tables[1:]]
    assert opening.hash_of(same) == opening.hash_of(tables)
    assert len({opening.hash_of(found) for found in (tables, less, other)}) == 3
    one, two = (b"1", b"one"), (b"2", b"two")
    assert opening.hash_of([[one, two], []]) != opening.hash_of([[one], [two]]), "a row is in the partition of its asset"


@pytest.mark.crash
def test_a_worker_with_other_rows_than_were_written_measures_nothing(kafka, written, tmp_path, monkeypatch):
    monkeypatch.setattr(recovery, "ASSETS", ASSETS)
    expected = opening.hash_of(rows.items() for rows in written)
    assert recovery._open(kafka, tmp_path, "rocksdb", 1, expected).open_s > 0
    with pytest.raises(RunError, match="3000 rows"):
        recovery._open(kafka, tmp_path, "local", 1, opening.hash_of([]))


async def test_the_step_at_least_once_is_the_step_without_its_markers(kafka, group, tmp_path):
    keeper = Keeper(kafka, stage(group), tmp_path)
    await make_topics(kafka, keeper.stage.table)
    partition = Partition(keeper.stage, 0, PlainBroker(kafka), "test")
    await partition.open()
    await keeper.step(partition, b"a=1", b"b=1")
    await keeper.step(partition, b"c=1")
    await partition.close()
    records = [record async for chunk in KafkaBroker(kafka).read(keeper.stage.table.name, 0) for record in chunk]
    assert [(record.offset, record.key) for record in records] == list(enumerate([b"a", b"b", OFFSET, b"c", OFFSET]))
