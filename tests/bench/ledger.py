"""`ledger`: posting on a real PostgreSQL with fsync, every constraint and the hashes on, by one connection; a repayment run; a statement.

Transfers go between the wallets of 10,000 investors, in batches of 8,000 for the rate and of 1,000 for the time of a batch. Beside it, in
the same database, the way one would book first: one transaction a transfer, row by row. What is not booked is no measurement. The
statement is that of an investor with a claim on each of the loans, after the run, from the question to the bytes of its JSON.
"""

import asyncio
import random
import sys
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final

import asyncpg
import numpy as np
import orjson
from rich.console import Console
from rich.table import Table

from agents.ledger import plans
from agents.ledger.accounts import account
from agents.ledger.instructions import Repay
from agents.ledger.plans import Cause
from agents.ledger.transfers import Leg, Transfer, transfer
from streams.embedded.postgres import Postgres
from streams.ledger.desk import Desk
from streams.ledger.posting import Ledger
from streams.ledger.statement_console import as_json
from streams.ledger.statements import INVESTOR, Asked, statement
from streams.store import migrate
from tests.bench.peers import row_by_row
from tests.bench.process import RunError
from tests.bench.report import WIDTH

INVESTORS: Final = 10_000
TRANSFERS: Final = 160_000  # of each run
LARGE: Final = 8_000
SMALL: Final = 1_000
ONE_BY_ONE: Final = 2_000
LOANS: Final = 10_000
HOLDERS: Final = 100  # of each
LOANS_TOGETHER: Final = 100  # sold
DAY: Final = date(2026, 11, 2)
BOOKED_MS: Final = int(datetime(2026, 11, 2, 12, tzinfo=UTC).timestamp() * 1000)
CAUSE: Final = Cause(DAY, BOOKED_MS)
EUR: Final = "EUR"
STATEMENTS: Final = 7  # of which the median counts
GOALS: Final = {
    "transfers_per_s": (60_000, True),
    "batch_p99_ms": (50, False),
    "repayment_run_s": (30, False),
    "statement_ms": (300, False),
}

Say = Callable[[str], None]


def main(runs: int = 3) -> dict[str, Any]:
    """Measure, print the table, and return the figures: medians of the runs; the repayment run is measured once, before the statements.

    Raises:
        RunError: something was not booked.
    """
    console = Console(stderr=True)
    with TemporaryDirectory(prefix="tranche-bench-") as work, Postgres(Path(work)) as server, console.status("ledger") as status:
        measured = asyncio.run(_measure(server.address, runs, lambda doing: status.update(f"ledger: {doing}")))
    figures = {"bench": "ledger", **measured, "runs": runs}
    for name, (goal, above) in GOALS.items():
        figures[f"target_{name}"] = goal
        figures[f"reached_{name}"] = measured[name] >= goal if above else measured[name] <= goal
    Console(width=None if sys.stdout.isatty() else WIDTH).print(_table(figures))
    return figures


def _table(figures: dict[str, Any]) -> Table:
    table = Table("ledger", "to reach", "measured", "")
    for name, (goal, above) in GOALS.items():
        reached = "reached" if figures[f"reached_{name}"] else "[bold red]missed"
        table.add_row(name, f"{'≥' if above else '≤'} {goal:,}", f"{figures[name]:,}", reached)
    for name in ("row_by_row_transfers_per_s", "ratio_row_by_row", "batch_p50_ms", "repayment_run_legs"):
        table.add_row(name, "", f"{figures[name]:,}", "")
    return table


async def _measure(dsn: str, runs: int, say: Say) -> dict[str, Any]:
    await migrate(dsn)
    sql = await asyncpg.connect(dsn)
    ledger, peer = Ledger(sql), await row_by_row.opened(sql)
    names = await _investors(sql, ledger, peer)
    rates, one_by_one, batches = [], [], []
    for run in range(runs):
        say(f"run {run + 1} of {runs}")
        rates.append(TRANSFERS / sum(await _post(ledger, _made(f"a{run}", names, TRANSFERS), LARGE)))
        batches += await _post(ledger, _made(f"b{run}", names, TRANSFERS), SMALL)
        one_by_one.append(ONE_BY_ONE / await peer.post(_made(f"c{run}", names, ONE_BY_ONE)))
    say(f"a repayment run of {LOANS:,} loans")
    seconds, legs = await _repayments(sql, ledger)
    say("statements")
    statements = await _statements(sql)
    await sql.close()
    return {
        "transfers_per_s": round(median(rates)),
        "batch_p99_ms": round(1_000 * float(np.quantile(batches, 0.99)), 1),
        "batch_p50_ms": round(1_000 * median(batches), 1),
        "row_by_row_transfers_per_s": round(median(one_by_one)),
        "ratio_row_by_row": round(median(rates) / median(one_by_one), 1),
        "repayment_run_s": round(seconds, 1),
        "repayment_run_legs": legs,
        "statement_ms": round(1_000 * median(statements), 1),
    }


