"""The audit finds whatever is wrong, and names the transfer; a database that is tampered with cannot hide it."""

from urllib.parse import quote, urlsplit

import asyncpg
import pytest

from streams.ledger.audit import audit
from streams.ledger.desk import Desk
from streams.store import migrate
from tests.ledger.conftest import EMPTY
from tests.ledger.told import SOLD, repay, reverse, withdraw

BEHIND = "SET session_replication_role = replica"  # what a superuser can do: no trigger fires


@pytest.fixture
async def booked(desk, sql):
    await desk.take([*SOLD, repay(principal_cents=800, interest_cents=101, late_fees_cents=2), withdraw(), reverse("withdrawal/w1")])
    return sql


async def wrong(sql, anchor=None) -> dict[str, tuple]:
    return {check.invariant: (check.transfer, check.id) for check in (await audit(sql, anchor)).checks if check.wrong}


async def test_a_ledger_that_nobody_touched_is_sound(booked):
    report = await audit(booked)
    assert (report.sound, report.transfers, report.accounts) == (True, 9, 11)
    assert report.hash == await booked.fetchval("SELECT encode(hash, 'hex') FROM transfers ORDER BY number DESC LIMIT 1")


async def test_an_empty_ledger_is_sound(sql):
    assert (await audit(sql)).sound


@pytest.mark.parametrize(
    ("tampering", "invariant", "transfer"),
    [
        ("UPDATE transfers SET effective = effective - 1 WHERE number = 3", "the hash of every transfer follows the one before", 3),
        ("UPDATE transfers SET position = 7 WHERE number = 5", "the hash of every transfer follows the one before", 5),
        ("UPDATE legs SET amount = 2 * amount WHERE transfer = 2", "the hash of every transfer follows the one before", 2),
        ("DELETE FROM transfers WHERE number = 4; DELETE FROM legs WHERE transfer = 4",
         "the hash of every transfer follows the one before", 5),
        ("UPDATE carried SET micro = ARRAY[5, -5] WHERE transfer = 6", "the hash of every transfer follows the one before", 6),
        ("UPDATE legs SET amount = 9 WHERE transfer = 2 AND amount > 0", "every transfer's legs add up to zero, in one currency", 2),
        ("UPDATE transfers SET currency = 'USD' WHERE number = 3", "every transfer's legs add up to zero, in one currency", 3),
        ("INSERT INTO legs VALUES (99, 1, 5), (99, 2, -5)", "every transfer's legs add up to zero, in one currency", 99),
        ("DELETE FROM legs WHERE transfer = 5", "every transfer has its legs", 5),
        ("UPDATE legs SET amount = 200000 * sign(amount) WHERE transfer = 2", "no account was ever beyond its limit", 2),
        ("UPDATE balances SET balance = balance + 1 WHERE account = 1", "every balance is the sum of its legs", None),
        ("UPDATE balances SET lowest = -100 WHERE account = 1", "every balance has the limits of its kind", None),
        ("UPDATE legs SET amount = -amount WHERE transfer = 4 AND account IN (SELECT account FROM accounts WHERE kind = 'hold')",
         "a hold is made once, and resolved once", 4),
        ("UPDATE balances SET balance = balance + 1 WHERE account = (SELECT account FROM accounts WHERE kind = 'claim')",
         "claims and what is unsold are what is outstanding", None),
        ("UPDATE balances SET balance = balance + 1 WHERE account = (SELECT account FROM accounts WHERE kind = 'fees')",
         "clients' cash at the bank is in wallets, holds and settlement", None),
        ("UPDATE balances SET balance = balance + 1 WHERE account = (SELECT account FROM accounts WHERE kind = 'pending')",
         "what is in transit is pending or retained", None),
        ("UPDATE carried SET micro = ARRAY[5, 5] WHERE transfer = 6", "what is carried adds up to zero", 6),
        ("UPDATE accounts SET investor = 'eve' WHERE kind = 'wallet'", "the hash of every account follows the one before", None),
        ("DELETE FROM accounts WHERE kind = 'claim'", "the hash of every account follows the one before", None),
    ],
)  # fmt: skip
async def test_tampering_is_seen_and_the_first_transfer_named(booked, tampering, invariant, transfer):
    await booked.execute(f"{BEHIND}; {tampering}; RESET session_replication_role")
    found = await wrong(booked)
    assert invariant in found, found
    assert found[invariant][0] == transfer


async def test_a_chain_that_was_written_anew_is_not_that_of_the_anchor(desk, booked):
    noted = await audit(booked)
    anchor = noted.transfers, noted.hash
    assert await wrong(booked, anchor) == {}
    await booked.execute(EMPTY)
    await desk.take(SOLD)
    assert list(await wrong(booked, anchor)) == ["the anchor is in the chain"]
    await booked.execute(EMPTY)
    story = [*SOLD, repay(principal_cents=801, interest_cents=101, late_fees_cents=2), withdraw(), reverse("withdrawal/w1")]
    await type(desk)(booked).take(story)
    assert await wrong(booked, anchor) == {"the anchor is in the chain": (noted.transfers, "reversal/withdrawal/w1")}


@pytest.mark.parametrize("table", ["accounts", "account_kinds", "transfers", "legs", "carried"])
@pytest.mark.parametrize("change", ["UPDATE {} SET {} = {}", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
async def test_nothing_that_is_booked_can_be_changed_or_deleted(booked, table, change):
    column = await booked.fetchval("SELECT column_name FROM information_schema.columns WHERE table_name = $1 LIMIT 1", table)
    with pytest.raises(asyncpg.RestrictViolationError, match="immutable"):
        await booked.execute(change.format(table, column, column))


async def test_an_application_that_is_no_superuser_has_not_even_the_right(postgres, group):
    server = await asyncpg.connect(postgres)
    await server.execute(f"CREATE ROLE \"{group}\" LOGIN PASSWORD 'its own'")
    await server.execute(f'CREATE DATABASE "{group}" OWNER "{group}"')
    await server.close()
    dsn = urlsplit(postgres)._replace(path=f"/{group}")
    dsn = dsn._replace(netloc=f"{group}:{quote('its own')}@{dsn.hostname}:{dsn.port}").geturl()
    await migrate(dsn)
    theirs = await asyncpg.connect(dsn)
    await Desk(theirs).take(SOLD)
    assert (await audit(theirs)).sound
    for change in ("UPDATE legs SET amount = 5", "DELETE FROM transfers", "TRUNCATE carried", "DELETE FROM balances"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await theirs.execute(change)
    await theirs.close()


@pytest.mark.parametrize(
    ("legs", "fault"),
    [
        ("(100, 1, 5), (100, 2, -4)", asyncpg.CheckViolationError),
        ("(100, 1, 5)", asyncpg.CheckViolationError),
        ("(100, 1, 0), (100, 2, 0)", asyncpg.CheckViolationError),
    ],
)
async def test_the_database_itself_takes_no_legs_that_do_not_add_up(booked, legs, fault):
    with pytest.raises(fault):
        await booked.execute(f"INSERT INTO legs VALUES {legs}")


async def test_the_database_itself_lets_no_balance_below_its_limit(booked):
    with pytest.raises(asyncpg.CheckViolationError, match="not_below_its_limit"):
        await booked.execute("UPDATE balances SET balance = -1 WHERE account = (SELECT account FROM accounts WHERE kind = 'wallet')")
