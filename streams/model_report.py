"""`tranche model-report`: how well a product's score and groups separate bad loans from good ones on a tape, as a table and a picture.

Bad is what `agents/assessor/tape.py` calls a default; every other loan that was watched is good, however short. So the figures are of the
months that the tape has, and no forecast for the whole term.
"""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from agents.assessor.calibration import interval
from agents.assessor.discrimination import Separation, separation
from schemas.product import Product
from streams import tapes, terminal
from streams.embedded.errors import UserError
from streams.pictures import FAINT, INK, figure_of, save
from streams.terminal import plain


def main(product: Product, path: Path | None, as_of: date | None, picture: Path | None, *, as_json: bool) -> None:
    """Print the report; draw it where `picture` says.

    Raises:
        UserError: the tape cannot be read or has no bad loans, or the picture cannot be drawn.
    """
    tape = tapes.load(product, path, as_of)
    try:
        found = separation(tape.score, tape.watched.defaulted)
    except ValueError as fault:
        raise UserError(f"{tape.name}: {fault}") from fault
    report = figures(product, tape, found)
    if picture:
        _draw(report, found, picture)
    if as_json:
        terminal.print_json(report)
        return
    console = Console()
    console.print(plain(f"{product.product}, version {product.version}, on {tape.name}, as of {tape.as_of}"))
    console.print(table_of(report))
    console.print(f"AUC {report['auc']:.3f} ± {report['auc_within']:.3f} (95 %), Gini {2 * report['auc'] - 1:.3f}, KS {report['ks']:.3f}")
    if picture:
        console.print(plain(f"picture: {picture}"))


def figures(product: Product, tape: tapes.Tape, found: Separation) -> dict[str, Any]:
    """The report as JSON has it; shares are fractions."""
    rows = []
    for place, group in enumerate(product.groups):
        inside = tape.group == place
        loans, bad = int(inside.sum()), int((tape.watched.defaulted & inside).sum())
        low, high = (min(bound / loans, 1.0) if loans else None for bound in interval(bad))
        rows.append({"group": group.name, "from_score": group.from_score, "loans": loans, "bad": bad, "low": low, "high": high})
    named = {"product": product.product, "version": product.version, "tape": tape.name, "as_of": tape.as_of.isoformat()}
    return {**named, "loans": len(tape.score), "auc": found.auc, "auc_within": found.within, "ks": found.ks, "groups": rows}


def table_of(report: dict[str, Any]) -> Table:
    """A line a group, the best first."""
    table = Table("group", box=box.SIMPLE_HEAD)
    for name in ("from score", "loans", "share", "bad", "bad rate", "95 %"):
        table.add_column(name, justify="right")
    for row in report["groups"]:
        share, loans = f"{row['loans'] / report['loans']:.1%}", row["loans"]
        rates = (f"{row['bad'] / loans:.2%}", f"{row['low']:.2%} to {row['high']:.2%}") if loans else ("", "")
        table.add_row(plain(row["group"]), f"{row['from_score']:,}", f"{loans:,}", share, f"{row['bad']:,}", *rates)
    return table


def _draw(report: dict[str, Any], found: Separation, picture: Path) -> None:
    figure = figure_of(f"{report['product']}, version {report['version']}: {report['loans']:,} loans as of {report['as_of']}")
    curve, bars = figure.subplots(1, 2)
    curve.plot(found.lost, found.caught, color=INK, linewidth=2)
    curve.plot([0, 1], [0, 1], color=FAINT, linestyle=":")
    curve.set(xlabel="good loans below the cut-off", ylabel="bad loans below the cut-off", xlim=(0, 1), ylim=(0, 1), aspect="equal")
    curve.set_title(f"AUC {report['auc']:.3f} ± {report['auc_within']:.3f}, KS {report['ks']:.3f}")
    rows = [row for row in report["groups"] if row["loans"]]
    rates = np.array([row["bad"] / row["loans"] for row in rows]) * 100
    ends = np.array([[row["low"], row["high"]] for row in rows]).T * 100
    bars.bar([row["group"] for row in rows], rates, color=FAINT, yerr=abs(ends - rates), ecolor=INK, capsize=4)
    bars.set(title="bad loans by group, with the 95 % interval", ylabel="% of the group's loans", xlabel="group")
    save(figure, picture)
