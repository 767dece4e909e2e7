"""`tranche audit`, `tranche ledger post` and `balances`, as a person types them."""

import json
from datetime import timedelta

import msgspec

from tests.ledger.told import DAY, SOLD, deposit, hold, ms, release, repay


def lines(*instructions) -> str:
    return "\n".join(msgspec.json.encode(one).decode() for one in instructions) + "\n"


async def test_instructions_are_booked_and_audited(sql, tranche):
    done = tranche("ledger", "post", "-", given=lines(*SOLD))
    assert (done.returncode, done.stderr) == (0, "")
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [[one["number"] for one in answer["transfers"]] for answer in answers] == [[], [], [1], [2], [3, 4]]
    again = tranche("ledger", "post", "-", given=lines(deposit(), hold("h2", cents=10**9)))
    first, second = (json.loads(line)["transfers"][0] for line in again.stdout.splitlines())
    assert (again.returncode, first["repeated"], second["rule"]) == (1, True, "limit")
    sound = tranche("audit")
    assert sound.returncode == 0
    assert "claims and what is unsold are what is outstanding" in sound.stdout
    assert "broken" not in sound.stdout
    told = json.loads(tranche("audit", "--json").stdout)
    assert (told["sound"], told["transfers"], len(told["checks"])) == (True, 4, 12)
    assert tranche("audit", "--anchor", f"4:{told['hash']}").returncode == 0


async def test_a_broken_ledger_is_told_by_exit_code_and_transfer(sql, tranche):
    tranche("ledger", "post", "-", given=lines(*SOLD))
    await sql.execute("SET session_replication_role = replica; UPDATE transfers SET batch = 'b' WHERE number = 3")
    broken = tranche("audit")
    assert broken.returncode == 1
    assert "transfer 3, issue/harbor/loan-1/EUR: it is not what was booked" in broken.stdout


async def test_a_line_that_is_no_instruction_is_named_and_nothing_is_booked(sql, tranche):
    done = tranche("ledger", "post", "-", given=lines(*SOLD) + '{"do": "deposit", "name": "x"}\n')
    assert done.returncode == 2
    assert "-, line 6: Object missing required field" in done.stderr
    assert await sql.fetchval("SELECT count(*) FROM accounts") == 0


def test_without_a_database_it_says_what_to_do(tranche):
    assert "does not answer" in tranche("audit", dsn="postgresql://127.0.0.1:1/none").stderr
    assert "try `tranche up`" in tranche("audit", dsn="").stderr
    assert "is no NUMBER:HASH" in tranche("audit", "--anchor", "5").stderr


async def test_balances_are_those_of_a_day_as_known_then_whatever_comes_later(desk, sql, tranche):
    early, late = DAY, DAY + timedelta(days=2)
    await desk.take([*SOLD, repay(interest_cents=80, effective=late)])
    asked = "ledger", "balances", "--investor", "ann", "--on", str(early), "--known", f"{late}T13:00:00", "--csv"
    before = tranche(*asked).stdout
    assert before.splitlines() == [
        "account,kind,currency,cents",
        "claim/harbor/loan-1/ann/EUR,claim,EUR,50000",
        "hold/ann/h1/EUR,hold,EUR,9750",
        "wallet/ann/EUR,wallet,EUR,40000",
    ]
    # known later, and effective before: a deposit of the past, and the correction of a hold
    await desk.take([deposit("d2", cents=500, booked_ms=ms(late + timedelta(days=1))), release(booked_ms=ms(late + timedelta(days=1)))])
    assert tranche(*asked).stdout == before
    now = json.loads(tranche("ledger", "balances", "--json").stdout)["balances"]
    assert {one["account"]: one["cents"] for one in now}.items() >= {"wallet/ann/EUR": 41_500, "pending/ann/harbor/EUR": 50}.items()
    assert sum(one["cents"] for one in now) == 0
    (on_late,) = (line for line in tranche(*asked[:5], str(late), "--csv").stdout.splitlines() if line.startswith("pending"))
    assert on_late.endswith(",50")
    assert "principal/harbor/loan-1/EUR" in tranche("ledger", "balances", "--originator", "harbor").stdout
