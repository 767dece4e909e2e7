"""A kept table that cannot be trusted is thrown away, says why, and is made anew from its changelog: never is it wrong."""

import os
import resource
import shutil

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from rocksdict import Rdict
from structlog.testing import capture_logs

from streams import changelog
from streams.rocks import TornError
from tests.broker.tools import make_topics
from tests.tables.keeping import Keeper, rows, stage

ROWS = 3000


@pytest.fixture
async def keeper(kafka, group, tmp_path):
    """With a table as a kill leaves it: ROWS rows in files, a few more in RocksDB's log alone."""
    keeper = Keeper(kafka, stage(group), tmp_path)
    await make_topics(kafka, keeper.stage.table)
    partition = await keeper.open()
    await keeper.step(partition, *(b"k%d=%s" % (n, os.urandom(50).hex().encode()) for n in range(ROWS)))
    partition.state._rows.flush()
    await keeper.step(partition, b"k1=new", b"k2=", b"more=1")
    as_now = shutil.copytree(keeper.folder, tmp_path / "as now")
    await partition.close()
    shutil.rmtree(keeper.folder)
    as_now.rename(keeper.folder)
    return keeper


async def opened(keeper, **given):
    """The partition, and why its table was thrown away; None if it was not."""
    with capture_logs() as logs:
        partition = await keeper.open(**given)
    return partition, next((line["why"] for line in logs if line["event"] == "table thrown away"), None)


async def made_anew(keeper, **given):
    """Why the table was thrown away; the new one is read from the beginning, right, and found again by the next opening."""
    partition, why = await opened(keeper, **given)
    assert keeper.records > ROWS
    assert rows(partition.state) == await keeper.changelog()
    await keeper.step(partition, b"k4=after")
    await partition.close()
    again, no_more = await opened(keeper, **given)
    assert (again.state.get(b"k4"), no_more, keeper.records) == (b"after", None, 1)
    await again.close()
    return why


def file(keeper, pattern):
    """The largest file of the table that is named so."""
    return max(keeper.folder.glob(pattern), key=lambda path: path.stat().st_size)


