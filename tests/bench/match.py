"""`match`: sell offers matched with a full book on one core, beside the naive book and a percolator on the same criteria and assets.

1,000,000 active buy offers over 100,000 criteria of seven predicates, ten of each, and 100,000 assets on offer that nobody wants; about 30
bids fill a sell offer. `matching.py` says what is measured of each subject, which is a process of its own. The naive book has time for
two sell offers; mokaccino finds the criteria and does no more. A tenth of the buy offers, of which as many match, tells the growth.
"""

import json
import statistics
import sys
import tempfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from tests.bench import market, report
from tests.bench.process import running

LIMIT_S: Final = 1_800.0
OFFERS: Final = {"tranche": 10_000, "naive": 2, "mokaccino": 300}
LEAST: Final = {"sell_offers_per_s": 10_000, "bids_per_s": 300_000}
MOST: Final = {"p99_us": 2_000, "rss_mb": 2_000, "growth": 2, "rematch_ratio": 3, "recovery_s": 20}


def main(runs: int = 3, criteria: int = 100_000, offers: Mapping[str, int] = OFFERS) -> dict[str, Any]:
    """Measure, print the table, and return the figures, medians of the runs; null for a peer that is absent.

    Raises:
        RunError: a subject ended without figures.
    """
    say = Console(stderr=True).print
    found: dict[str, list[dict[str, Any]]] = {"small": [], "tranche": [], "mokaccino": [], "naive": []}
    with tempfile.TemporaryDirectory() as folder:
        for run in range(runs):
            for name, how, size in (
                ("small", "tranche", criteria // 10),
                ("tranche", "tranche", criteria),
                ("mokaccino", "mokaccino", criteria),
            ):
                if how != "mokaccino" or find_spec(how):
                    say(f"match: {name}, run {run + 1} of {runs}")
                    found[name].append(_measured(Path(folder), how, size, offers[how]))
        say("match: naive")
        found["naive"].append(_measured(Path(folder), "naive", criteria, offers["naive"]))
    figures = _figures(found)
    _show(figures, criteria, Console(width=None if sys.stdout.isatty() else report.WIDTH))
    return figures


def _measured(folder: Path, how: str, criteria: int, offers: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.bench.matching", how, "--criteria", str(criteria), "--offers", str(offers)]
    with running(command, folder / "log") as process:
        return process.said(LIMIT_S)


def _figures(found: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    ours = {name: statistics.median(run[name] for run in found["tranche"]) for name in found["tranche"][0]}
    small = statistics.median(run["sell_offers_per_s"] for run in found["small"])
    mokaccino = [run["sell_offers_per_s"] for run in found["mokaccino"]]
    (naive,) = found["naive"]
    figures = {"bench": "match", **ours, "growth": round(small / ours["sell_offers_per_s"], 2)}
    figures |= {"naive_sell_offers_per_s": naive["sell_offers_per_s"], "naive_sell_offers": naive["sell_offers"]}
    figures["mokaccino_sell_offers_per_s"] = statistics.median(mokaccino) if mokaccino else None
    figures |= {f"target_{name}": target for name, target in (LEAST | MOST).items()}
    reached = [figures[name] >= least for name, least in LEAST.items()] + [figures[name] <= most for name, most in MOST.items()]
    return figures | {"reached": all(reached), "runs": len(found["tranche"])}


def _show(figures: dict[str, Any], criteria: int, console: Console) -> None:
    table = Table("", "to reach", "measured", title=f"match: {market.CRITERIA_EACH * criteria:,} buy offers over {criteria:,} criteria")
    for name, target in (LEAST | MOST).items():
        reached = figures[name] >= target if name in LEAST else figures[name] <= target
        sign = "\u2265" if name in LEAST else "\u2264"
        table.add_row(name, f"{sign} {target:,}", f"{figures[name]:,}" + ("" if reached else " [bold red]missed"))
    for name in ("p50_us", "bids", "naive_sell_offers_per_s", "mokaccino_sell_offers_per_s"):
        table.add_row(name, "", json.dumps(figures[name]))
    console.print(table)
