"""What the demo shows at its end: a table for people, one JSON line for machines."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from rich.console import Console
from rich.table import Table

from schemas.asset import Change, changed
from schemas.events import Investment, SellOffer

NAMES: Final = ("received", "new", "changed", "unchanged", "rejected", "sell offers", "investments", "invested, USD")


@dataclass(slots=True)
class Figures:
    """All that was counted: batches by originator as the API gave them, and what a subscriber read from the topics."""

    batches: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    sell_offers: Sequence[SellOffer] = ()
    investments: Sequence[Investment] = ()
    seconds: float = 0.0
    worker_rss_mb: float = 0.0
    gateway_rss_mb: float = 0.0

    def counts(self, originator: str) -> Counter[str]:
        """Documents by outcome, and `received`."""
        total: Counter[str] = Counter()
        for batch in self.batches[originator]:
            total.update(batch["counts"])
            total["rejected"] += batch["oversized"]
            total["received"] += batch["documents"]
        return total


def line(figures: Figures) -> bytes:
    """The JSON object of the last line; `changed` counts new and changed documents."""
    totals = sum((figures.counts(originator) for originator in figures.batches), Counter[str]())
    return orjson.dumps(
        {
            "assets": totals["received"],
            "changed": sum(totals[change] for change in Change),
            "unchanged": totals["unchanged"],
            "rejected": totals["rejected"],
            "sell_offers": len(figures.sell_offers),
            "investments": len(figures.investments),
            "invested_cents": sum(investment.amount_cents for investment in figures.investments),
            "seconds": round(figures.seconds, 1),
            "assets_per_s": round(totals["received"] / figures.seconds),
            "worker_rss_mb": round(figures.worker_rss_mb),
            "gateway_rss_mb": round(figures.gateway_rss_mb),
        }
    )


def show(console: Console, figures: Figures, places: Mapping[str, str]) -> None:
    """Print what came of each originator's books, why documents were rejected, and where to look."""
    originators = list(figures.batches)
    table = Table("", *originators, "all", title="Two days on the market")
    reasons = Table("rejected because", *originators, title="Rejected, and why")
    for column in (*table.columns[1:], *reasons.columns[1:]):
        column.justify = "right"
    rows = [_row(figures, originator) for originator in originators]
    for i, name in enumerate(NAMES):
        values = [row[i] for row in rows]
        table.add_row(name, *(_shown(name, value) for value in (*values, sum(values))))
    for (where, why), counts in _reasons(figures).items():
        reasons.add_row(f"{where}: {why}", *(str(counts[originator]) for originator in originators))
    console.print(table, reasons)
    look = Table(title="Where to look", show_header=False)
    for what, place in places.items():
        look.add_row(what, place)
    console.print(look)


def _reasons(figures: Figures) -> dict[tuple[str, str], Counter[str]]:
    """(field, reason) -> rejected documents by originator."""
    found: dict[tuple[str, str], Counter[str]] = {}
    for originator, batches in figures.batches.items():
        for line in (line for batch in batches for line in batch["reasons"]):
            found.setdefault((line["field"], line["reason"]), Counter())[originator] += line["count"]
    return found


def _row(figures: Figures, originator: str) -> list[int]:
    counts = figures.counts(originator)
    made = [investment for investment in figures.investments if investment.originator == originator]
    return [
        counts["received"],
        counts[Change.CREATED],
        changed(counts),
        counts["unchanged"],
        counts["rejected"],
        sum(offer.originator == originator for offer in figures.sell_offers),
        len(made),
        sum(investment.amount_cents for investment in made),
    ]


def _shown(name: str, value: int) -> str:
    return f"{value // 100:,}.{value % 100:02}" if name.startswith("invested") else f"{value:,}"
