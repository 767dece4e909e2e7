import asyncio
import random
from time import monotonic

import asyncpg
import pytest

from streams import store as module
from streams.effects import Copy, Execute
from streams.store import Fenced, Store
from tests.database import Proxy

KEY = ("a sink", "a topic", 3)


@pytest.fixture
async def written(sql):
    """A table to write to, and what is in it, in order."""
    await sql.execute("CREATE TABLE written (source_offset bigint, word text)")

    async def read() -> list[tuple]:
        return [tuple(row) for row in await sql.fetch("SELECT source_offset, word FROM written ORDER BY 1, 2")]

    return read


def insert(*offsets: int) -> list[Execute]:
    return [Execute("INSERT INTO written VALUES ($1, $2)", [(offset, "x") for offset in offsets])]


async def test_a_partition_starts_at_zero_and_goes_on_where_it_was(store, written):
    assert await store.next_offset(*KEY) == 0
    await store.write(*KEY, 0, 5, insert(4))
    await store.write(*KEY, 5, 9, insert(8))
    assert await store.next_offset(*KEY) == 9
    assert await store.next_offset("a sink", "a topic", 4) == 0
    assert await written() == [(4, "x"), (8, "x")]


async def test_copies_and_statements_run_in_their_order(store, written):
    await store.next_offset(*KEY)
    update = Execute("UPDATE written SET word = $2 WHERE source_offset = $1", [(1, "late")])
    await store.write(*KEY, 0, 3, [Copy("written", ("word", "source_offset"), b'"a,""b",1\n,2\n"",3\n'), update])
    assert await written() == [(1, "late"), (2, None), (3, "")]


async def test_a_disk_that_is_full_for_a_moment_is_waited_out(store, sql, written):
    await sql.execute("""
        CREATE SEQUENCE tries;
        CREATE FUNCTION full_twice() RETURNS void LANGUAGE plpgsql AS
            $$ BEGIN IF nextval('tries') < 3 THEN RAISE 'no room' USING ERRCODE = 'disk_full'; END IF; END $$""")
    await store.next_offset(*KEY)
    await store.write(*KEY, 0, 5, [*insert(1), Execute("SELECT full_twice() WHERE $1", [(True,)])])
    assert await written() == [(1, "x")]


async def test_a_statement_that_fails_leaves_neither_rows_nor_offset(store, written):
    await store.next_offset(*KEY)
    started = monotonic()
    with pytest.raises(asyncpg.UndefinedTableError):
        await store.write(*KEY, 0, 5, [*insert(1), Execute("INSERT INTO nowhere VALUES ($1)", [(1,)])])
    assert monotonic() - started < 1, "a fault that stays is not tried again"
    assert await written() == []
    assert await store.next_offset(*KEY) == 0


async def test_whoever_opens_fences_the_earlier_writer(store, database, written):
    successor = Store(database)
    await store.next_offset(*KEY)
    await store.write(*KEY, 0, 1, insert(0))
    assert await successor.next_offset(*KEY) == 1
    with pytest.raises(Fenced, match=r"a sink a topic-3: expected .*\(1, 1\), found \(1, 2\)"):
        await store.write(*KEY, 1, 2, insert(1))
    await successor.write(*KEY, 1, 2, insert(1))
    await successor.close()
    assert await written() == [(0, "x"), (1, "x")]


async def test_a_writer_that_expects_another_offset_is_fenced(store, written):
    await store.next_offset(*KEY)
    with pytest.raises(Fenced):
        await store.write(*KEY, 1, 2, insert(1))
    await store.write(*KEY, 0, 1, insert(0))
    with pytest.raises(Fenced):
        await store.write(*KEY, 0, 1, insert(0))
    assert await written() == [(0, "x")]


async def test_a_partition_that_was_not_opened_is_not_written(store):
    with pytest.raises(Fenced, match="call next_offset first"):
        await store.write(*KEY, 0, 1, [])


@pytest.mark.parametrize("cut", ["cut", "cut after"])
async def test_a_commit_whose_answer_is_lost_is_written_once(database, written, cut):
    verdicts = []

    def judge(data: bytes) -> str:
        if b"COMMIT" not in data:
            return "pass"
        verdicts.append(cut if not verdicts else "pass")
        return verdicts[-1]

    async with Proxy(database, judge) as proxy:
        store = Store(proxy.dsn)
        await store.next_offset(*KEY)
        await store.write(*KEY, 0, 5, insert(4))
        await store.write(*KEY, 5, 6, insert(5))
        await store.close()
    assert verdicts[0] == cut
    assert len(verdicts) == 3  # the second try of the first write ends without rows in one case, with them in the other
    assert await written() == [(4, "x"), (5, "x")]


async def test_connections_lost_at_any_moment_lose_nothing_and_repeat_nothing(database, written):
    moments = random.Random(5)
    cuts = 0

    def judge(_: bytes) -> str:
        nonlocal cuts
        verdict = moments.choices(["pass", "cut", "cut after"], [40, 1, 1])[0]
        cuts += verdict != "pass"
        return verdict

    async with Proxy(database, judge) as proxy:
        store = Store(proxy.dsn)
        assert await store.next_offset(*KEY) == 0
        for offset in range(40):
            await store.write(*KEY, offset, offset + 1, [*insert(offset), Copy("written", ("source_offset", "word"), b"%d,c\n" % offset)])
        proxy.judge = lambda _: "pass"
        await store.close()
    assert cuts > 5
    assert await written() == [(offset, word) for offset in range(40) for word in "cx"]


async def test_a_database_that_is_away_for_a_moment_is_waited_for(database, written):
    async with Proxy(database, lambda _: "pass") as proxy:
        store = Store(proxy.dsn)
        await proxy.__aexit__()
        opening = asyncio.create_task(store.next_offset(*KEY))
        await asyncio.sleep(0.3)
        assert not opening.done()
        await proxy.listen(proxy.port)
        assert await opening == 0
        await store.close()


async def test_a_database_that_stays_away_is_a_fault_after_the_limit(database, monkeypatch):
    monkeypatch.setattr(module, "LIMIT_S", 0.5)
    async with Proxy(database, lambda _: "cut") as proxy:
        store = Store(proxy.dsn)
        with pytest.raises((OSError, asyncpg.PostgresError)):
            await store.next_offset(*KEY)
        await store.close()


async def test_an_earlier_writer_paused_inside_its_transaction_is_ended(store, database, written):
    paused = await asyncpg.connect(database)
    await store.next_offset(*KEY)
    reached = asyncio.Event()

    async def rows():
        yield b"1,half\n"
        reached.set()
        await asyncio.Event().wait()

    async def hold() -> None:
        async with paused.transaction():
            await paused.execute("UPDATE sink_offsets SET next_offset = 99")
            await paused.copy_to_table("written", source=rows(), format="csv")

    holding = asyncio.create_task(hold())
    await reached.wait()
    started = monotonic()
    assert await store.next_offset(*KEY) == 0
    assert monotonic() - started < 3 * module.LOCK_S
    await store.write(*KEY, 0, 1, insert(0))
    holding.cancel()
    paused.terminate()
    assert await written() == [(0, "x")]
