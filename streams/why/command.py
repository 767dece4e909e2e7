"""`tranche why`: asks the workers of the system that is up, of which one holds the market."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import click

from schemas.values import money
from streams.embedded.errors import UserError

ANSWER_S: Final = 60  # a worker counts among its Steps
AMOUNTS: Final = ("amount", "open", "held", "invested")
OPERATOR: Final = "tranche-why"
Body = Mapping[str, Any]


@click.command()
@click.argument("portfolio", metavar="INVESTOR/PORTFOLIO")
@click.argument("asset", metavar="[ORIGINATOR/ASSET]", default="")
@click.option("--json", "as_json", is_flag=True, help="What the worker answers, as one line.")
@click.option("--home", type=click.Path(file_okay=False), help="Of the system that is up. [default: $TRANCHE_HOME or .tranche]")
def why(portfolio: str, asset: str, as_json: bool, home: str | None) -> None:
    """Show what decided between a portfolio and an asset, or what keeps a portfolio from filling, with counts of each reason."""
    for text, form in ((portfolio, "INVESTOR/PORTFOLIO"), (asset, "ORIGINATOR/ASSET")):
        if (text or form == "INVESTOR/PORTFOLIO") and not all(text.partition("/")):
            raise UserError(f"{text!r} is no {form}; an example: tranche why anna/income bluebird/DE-2026-000117")
    found = _ask(*_workers(home), {"portfolio": portfolio, "format": "json", **({"asset": asset} if asset else {})})
    from streams import terminal  # noqa: PLC0415 - help is instant

    if as_json:
        terminal.print_json(found)
    else:
        for part in _shown(found):
            terminal.wide().print(part)


def _workers(home: str | None) -> tuple[tuple[str, ...], str]:
    """Where the workers of the system that is up in this home have their views, and the system's secret.

    Raises:
        UserError: nothing runs there.
    """
    from streams import running  # noqa: PLC0415 - help is instant
    from streams.embedded import runfile  # noqa: PLC0415

    own = running.given(home=home)
    run = runfile.running(own.home)
    if not (run and run.ready):
        raise UserError(f"nothing runs in {own.home}, so there is no worker to ask; try `tranche up`")
    return run.ops_urls, run.secret


def _ask(urls: tuple[str, ...], secret: str, query: Mapping[str, str]) -> Body:
    """The answer of the first worker that knows.

    Raises:
        UserError: none does.
    """
    import httpx  # noqa: PLC0415 - help is instant

    from streams.tokens import issue  # noqa: PLC0415
    from streams.topics import MARKETS  # noqa: PLC0415

    held: set[str] = set()
    silent: list[str] = []
    with httpx.Client(
        headers={"Authorization": f"Bearer {issue(secret, 'operator', OPERATOR)}"}, timeout=ANSWER_S, trust_env=False
    ) as client:
        for url in urls:
            try:
                answer = client.get(f"{url}/why", params=query)
                body: Body = answer.json()
            except (httpx.HTTPError, ValueError) as fault:
                silent.append(f"{url} does not answer ({type(fault).__name__})")
                continue
            if answer.status_code == httpx.codes.OK:
                return body
            if answer.status_code not in {httpx.codes.NOT_FOUND, httpx.codes.MISDIRECTED_REQUEST}:
                raise UserError(f"{url}: {body.get('error', answer.status_code)}: {body.get('detail', '')}")
            held.update(body["markets"])
    lacking = [market for market in MARKETS if market not in held]
    if lacking:
        which = "; ".join(silent) or "they may be just moving"
        raise UserError(f"no worker holds the markets {', '.join(lacking)} ({which}), and no other knows {query['portfolio']}; try again")
    raise UserError(f"there is no portfolio {query['portfolio']}: no market has ever had a buy offer of it")


def _shown(found: Body) -> Iterator[Any]:
    """Of the asset a line a bucket; of all that is on offer a line a bucket, and below it one a reason."""
    from rich import box  # noqa: PLC0415 - help is instant
    from rich.table import Column, Table  # noqa: PLC0415

    from streams.terminal import plain  # noqa: PLC0415

    yield plain(_head(found), "bold")
    if not found["buckets"]:
        yield plain(found["text"])
        return
    table = Table("bucket", *(Column(name, justify="right") for name in AMOUNTS), "why", box=box.SIMPLE_HEAD)
    for bucket in found["buckets"]:
        amounts = [money(bucket[f"{name}_cents"]) for name in AMOUNTS]
        first, *more = [bucket["text"]] if "text" in bucket else _lines(bucket)
        table.add_row(plain(bucket["bucket"]), *amounts, plain(first))
        for line in more:
            table.add_row("", "", "", "", "", plain(line))
    yield table


def _head(found: Body) -> str:
    portfolio = f"{found['portfolio']}, version {found['version']}, {found['currency']}"
    if "asset" in found:
        return f"{portfolio}; {found['asset']}"
    return f"{portfolio}; {found['on_offer']:,} assets on offer" + (f", {found['looked_at']:,} of them looked at" if found["cut"] else "")


def _lines(bucket: Body) -> list[str]:
    return [f"{bucket['fit']:,} fit", *(f"  {one['text']}" for one in bucket["decided"]), *(one["text"] for one in bucket["unfit"])]