def cut(path):
    os.truncate(path, path.stat().st_size // 2)


def garble(path):
    path.write_bytes(os.urandom(path.stat().st_size))


DAMAGE = {
    "no CURRENT": lambda keeper: (keeper.folder / "CURRENT").unlink(),
    "a garbled CURRENT": lambda keeper: garble(keeper.folder / "CURRENT"),
    "a cut manifest": lambda keeper: cut(file(keeper, "MANIFEST-*")),
    "a garbled manifest": lambda keeper: garble(file(keeper, "MANIFEST-*")),
    "a cut file": lambda keeper: cut(file(keeper, "*.sst")),
    "a garbled file": lambda keeper: garble(file(keeper, "*.sst")),
    "a file gone": lambda keeper: file(keeper, "*.sst").unlink(),
    "an empty folder": lambda keeper: [path.unlink() for path in keeper.folder.iterdir()],
}


@pytest.mark.parametrize("damage", DAMAGE)
async def test_a_torn_table_is_made_anew(keeper, damage):
    DAMAGE[damage](keeper)
    assert "torn" in await made_anew(keeper)


@pytest.mark.parametrize("damage", [cut, garble, os.unlink])
async def test_a_damaged_log_of_rocksdb_costs_its_rows_only_and_they_are_read_again(keeper, damage):
    damage(file(keeper, "*.log"))
    partition, why = await opened(keeper)
    assert (why, keeper.records) == (None, 1 + 3 + 1), "the rows in files are kept, those of the log are the changelog's"
    assert rows(partition.state) == await keeper.changelog()
    await partition.close()


@pytest.mark.parametrize("row", [b"\0place", b"\0name", b"\0offset"])
@pytest.mark.parametrize("value", [None, b"no number"])
async def test_a_table_whose_own_rows_cannot_be_read_is_made_anew(keeper, row, value):
    with_row = Rdict(str(keeper.folder))
    if value is None:
        del with_row[row]
    else:
        with_row[row] = value
    with_row.close()
    assert "it is" in await made_anew(keeper)


async def test_the_table_of_another_worker_is_made_anew(keeper):
    shutil.copytree(keeper.home / "tables" / "worker-1", keeper.home / "tables" / "worker-2")
    assert "of b'1 worker-1 test.keeper.0" in await made_anew(keeper, worker="worker-2")


async def test_a_table_ahead_of_its_changelog_is_made_anew(keeper):
    partition, _ = await opened(keeper)
    place = partition.state.place
    partition.state.keep({b"k1": b"never committed"}, place._replace(offset=place.offset + 100))
    await partition.close()
    assert "has no such record" in await made_anew(keeper)


async def test_a_table_of_a_changelog_that_was_deleted_and_made_again_is_made_anew(keeper, kafka):
    place = (await opened(keeper))[0]
    at = place.state.place.offset
    await place.close()
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.delete_topics([keeper.stage.table.name])
    while keeper.stage.table.name in await admin.list_topics():
        pass
    await admin.close()
    await make_topics(kafka, keeper.stage.table)
    keeper.offset = 0
    await keeper.elsewhere(*(b"k%d=other" % n for n in range(ROWS)))
    await keeper.elsewhere(b"k1=other", b"k2=other", b"more=other")
    partition, why = await opened(keeper)
    assert (partition.state.place.offset, partition.state.place.row) == (at, b"%d 0" % (ROWS + 2)), "in all but its time it is the same"
    assert "has no such record" in why
    assert rows(partition.state) == await keeper.changelog()
    await partition.close()


async def test_a_table_whose_last_record_was_compacted_away_is_made_anew(keeper, kafka):
    await keeper.elsewhere(*(b"k%d=later" % n for n in range(ROWS + 10)))
    partition = TopicPartition(keeper.stage.table.name, 0)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, partition.topic, {"cleanup.policy": "compact,delete"})])
    await admin.delete_records({partition: RecordsToDelete(before_offset=ROWS + 7)})  # what compaction leaves where all keys came again
    await admin.close()
    assert "has no such record" in await made_anew(keeper)


async def test_a_table_that_was_away_for_longer_than_deletions_are_kept_is_made_anew(keeper, monkeypatch):
    await keeper.elsewhere(b"k5=")
    monkeypatch.setattr(changelog, "BEHIND_MS_MAX", 0)
    partition, why = await opened(keeper)
    assert "deletions" in why
    assert rows(partition.state) == await keeper.changelog()
    await partition.close()


async def test_an_old_table_that_missed_nothing_is_kept(keeper, monkeypatch):
    monkeypatch.setattr(changelog, "BEHIND_MS_MAX", 0)
    partition, why = await opened(keeper)
    assert (why, keeper.records) == (None, 1)
    await partition.close()


async def test_damage_that_a_read_finds_stops_the_partition_once(keeper):
    path = file(keeper, "*.sst")
    whole = bytearray(path.read_bytes())
    whole[20_000:60_000] = os.urandom(40_000)  # rows: those that an opening reads are at the beginning, what lists them at the end
    path.write_bytes(whole)
    partition, why = await opened(keeper)
    assert why is None, "opening does not read all rows"
    with pytest.raises(TornError, match="made anew"):
        [partition.state.get(b"k%d" % n) for n in range(ROWS)]
    await partition.close()
    assert await made_anew(keeper) is None


async def test_a_disk_that_takes_no_more_stops_the_partition_once(keeper):
    partition, _ = await opened(keeper)
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, unlimited[1]))
    try:
        with pytest.raises(TornError, match="made anew"):
            await keeper.step(partition, b"k1=" + os.urandom(80_000).hex().encode())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    await partition.close()
    assert await made_anew(keeper) is None
