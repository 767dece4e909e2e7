"""`tranche trace`: the story of one asset, for people line by line, for programs as the gateway answers it."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import asyncpg
from rich.console import Console
from rich.text import Text

from streams import terminal
from streams.embedded.errors import UserError
from streams.terminal import plain
from streams.trace import queries
from streams.trace.difference import by_model, expectations, payments, prices, proof, reasons

Told = Mapping[str, Any]

_LABEL: Final = 12  # columns


def main(dsn: str, originator: str, asset: str, before: int, *, as_json: bool) -> None:
    """Print the trace of an asset.

    Raises:
        UserError: nothing is known of it, or the database does not answer.
    """
    found = asyncio.run(_ask(dsn, originator, asset, before))
    if found is None:
        raise UserError(
            f"nothing is known of asset {asset!r} of {originator!r}; write ORIGINATOR/ASSET as the loan book does, capitals count; "
            "a book that was just sent is stored when GET /batches/BATCH says done"
        )
    if as_json:
        terminal.print_json(found)
    else:
        show(Console(highlight=False), found)


async def _ask(dsn: str, originator: str, asset: str, before: int) -> dict[str, Any] | None:
    async with terminal.database(dsn) as pool:
        try:
            return await queries.trace(pool, originator, asset, before=before)
        except asyncpg.DataError:  # a text that no text of the database can be, and so no asset's
            return None


def show(console: Console, found: Told) -> None:
    """Print `trace.queries.trace`. Lines are not broken: whoever reads them from a pipe gets each whole."""
    made: defaultdict[int, list[Told]] = defaultdict(list)
    for investment in found["investments"]:
        made[investment["version"]].append(investment)
    for line in (*_head(found), *(line for version in found["versions"] for line in _version(found, version, made[version["version"]]))):
        console.print(line, soft_wrap=True)
    for line in _rejections(found):
        console.print(line, soft_wrap=True)


def _head(found: Told) -> Iterator[Text]:
    yield plain(f"{found['originator']}/{found['asset']}", "bold")
    counts = found["counts"]
    names = {"versions": "version", "investments": "investment", "rejections": "refused document"}
    yield plain(", ".join(_counted(counts[kind], name) for kind, name in names.items()))
    if found["versions"]:
        said, assessed = found["versions"][-1]["document"], found["versions"][-1]["assessment"]
        yield plain(f"{said['status']}, {said['outstanding']} of {said['principal']} {said['currency']} outstanding")
        yield plain(f"{said['product']}, {said['country']}, {said['term_months']} months from {said['issued']}, rate {said['rate']} a year")
        yield plain(f"risk group {assessed['risk_group']}, price {assessed['price']}, to come: {payments(assessed)}")
    if found["earlier"]:
        yield plain(f"earlier versions: --before {found['earlier']}", "yellow")


def _version(found: Told, version: Told, investments: list[Told]) -> Iterator[Text]:
    yield Text()
    yield plain(f"version {version['version']}, {version['change'].replace('_', ' ')}", "bold")
    yield from _origin(found["batches"].get(version["batch"]), version)
    yield from _differences(version, first=version["version"] == 1)
    assessed = version["assessment"]
    yield _line("assessed", f"risk group {assessed['risk_group']}, score {assessed['score']}{by_model(assessed)}")
    told = (reasons(assessed), prices(assessed), payments(assessed), proof(version), expectations(assessed))
    yield from (_line("", more) for more in told if more)
    no_offer = "not for sale" if version["offered"] is False else "what is stored does not tell: past due, and nothing invested"
    yield _line("offered", version["sell_offer"] or no_offer)
    sums, currency = version["investments"], version["document"]["currency"]
    if sums["count"]:
        shown = "" if len(investments) == sums["count"] else f", the latest {len(investments)} of them:"
        yield _line("invested", f"{_money(sums['amount_cents'])} {currency} in {_counted(sums['count'], 'investment')}{shown}")
    width = max((len(_money(one["amount_cents"])) for one in investments), default=0)
    for one in investments:
        who = f"{one['investor']}, {one['portfolio']}/{one['bucket']}"
        yield _line("", f"{_money(one['amount_cents']):>{width}}  {_time(one['made_at'])}  {who}  {one['investment']}")


def _origin(batch: Told | None, version: Told) -> Iterator[Text]:
    yield _line("batch", f"{version['batch']}, byte {version['position']}")
    if batch is None:
        yield _line("sent", "nothing is stored of this batch yet")
    else:
        yield _line("sent", f"{_time(batch['first_event'])} by {batch['originator']}")
        file = f"{batch['documents']} documents, {batch['bytes']} bytes, digest {batch['digest']}"
        yield _line(
            "file", file if batch["digest"] else "digest not known: it is still coming, or the originator produces to the broker itself"
        )
    yield _line("document", f"digest {version['digest']}, {version['source']}")


def _differences(version: Told, *, first: bool) -> Iterator[Text]:
    every = [*version["differences"], *({**one, "field": f"our {one['field']}"} for one in version["reassessed"])]
    if not every and not first:
        yield _line("differs", "in no field that is read: other bytes, or fields of the originator's own")
    width = max((len(one["field"]) for one in every), default=0)
    for number, one in enumerate(every):
        before, after = ("none" if value is None else value for value in (one["before"], one["after"]))
        yield _line("" if number else "differs", f"{one['field']:<{width}}  {before} -> {after}")


def _rejections(found: Told) -> Iterator[Text]:
    if not found["rejections"]:
        return
    yield Text()
    shown, every = len(found["rejections"]), found["counts"]["rejections"]
    yield plain("refused documents" + (f", the latest {shown} of {every}" if shown < every else ""), "bold")
    for one in found["rejections"]:
        yield _line("batch", f"{one['batch']}, byte {one['position']}, {_time(one['rejected_at'])}")
        yield _line("", f"{one['field']} {one['reason']}".lstrip())


def _line(label: str, text: str) -> Text:
    return Text.assemble((f"  {label:<{_LABEL - 2}}", "dim"), plain(text))


def _counted(count: int, name: str) -> str:
    return f"{count} {name}" if count == 1 else f"{count} {name}s"


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"