async def _investors(sql: Any, ledger: Ledger, peer: row_by_row.RowByRow) -> list[str]:
    investors = [f"i{number}" for number in range(INVESTORS)]
    accounts = [one for name in investors for one in plans.investor_accounts(name, EUR, DAY)]
    deposits = [one for name in investors for one in plans.deposit(name, name, EUR, 10**9, CAUSE).transfers]
    _booked(await ledger.post(accounts, deposits))
    await peer.take_over()
    await sql.execute("ANALYZE")
    return [f"wallet/{name}/{EUR}" for name in investors]


def _made(run: str, names: list[str], count: int) -> list[Transfer]:
    chance = random.Random(run)
    made = []
    for number in range(count):
        one, other = chance.sample(names, 2)
        cause = CAUSE._replace(source=f"payments-3-{number}", batch="bluebird.20261102T120000-10455e", position=374 * number)
        cents = chance.randint(1, 10_000)
        made.append(transfer(plans.head(f"{run}/{number:08d}", "payment", EUR, cause), Leg(one, -cents), Leg(other, cents)))
    return made


async def _post(ledger: Ledger, made: list[Transfer], size: int) -> list[float]:
    """Seconds of each batch."""
    seconds = []
    for first in range(0, len(made), size):
        started = time.perf_counter()
        outcomes = await ledger.post([], made[first : first + size])
        seconds.append(time.perf_counter() - started)
        _booked(outcomes)
    return seconds


def _booked(outcomes: list[Any]) -> None:
    if wrong := next((outcome for outcome in outcomes if outcome.number is None or outcome.repeated), None):
        raise RunError(f"not booked: {wrong}")


async def _repayments(sql: Any, ledger: Ledger) -> tuple[float, int]:
    """Seconds of a run over all loans, and its legs; before it each loan is sold to its holders."""
    chance = random.Random(1)
    _booked(await ledger.post(plans.originator_accounts("bluebird", EUR, DAY), ()))
    for first in range(0, LOANS, LOANS_TOGETHER):
        sold = [_sold(f"l{loan}", chance) for loan in range(first, min(first + LOANS_TOGETHER, LOANS))]
        _booked(await ledger.post([one for plan in sold for one in plan.accounts], [one for plan in sold for one in plan.transfers]))
    await sql.execute("ANALYZE")
    told = [
        Repay(
            name=f"bluebird/l{loan}/2",
            currency=EUR,
            effective=DAY,
            booked_ms=BOOKED_MS,
            originator="bluebird",
            asset=f"l{loan}",
            principal_cents=chance.randint(10_000, 90_000),
            interest_cents=chance.randint(1_000, 20_000),
            late_fees_cents=500 if loan % 10 == 0 else 0,
        )
        for loan in range(LOANS)
    ]
    before = await sql.fetchval("SELECT count(*) FROM legs")
    desk = Desk(sql)
    started = time.perf_counter()
    answers = await desk.take(told)
    seconds = time.perf_counter() - started
    _booked([outcome for answer in answers for outcome in answer.outcomes])
    return seconds, await sql.fetchval("SELECT count(*) FROM legs") - before


def _sold(loan: str, chance: random.Random) -> plans.Plan:
    """A loan that HOLDERS bought a part of at par, the first investor among them, from their wallets in one transfer."""
    investors = ["i0", *(f"i{number}" for number in chance.sample(range(1, INVESTORS), HOLDERS - 1))]
    claims = {investor: chance.randint(1_000, 50_000) for investor in investors}
    sold = sum(claims.values())
    issue = plans.issue("bluebird", loan, EUR, sold + 100_000, DAY, CAUSE)
    names = {investor: f"claim/bluebird/{loan}/{investor}/{EUR}" for investor in investors}
    opened = [account(name, DAY) for name in (*names.values(), *(f"pending/{investor}/bluebird/{EUR}" for investor in investors))]
    principal = Leg(f"unsold/bluebird/{loan}/{EUR}", -sold), *(Leg(names[investor], cents) for investor, cents in claims.items())
    price = Leg(f"settlement/bluebird/{EUR}", sold), *(Leg(f"wallet/{investor}/{EUR}", -cents) for investor, cents in claims.items())
    made = transfer(plans.head(loan, plans.SETTLEMENT, EUR, CAUSE), *principal, *price)
    return plans.Plan((*issue.accounts, *opened), (*issue.transfers, made))


async def _statements(sql: Any) -> list[float]:
    """Seconds of each statement of the first investor."""
    await sql.execute("ANALYZE")
    seconds, asked = [], Asked(INVESTOR, "i0", DAY + timedelta(days=90))
    for _ in range(STATEMENTS):
        started = time.perf_counter()
        body = orjson.dumps(as_json(asked, await statement(sql, asked)))
        seconds.append(time.perf_counter() - started)
        if (claims := len(orjson.loads(body)["claims"])) != LOANS:
            raise RunError(f"a statement of {claims} claims, not of {LOANS}")
    return seconds
