"""`tranche audit` and `tranche ledger …`: their options. What they do is imported when they run."""

import importlib
import re
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

import click

from streams.embedded.errors import UserError
from streams.running import HOME, database

_MOMENT: Final = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])


def _anchor(_context: click.Context, _option: click.Parameter, text: str | None) -> tuple[int, str] | None:
    if text is None:
        return None
    if not (found := re.fullmatch(r"([1-9][0-9]{0,17}):([0-9a-f]{64})", text)):
        raise click.BadParameter(f"{text!r} is no NUMBER:HASH, as an audit prints it")
    return int(found[1]), found[2]


@click.command()
@click.option("--anchor", callback=_anchor, metavar="NUMBER:HASH", help="The last transfer of an earlier audit: it must be there still.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON.")
@HOME
def audit(anchor: tuple[int, str] | None, as_json: bool, home: str | None) -> None:
    """Check every invariant of the ledger, and name the first transfer that breaks one; exit code 1 if one does."""
    console = importlib.import_module("streams.ledger.console")
    sys.exit(console.audit(database(home), anchor, as_json=as_json))


@click.group()
def ledger() -> None:
    """The ledger's books (schemas/ledger.md)."""


@ledger.command()
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path))
@HOME
def post(file: Path, home: str | None) -> None:
    """Book the instructions in FILE, a JSON object a line, and print a line of JSON for each; exit code 1 if one was refused.

    Told again, an instruction is answered as the first time.
    """
    try:
        lines = (sys.stdin.buffer if str(file) == "-" else file.open("rb")).read().splitlines()
    except OSError as fault:
        raise UserError(f"{file}: cannot be read: {fault.strerror}") from fault
    console = importlib.import_module("streams.ledger.console")
    sys.exit(console.post(database(home), console.instructions(str(file), lines)))


@ledger.command()
@click.option("--investor", help="Only this investor's accounts.")
@click.option("--originator", help="Only this originator's accounts, and those of its assets.")
@click.option("--on", "effective", type=click.DateTime(["%Y-%m-%d"]), help="What counted at the end of that day. [default: all]")
@click.option("--known", type=_MOMENT, help="Of what was booked by then, in UTC. [default: all]")
@click.option("--csv", "as_csv", is_flag=True, help="Comma-separated values, with a head: account, kind, currency, cents.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON.")
@HOME
def balances(
    investor: str | None,
    originator: str | None,
    effective: datetime | None,
    known: datetime | None,
    as_csv: bool,
    as_json: bool,
    home: str | None,
) -> None:
    """Show what every account has, at any day, as known at any moment. What was answered once is answered so for ever."""
    if (investor and originator) or (as_csv and as_json):
        raise UserError("--investor and --originator do not go together, nor do --csv and --json; ask twice")
    console = importlib.import_module("streams.ledger.console")
    day, moment = effective.date() if effective else date.max, known.replace(tzinfo=UTC) if known else datetime.max.replace(tzinfo=UTC)
    console.balances(database(home), (day, moment, investor, originator), as_csv=as_csv, as_json=as_json)


@ledger.group()
def statement() -> None:
    """A statement as on any day, as known at any moment; the same question is answered by the same bytes for ever."""


def _options(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(
        (
            click.option("--date", "effective", type=click.DateTime(["%Y-%m-%d"]), required=True, help="As at the end of that day."),
            click.option("--known", type=_MOMENT, help="Of what was booked by then, in UTC. [default: all]"),
            click.option("--format", "form", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True),
            click.option(
                "--transfers", is_flag=True, help="Also list each leg, and the message, batch and byte position that it comes from."
            ),
            HOME,
        )
    ):
        command = option(command)
    return command


@statement.command()
@click.argument("name")
@_options
def investor(name: str, **options: Any) -> None:
    """Cash, months, and every claim of investor NAME with what came of it."""
    _state("investor", name, **options)


@statement.command()
@click.argument("name")
@_options
def originator(name: str, **options: Any) -> None:
    """What originator NAME sold, by asset, what it is owed, and what it has to remit, and since when."""
    _state("originator", name, **options)


@statement.command()
@_options
def platform(**options: Any) -> None:
    """Fees, and the trial balance of all accounts by kind."""
    _state("platform", "", **options)


def _state(of: str, name: str, effective: datetime, known: datetime | None, form: str, transfers: bool, home: str | None) -> None:
    console = importlib.import_module("streams.ledger.statement_console")
    console.show(database(home), (of, name, effective.date(), known and known.replace(tzinfo=UTC), transfers), form)
