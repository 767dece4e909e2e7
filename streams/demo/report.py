"""What the demo shows at its end: a table for people, one JSON line for machines."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

from schemas.asset import Change
from schemas.events import Investment, SellOffer


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
    table = Table(title="Two days on the market", show_footer=True)
    names = ("received", "new", "changed", "unchanged", "rejected", "sell offers", "investments", "invested, USD")
    rows = {originator: _row(figures, originator) for originator in figures.batches}
    totals = [sum(row[i] for row in rows.values()) for i in range(len(names))]
    table.add_column("originator", footer="all")
    for name, total in zip(names, totals, strict=True):
        table.add_column(name, justify="right", footer=_shown(name, total))
    for originator, row in rows.items():
        table.add_row(originator, *(_shown(name, value) for name, value in zip(names, row, strict=True)))
    console.print(table)
    reasons = Table(title="Rejected, and why")
    for name in ("originator", "field", "reason"):
        reasons.add_column(name, overflow="fold")
    reasons.add_column("documents", justify="right")
    for originator, batches in figures.batches.items():
        for reason in (reason for batch in batches for reason in batch["reasons"]):
            reasons.add_row(originator, reason["field"], reason["reason"], str(reason["count"]))
    console.print(reasons)
    where = Table(title="Where to look", show_header=False)
    for what, place in places.items():
        where.add_row(what, place)
    console.print(where)


def _row(figures: Figures, originator: str) -> list[int]:
    counts = figures.counts(originator)
    made = [investment for investment in figures.investments if investment.originator == originator]
    return [
        counts["received"],
        counts[Change.CREATED],
        sum(counts[change] for change in Change) - counts[Change.CREATED],
        counts["unchanged"],
        counts["rejected"],
        sum(offer.originator == originator for offer in figures.sell_offers),
        len(made),
        sum(investment.amount_cents for investment in made),
    ]


def _shown(name: str, value: int) -> str:
    return f"{value // 100:,}.{value % 100:02}" if name.startswith("invested") else f"{value:,}"
