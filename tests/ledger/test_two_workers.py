"""Two workers that post at once, each on a connection of its own: they wait for each other, and nothing is lost or doubled."""

import asyncio
import random

import asyncpg
import pytest

from agents.ledger.instructions import plan
from streams.ledger.audit import audit
from streams.ledger.desk import Desk
from streams.ledger.posting import Ledger
from tests.ledger.told import balances, deposit, hold, investor, originator, release, repay, rules, settle


@pytest.fixture
async def two(ledger_database, sql):
    connections = [await asyncpg.connect(ledger_database) for _ in range(2)]
    yield [Desk(connection) for connection in connections]
    for connection in connections:
        await connection.close()


async def test_nothing_deadlocks_and_no_update_is_lost(two, sql):
    names = [f"i{number}" for number in range(20)]
    await two[0].take([investor(name) for name in names])

    async def work(desk, worker):
        order = random.Random(worker)
        for batch in range(15):
            some = order.sample(names, 12)  # the accounts in another order each time
            answers = await desk.take([deposit(f"{worker}-{batch}-{name}", name, 10) for name in some])
            answers += await desk.take([hold(f"{worker}-{batch}-{name}", name, 7) for name in reversed(some)])
            answers += await desk.take([release(f"{worker}-{batch}-{name}", f"{worker}-{batch}-{name}", name, 3) for name in some])
            assert rules(answers) == [""] * 36

    await asyncio.wait_for(asyncio.gather(work(two[0], 0), work(two[1], 1)), 60)
    found = await balances(sql)
    assert found["bank"] == -2 * 15 * 12 * 10
    assert sum(cents for name, cents in found.items() if name.startswith("hold/")) == 2 * 15 * 12 * 4
    assert (await audit(sql)).sound


async def test_the_same_instruction_by_both_at_once_is_booked_once(two, sql):
    await two[0].take([investor(), originator(), deposit(), hold()])
    both = [[settle(), repay(principal_cents=100, interest_cents=7)] for _ in two]
    answers = await asyncio.gather(*(desk.take(story) for desk, story in zip(two, both, strict=True)))
    assert [rules(answer) for answer in answers] == [["", ""], ["", ""]]
    assert await sql.fetchval("SELECT count(*) FROM transfers") == 6
    assert (await audit(sql)).sound


async def test_the_last_money_is_taken_by_one_of_them(two, sql):
    await two[0].take([investor(), deposit(cents=100)])
    answers = await asyncio.gather(*(desk.take([hold(f"h{place}", cents=70)]) for place, desk in enumerate(two)))
    assert sorted(rules(answer)[0] for answer in answers) == ["", "limit"]


async def test_a_transaction_that_is_not_committed_leaves_no_account_number_behind(ledger_database, sql):
    """Its number goes to another account, and money would go there, too."""
    ledger, desk = Ledger(sql), Desk(sql)

    async def fail() -> None:
        async with ledger.locked():
            await ledger.post(plan(investor("eve")).accounts, [])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    await desk.take([investor("ann"), investor("eve")])
    await desk.take([deposit("d1", "eve", 5)])
    assert await balances(sql) == {"bank": -5, "wallet/eve": 5}
    assert (await ledger.post([], plan(deposit("d2", "eve", 7)).transfers))[0].number == 2
    assert (await balances(sql))["wallet/eve"] == 12
