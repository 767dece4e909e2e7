"""`tranche replay`: its options. What it does is in `streams/replaying.py`, which is imported when it runs."""

import importlib
from datetime import UTC, datetime

import click

from streams.running import HOME

TIME = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"])


@click.command()
@click.option("--batch", metavar="ID", help="The batch.")
@click.option("--originator", metavar="ID", help="All batches of this originator that came in a span of time.")
@click.option("--since", type=TIME, help="From this time on, UTC.")
@click.option("--until", type=TIME, help="To before this time, UTC. [default: now]")
@click.option("--incomplete", is_flag=True, help="Also batches that ended early: what there is of them.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON.")
@HOME
def replay(
    batch: str | None,
    originator: str | None,
    since: datetime | None,
    until: datetime | None,
    incomplete: bool,
    as_json: bool,
    home: str | None,
) -> None:
    """Send backups through again, as new batches: --batch ID, or --originator ID --since TIME."""
    if bool(batch) == bool(originator) or (originator is None) != (since is None) or (until and not since):
        raise click.UsageError("give --batch, or --originator with --since")
    span = (since.replace(tzinfo=UTC), until.replace(tzinfo=UTC) if until else datetime.now(UTC)) if since else None
    main = importlib.import_module("streams.replaying").main
    main(home, batch or originator, span, incomplete=incomplete, as_json=as_json)
