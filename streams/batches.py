"""`tranche batches`: the latest batches, for people as a table that may follow them, for programs as the gateway answers it."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from rich import box
from rich.live import Live
from rich.table import Column, Table

from schemas.asset import Change, changed
from streams import queries, terminal
from streams.terminal import plain

FOLLOW_S: Final = 1.0
_AGAIN: Final = {"replay": ", replayed", "restart": ", restarted", "drop": ", drops another"}
_LOOKS: Final = {"open": "cyan", "processing": "cyan", "done": "green", "done with rejections": "yellow", "failed": "red"}


def main(dsn: str, originator: str | None, limit: int, *, follow: bool, as_json: bool) -> None:
    """Print the latest batches, or follow them until interrupted.

    Raises:
        UserError: the database does not answer.
    """
    with suppress(KeyboardInterrupt):
        asyncio.run(_show(dsn, originator, limit, follow=follow, as_json=as_json))


async def _show(dsn: str, originator: str | None, limit: int, *, follow: bool, as_json: bool) -> None:
    async with terminal.database(dsn) as pool:
        rows = await queries.batches(pool, originator, limit)
        if as_json:
            terminal.print_json({"batches": rows})
        elif not follow:
            terminal.wide().print(table_of(rows))
        else:
            with Live(table_of(rows), auto_refresh=False) as live:
                while True:
                    await asyncio.sleep(FOLLOW_S)
                    live.update(table_of(await queries.batches(pool, originator, limit)), refresh=True)


def table_of(batches: Sequence[Mapping[str, Any]]) -> Table:
    """A line a batch (`queries.batches`), the newest first."""
    table = Table(Column("batch", no_wrap=True, overflow="fold"), "state", box=box.SIMPLE_HEAD)
    for name in ("documents", "new", "changed", "unchanged", "stale", "rejected", "seconds"):
        table.add_column(name, justify="right")
    for batch in batches:
        counts, done = batch["counts"], batch["processed"] + batch["oversized"]
        of_all = f"{done:,} of {batch['documents']:,}" if batch["state"] == "processing" else f"{done:,}"
        numbers = (counts[Change.CREATED], changed(counts), counts["unchanged"], counts["stale"], counts["rejected"] + batch["oversized"])
        seconds = (batch["last_event"] - (batch["began_at"] or batch["first_event"])).total_seconds()
        again = ", the same file again" if batch["same_as"] else _AGAIN.get(batch["way"], "")
        state = plain(batch["state"] + again, _LOOKS[batch["state"]])
        table.add_row(plain(batch["batch"]), state, of_all, *(f"{number:,}" for number in numbers), f"{seconds:.1f}")
    return table
