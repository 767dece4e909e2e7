"""`tranche allocation-report`: its options. What it does is imported when it runs."""

import importlib
from datetime import UTC, datetime
from pathlib import Path

import click

from streams.replay import TIME
from streams.running import database
from streams.topics import MARKETS


@click.command("allocation-report")
@click.argument("currency", type=click.Choice(MARKETS))
@click.option("--since", type=TIME, default="1970-01-01", help="From this time on, UTC. [default: the beginning]")
@click.option("--until", type=TIME, help="To before this time, UTC. [default: now]")
@click.option("--picture", type=click.Path(dir_okay=False, path_type=Path), help="Draw it, too: a PNG, PDF or SVG file.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON.")
@click.option("--home", type=click.Path(file_okay=False), help="Of the system that is up. [default: $TRANCHE_HOME or .tranche]")
def allocation_report(
    currency: str, since: datetime, until: datetime | None, picture: Path | None, as_json: bool, home: str | None
) -> None:
    """Show how evenly a market served its investors: what each asked, and what it got."""
    span = since.replace(tzinfo=UTC), until.replace(tzinfo=UTC) if until else datetime.now(UTC)
    importlib.import_module("streams.allocation_report").main(database(home), currency, *span, picture, as_json=as_json)
