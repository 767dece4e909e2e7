"""What `tranche audit` and `tranche ledger …` print."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import date, datetime
from typing import Any, Final

import asyncpg
import msgspec
from rich import box
from rich.table import Column, Table

from agents.ledger import instructions as told
from streams import terminal
from streams.embedded.errors import UserError
from streams.ledger.audit import Check, Report
from streams.ledger.audit import audit as check_all
from streams.ledger.balances import Balance
from streams.ledger.balances import balances as at
from streams.ledger.desk import Answer, Desk
from streams.store import AWAY
from streams.terminal import plain

TOGETHER: Final = 5_000  # instructions that are taken at once


def audit(dsn: str, anchor: tuple[int, str] | None, *, as_json: bool) -> int:
    """Print the audit; the exit code.

    Raises:
        UserError: the database does not answer.
    """
    report = asyncio.run(_report(dsn, anchor))
    if as_json:
        terminal.print_json({**report._asdict(), "sound": report.sound, "checks": [check._asdict() for check in report.checks]})
    else:
        terminal.wide().print(_table(report))
        print(f"{report.transfers:,} transfers, {report.accounts:,} accounts, anchor {report.transfers}:{report.hash}")
    return 0 if report.sound else 1


async def _report(dsn: str, anchor: tuple[int, str] | None) -> Report:
    async with patient(dsn) as sql:
        return await check_all(sql, anchor)


@asynccontextmanager
async def patient(dsn: str) -> AsyncIterator[Any]:
    """A connection of its own: a whole ledger takes longer than the pool's limit for an answer.

    Raises:
        UserError: the database does not answer.
    """
    try:
        sql = await asyncpg.connect(dsn, timeout=5)
        try:
            yield sql
        finally:
            await sql.close()
    except AWAY as fault:
        raise terminal.away(dsn, fault) from fault


def _table(report: Report) -> Table:
    table = Table("invariant", "", Column("first that breaks it", overflow="fold"), box=box.SIMPLE_HEAD)
    for check in report.checks:
        table.add_row(plain(check.invariant), plain("broken", "red") if check.wrong else plain("holds", "green"), plain(_first(check)))
    return table


def _first(check: Check) -> str:
    if check.transfer is None:
        return check.wrong
    return f"transfer {check.transfer}{f', {check.id}' if check.id else ''}: {check.wrong}" if check.wrong else ""


def instructions(file: str, lines: Sequence[bytes]) -> list[told.Any]:
    """The instructions of a file.

    Raises:
        UserError: a line is none; nothing is booked then.
    """
    found = []
    for number, line in enumerate(lines, 1):
        try:
            found += [told.decode(line)] if line.strip() else []
        except msgspec.MsgspecError as fault:
            raise UserError(f"{file}, line {number}: {fault}") from fault
    return found


def post(dsn: str, given: Sequence[told.Any]) -> int:
    """Book, and print the answers; the exit code.

    Raises:
        UserError: the database does not answer; what was printed before is booked.
    """
    return 1 if asyncio.run(_post(dsn, given)) else 0


async def _post(dsn: str, given: Sequence[told.Any]) -> bool:
    refused = False
    async with terminal.database(dsn) as pool, pool.acquire() as sql:
        desk = Desk(sql)
        for first in range(0, len(given), TOGETHER):
            for answer in await desk.take(given[first : first + TOGETHER]):
                terminal.print_json(_answer(answer))
                refused |= any(outcome.rule for outcome in answer.outcomes)
    return refused


def _answer(answer: Answer) -> dict[str, Any]:
    return {"name": answer.name, "transfers": [msgspec.to_builtins(outcome) for outcome in answer.outcomes]}


def balances(dsn: str, asked: tuple[date, datetime, str | None, str | None], *, as_csv: bool, as_json: bool) -> None:
    """Print balances.

    Raises:
        UserError: the database does not answer.
    """
    found = asyncio.run(_balances(dsn, asked))
    if as_csv:
        print(",".join(Balance._fields))
        for one in found:
            print(",".join(map(str, one)))  # nothing in it wants to be quoted
    elif as_json:
        terminal.print_json({"balances": [one._asdict() for one in found]})
    else:
        table = Table(Column("account", no_wrap=True, overflow="fold"), Column("cents", justify="right"), box=box.SIMPLE_HEAD)
        for one in found:
            table.add_row(plain(one.account), f"{one.cents:,}")
        terminal.wide().print(table)


async def _balances(dsn: str, asked: tuple[date, datetime, str | None, str | None]) -> list[Balance]:
    async with terminal.database(dsn) as pool, pool.acquire() as sql:
        return await at(sql, *asked)
