"""A kept table over closings, kills and the work of others: it reads what it has missed, no more, and is what its changelog says."""

from dataclasses import replace

import pytest
from aiokafka.errors import ProducerFenced

from streams.app import build, discover
from streams.broker import KafkaBroker
from streams.rocks import InUseError, RocksTable, RocksTables
from streams.settings import load
from streams.step import OFFSET, Partition
from tests.broker.tools import make_topics
from tests.tables.keeping import WORKER, Keeper, rows, stage


@pytest.fixture
async def keeper(kafka, group, tmp_path):
    keeper = Keeper(kafka, stage(group), tmp_path)
    await make_topics(kafka, keeper.stage.table)
    return keeper


async def filled(keeper, count=100):
    """A partition with `count` rows from as many Steps of ten."""
    partition = await keeper.open()
    for n in range(0, count, 10):
        await keeper.step(partition, *(b"k%d=%d" % (m, m) for m in range(n, n + 10)))
    return partition


async def test_agents_find_rows_by_get_and_in(keeper):
    partition = await filled(keeper, 10)
    table = partition.state
    assert (table.get(b"k7"), table.get(b"k77"), table.get(b"k77", b"none")) == (b"7", None, b"none")
    assert b"k7" in table
    assert b"k77" not in table
    await partition.close()


async def test_a_table_that_missed_nothing_reads_one_record_to_know_it(keeper):
    first = await filled(keeper)
    assert keeper.records == 0
    await first.close()
    second = await keeper.open()
    assert keeper.records == 1
    assert (second.offset, second.poison) == (99, 0)
    assert rows(second.state) == await keeper.changelog()
    await second.close()


async def test_a_table_that_was_away_reads_what_others_did_meanwhile(keeper):
    await (await filled(keeper)).close()
    await keeper.elsewhere(b"k1=new", b"k2=", b"more=1")
    back = await keeper.open()
    assert keeper.records == 1 + 3 + 1, "the record that it knows, three rows and their offset"
    assert back.offset == 102
    assert (back.state.get(b"k1"), back.state.get(b"more")) == (b"new", b"1")
    assert b"k2" not in back.state
    assert rows(back.state) == await keeper.changelog()
    await keeper.step(back, b"k3=")
    assert b"k3" not in back.state
    await back.close()


async def test_a_kill_between_the_commit_and_the_disk_loses_nothing(keeper, monkeypatch):
    killed = await filled(keeper)

    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(RocksTable, "keep", die)
        with pytest.raises(KeyboardInterrupt):
            await keeper.step(killed, b"k1=new", b"k2=")
    assert killed.state.get(b"k1") == b"1"
    await killed.close()
    again = await keeper.open()
    assert keeper.records == 1 + 2 + 1
    assert again.offset == 101
    assert rows(again.state) == await keeper.changelog()
    await again.close()


async def test_a_step_of_several_record_batches_reaches_the_place_of_its_last(keeper):
    first = await keeper.open()
    await keeper.step(first, *(b"k%d=%s" % (n, bytes([65 + n]) * 300_000) for n in range(9)))
    await first.close()
    second = await keeper.open()
    assert keeper.records == 1
    assert rows(second.state) == await keeper.changelog()
    await second.close()


async def test_an_opening_that_is_cut_is_taken_up_by_the_next(keeper, monkeypatch):
    await keeper.elsewhere(*(b"k%d=1" % n for n in range(1000)))
    take, taken = RocksTable.take, []

    def cut(table, records):
        """The rows without the last Place, as a chunk that ends in the middle of a Step."""
        taken.append(len(records))
        take(table, records[:-1])
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(RocksTable, "take", cut)
        with pytest.raises(KeyboardInterrupt):
            await keeper.open()
    assert taken
    whole = await keeper.open()
    assert keeper.records == 1001
    assert rows(whole.state) == await keeper.changelog()
    await whole.close()


async def test_an_opening_that_fails_leaves_nothing_behind(keeper):
    await (await filled(keeper, 10)).close()

    class Unreadable(KafkaBroker):
        async def read(self, *_):
            raise OSError("gone")
            yield

    partition = Partition(keeper.stage, 0, Unreadable(keeper.kafka), "test", RocksTables(keeper.home, WORKER).open)
    with pytest.raises(OSError, match="gone"):
        await partition.open()
    assert partition._producer._closed
    again = await keeper.open()
    assert keeper.records == 1, "and its table is free, and as it was"
    await again.close()


async def test_a_table_is_open_once(keeper):
    partition = await filled(keeper, 10)
    with pytest.raises(InUseError, match="TRANCHE_WORKER"):
        await keeper.open()
    await partition.close()
    again = await keeper.open()
    assert rows(again.state) == await keeper.changelog()
    await again.close()


async def test_only_the_owner_can_look_into_the_tables(keeper):
    await (await filled(keeper, 10)).close()
    assert (keeper.home / "tables").stat().st_mode & 0o777 == 0o700


async def test_the_reserved_row_is_kept_as_it_is_in_the_changelog(keeper):
    partition = await filled(keeper, 10)
    assert rows(partition.state)[OFFSET] == b"9 0"
    await partition.close()


async def test_a_fenced_holder_keeps_nothing_of_its_last_step(keeper):
    zombie = await filled(keeper, 10)
    holder = Partition(keeper.stage, 0, KafkaBroker(keeper.kafka), "test")
    await holder.open()
    with pytest.raises(ProducerFenced):
        await keeper.step(zombie, b"k1=never committed")
    keeper.offset -= 1
    assert rows(zombie.state) == await keeper.changelog()
    await zombie.close()
    await holder.close()


def test_all_tables_but_the_matchers_books_and_the_lanes_are_kept_where_the_setting_says_so(tmp_path):
    settings = load({"TRANCHE_HOME": str(tmp_path), "TRANCHE_TABLES": "rocksdb"})
    stages, _ = discover(settings.load_catalog())
    for tables, kept in (("rocksdb", {one.name for one in stages} - {"matcher", "assessor"}), ("memory", set())):
        app = build(replace(settings, tables=tables), stages)
        assert {runner.name for runner in app.runners if runner._hold(0).keep} == kept
