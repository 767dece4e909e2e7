"""`tranche allocation-report`: how evenly a market served its investors, as a table and a picture.

Of every portfolio's newest version: what its buy offers were still to buy when the time began, and what they bought in it. Older versions
are over, and so is what they asked.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.table import Column, Table

from agents.matcher.evenness import Asked, Evenness, evenness
from schemas.events import BuyOffer, decode_market, encode
from streams import terminal
from streams.embedded.errors import UserError
from streams.pictures import FAINT, INK, figure_of, save
from streams.terminal import plain

SHOWN: Final = 20  # investors that the table has, from either end
_OFFERS: Final = "SELECT offers FROM portfolios WHERE octet_length(offers) > 2 ORDER BY investor, portfolio"
_INVESTED: Final = """
    SELECT buy_offer, coalesce(sum(amount_cents) FILTER (WHERE made_at < $2), 0)::bigint AS before,
           coalesce(sum(amount_cents) FILTER (WHERE made_at >= $2), 0)::bigint AS since
    FROM investments WHERE currency = $1 AND made_at < $3 GROUP BY buy_offer"""


def main(dsn: str, currency: str, since: datetime, until: datetime, picture: Path | None, *, as_json: bool) -> None:
    """Print the report; draw it where `picture` says.

    Raises:
        UserError: nothing was invested in that time, the database does not answer, or the picture cannot be drawn.
    """
    try:
        found = evenness(asyncio.run(_asked(dsn, currency, since, until)))
    except ValueError as fault:
        raise UserError(f"{currency}: {fault} from {since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M} UTC") from fault
    if picture:
        _draw(found, currency, picture)
    if as_json:
        terminal.print_json({"currency": currency, "since": since, "until": until, **figures(found)})
        return
    console = Console()
    console.print(table_of(found.lines))
    console.print(f"Gini {found.gini:.3f}; {found.among_equals:.3f} among those who asked for the same")
    if picture:
        console.print(plain(f"picture: {picture}"))


async def _asked(dsn: str, currency: str, since: datetime, until: datetime) -> list[Asked]:
    async with (
        terminal.database(dsn) as pool,
        pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        invested = {row["buy_offer"]: row for row in await connection.fetch(_INVESTED, currency, since, until)}
        rows = await connection.fetch(_OFFERS)
    asked = []
    for offer in (offer for row in rows for offer in decode_market(row["offers"])):
        if isinstance(offer, BuyOffer) and offer.currency == currency:
            before, bought = (invested[offer.offer][name] if offer.offer in invested else 0 for name in ("before", "since"))
            if (demanded := offer.amount_cents - before) > 0:
                asked.append(Asked(offer.investor, encode((offer.criteria, sorted(offer.agreements))), demanded, bought))
    return asked


def figures(found: Evenness) -> dict[str, Any]:
    """The report as JSON has it; shares are fractions."""
    return {"gini": found.gini, "gini_among_equals": found.among_equals, "investors": [line._asdict() for line in found.lines]}


def table_of(lines: Sequence[Any]) -> Table:
    """A line an investor, the least served first; of many those at either end."""
    table = Table(Column("investor", no_wrap=True, overflow="fold"), box=box.SIMPLE_HEAD)
    for name in ("buy offers", "demanded", "invested", "filled", "share demanded", "share invested"):
        table.add_column(name, justify="right")
    left_out = len(lines) - 2 * SHOWN
    for place, line in enumerate(lines):
        if left_out > 0 and SHOWN <= place < len(lines) - SHOWN:
            if place == SHOWN:
                table.add_row(f"… {left_out:,} more")
            continue
        money = (f"{cents / 100:,.2f}" for cents in (line.demanded_cents, line.served_cents))
        shares = (f"{share:.3%}" for share in (line.demanded_share, line.served_share))
        table.add_row(plain(line.investor), f"{line.offers:,}", *money, f"{line.served_cents / line.demanded_cents:.1%}", *shares)
    return table


def _draw(found: Evenness, currency: str, picture: Path) -> None:
    figure = figure_of(f"{currency}: {len(found.lines):,} investors, Gini {found.gini:.3f}, {found.among_equals:.3f} among equals")
    points, curve = figure.subplots(1, 2)
    shares = [(line.demanded_share * 100, line.served_share * 100) for line in found.lines]
    most = max(max(pair) for pair in shares)
    points.scatter(*zip(*shares, strict=True), color=INK, s=12, alpha=0.6)
    points.plot([0, most], [0, most], color=FAINT, linestyle=":")
    points.set(title="each investor", xlabel="% of all that was demanded", ylabel="% of all that was invested")
    curve.plot(found.demanded, found.served, color=INK, linewidth=2)
    curve.plot([0, 1], [0, 1], color=FAINT, linestyle=":")
    curve.set(title="the least served first", xlabel="share demanded", ylabel="share invested", xlim=(0, 1), ylim=(0, 1), aspect="equal")
    save(figure, picture)
