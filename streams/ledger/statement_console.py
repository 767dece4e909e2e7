"""What `tranche ledger statement` prints: the same bytes for the same question, for ever."""

import asyncio
import csv
import io
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from rich import box
from rich.table import Column, Table

from agents.ledger.statements import Section
from schemas.values import fraction, money
from streams import terminal
from streams.ledger.console import patient
from streams.ledger.statements import Asked, Statement, statement
from streams.terminal import plain

_CENTS: Final = "_cents"
_PPM: Final = "_ppm"


def show(dsn: str, question: tuple[str, str, date, datetime | None, bool], form: str) -> None:
    """Print a statement (`question` is an Asked); `form` is table, json or csv.

    Raises:
        UserError: the database does not answer, or there is no such statement.
    """
    asked = Asked(*question)
    found = asyncio.run(_read(dsn, asked))
    if form == "json":
        terminal.print_json(as_json(asked, found))
    elif form == "csv":
        print(as_csv(found), end="")
    else:
        console = terminal.wide()
        known = f", as known at {asked.known:%Y-%m-%d %H:%M:%S} UTC" if asked.known else ""
        console.print(plain(f"Statement of {' '.join(filter(None, (asked.of, asked.name)))} as on {asked.effective}{known}", "bold"))
        for section in found.sections:
            console.print(_table(section))


async def _read(dsn: str, asked: Asked) -> Statement:
    async with patient(dsn) as sql:
        return await statement(sql, asked)


def as_json(asked: Asked, found: Statement) -> dict[str, Any]:
    """The body: by section its rows."""
    whose = {asked.of: asked.name} if asked.name else {}
    head = {"statement": found.format, **whose, "effective": asked.effective, "known": asked.known}
    return head | {section.name: [dict(zip(section.columns, row, strict=True)) for row in section.rows] for section in found.sections}


def as_csv(found: Statement) -> str:
    """One table (RFC 4180, lines end with LF): format and section, then the columns of all sections, empty where a section has none."""
    columns = list(dict.fromkeys(name for section in found.sections for name in section.columns))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["statement", "section", *columns])
    for section in found.sections:
        places = [section.columns.index(name) if name in section.columns else len(section.columns) for name in columns]
        for row in section.rows:
            values = (*map(_written, row), "")
            writer.writerow([found.format, section.name, *(values[place] for place in places)])
    return text.getvalue()


def _written(value: Any) -> Any:
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, date) else value


def _table(section: Section) -> Table:
    """For people: money in major units, rates in percent; the totals from top to bottom, a column a currency."""
    names = [name.removesuffix(_CENTS).removesuffix(_PPM).replace("_", " ") for name in section.columns]
    rows = [[_read_out(name, value) for name, value in zip(section.columns, row, strict=True)] for row in section.rows]
    if section.name == "totals":
        names, *rows = [list(row) for row in zip(names, *rows, strict=True)]
        columns = [Column(names[0]), *(Column(name, justify="right") for name in names[1:])]
    else:
        right = [name.endswith((_CENTS, "accounts")) for name in section.columns]
        columns = [
            Column(name, justify="right" if to_right else "left", overflow="fold") for name, to_right in zip(names, right, strict=True)
        ]
    table = Table(*columns, title=section.name, title_justify="left", box=box.SIMPLE_HEAD)
    for row in rows:
        table.add_row(*map(plain, row))
    return table


def _read_out(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name.endswith(_CENTS):
        return f"{Decimal(money(value)):,}"
    return f"{fraction(value, 4)} %" if name.endswith(_PPM) else str(_written(value))
