"""Backups go through again: read from the object store in pieces and posted to the gateway, as their originators did.

The token is issued with the system's own secret, so only who operates it can. A replay is a new batch; the gateway's log and answer name
the first one (`Tranche-Replay-Of`). Several go one after the other, in the order in which they came.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any, Final, NamedTuple

import httpx
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TextColumn, TransferSpeedColumn
from rich.table import Table

from streams import settings, terminal
from streams.backups import Backup, Backups, StoreError, UnknownBackupError
from streams.embedded import ports, runfile
from streams.embedded.errors import UserError
from streams.settings import Settings
from streams.terminal import plain
from streams.tokens import issue

ANSWER_S: Final = 120.0  # for the gateway's acknowledgement of all of a batch
Span = tuple[datetime, datetime]


class Replayed(NamedTuple):
    """One backup and what came of it; `error` is empty, or says why it ended early again."""

    first_batch: str
    batch: str
    documents: int
    bytes: int
    error: str


def main(home: str | None, name: str, span: Span | None, *, incomplete: bool, as_json: bool) -> None:
    """Replay the batch `name`, or those of the originator `name` in `span`, and print what came of each.

    Raises:
        UserError: there is no such backup, it is incomplete and that is not wanted, or store or gateway do not do their part.
    """
    given, url = _system(home)
    if not given.backups:
        raise UserError("there are no backups: TRANCHE_BACKUPS, which names their object store, is not set")
    console = Console(stderr=True)
    try:
        replayed = asyncio.run(_replay(given, url, name, span, console, incomplete=incomplete))
    except (StoreError, UnknownBackupError) as fault:
        raise UserError(f"{name}: {fault} (backups are in {given.backups})") from fault
    if as_json:
        terminal.print_json({"replayed": [one._asdict() for one in replayed]})
    else:
        terminal.wide().print(_table(replayed))


async def _replay(given: Settings, url: str, name: str, span: Span | None, console: Console, *, incomplete: bool) -> list[Replayed]:
    store = Backups(given.backups)
    found = await store.list(name, *span) if span else [await store.find(name)]
    if not found and span:
        raise UserError(f"there is no backup of {name} from {span[0]:%Y-%m-%d %H:%M:%S} to {span[1]:%Y-%m-%d %H:%M:%S} in {given.backups}")
    ended_early = [backup for backup in found if not backup.complete]
    if ended_early and not incomplete:
        which = "; ".join(f"{backup.batch}: {backup.error}" for backup in ended_early[:3])
        raise UserError(f"{len(ended_early)} of {len(found)} backups are incomplete ({which}); --incomplete sends what there is of them")
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    done: list[Replayed] = []
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("replaying", total=sum(backup.bytes for backup in found))
        async with httpx.AsyncClient(base_url=url, timeout=ANSWER_S, trust_env=False) as client:
            for number, backup in enumerate(found, 1):
                progress.update(task, description=f"replaying {number} of {len(found)}")
                done.append(await _post(client, given.secret, store, backup, lambda size: progress.advance(task, size)))
    return done


async def _post(client: httpx.AsyncClient, secret: str, store: Backups, backup: Backup, advance: Callable[[int], Any]) -> Replayed:
    async def pieces() -> AsyncIterator[bytes]:
        async for piece in store.pieces(backup.batch):
            yield piece
            advance(len(piece))

    headers = {
        "Authorization": f"Bearer {issue(secret, 'originator', backup.originator)}",
        "Content-Type": "application/bson",
        "Tranche-Replay-Of": backup.batch,
    }
    try:
        answer = await client.post(f"/originators/{backup.originator}/batches", content=pieces(), headers=headers)
    except httpx.HTTPError as fault:
        raise UserError(f"{backup.batch}: the gateway at {client.base_url} does not answer ({type(fault).__name__})") from fault
    try:
        said = answer.json()
    except ValueError:
        said = {}
    if answer.status_code == httpx.codes.ACCEPTED:
        return Replayed(backup.batch, said["batch"], said["documents"], said["bytes"], "")
    if not answer.is_server_error and "documents_kept" in said:
        return Replayed(backup.batch, said["batch"], said["documents_kept"], said["position"], said["detail"])
    raise UserError(f"{backup.batch}: the gateway answered {answer.status_code}: {said.get('detail', answer.text[:200])}")


def _system(home: str | None) -> tuple[Settings, str]:
    """The settings of the system that is up in this home, or else of the environment, and where its gateway is."""
    given = settings.load(over={"TRANCHE_HOME": home} if home else {})
    run = runfile.running(given.home)
    if run and run.ready:
        return settings.load(run.environ), run.gateway_url
    if not given.secret:
        raise UserError(f"nothing runs in {given.home}, and TRANCHE_SECRET, which signs tokens, is not set; try `tranche up`")
    return given, f"http://{ports.LOOPBACK if given.gateway_host in ports.ANY else given.gateway_host}:{given.gateway_port}"


def _table(replayed: list[Replayed]) -> Table:
    table = Table("backup", "new batch", "documents", "bytes", "ended early")
    for one in replayed:
        table.add_row(plain(one.first_batch), plain(one.batch), f"{one.documents:,}", f"{one.bytes:,}", plain(one.error))
    return table
