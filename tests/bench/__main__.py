"""`python -m tests.bench NAME [--runs N]`: measures Tranche, and its peers in the same run; README.md has the targets.

Each bench prints a table and, as its last line, one JSON object. A missed target is reported and is no error; exit code 1 says that a bench
could not be run, 2 that there is none of that name.
"""

import argparse
import json
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from rich.console import Console

from streams import logs
from streams.embedded.errors import UserError
from tests.bench import agents, assess, delivery, diff, latency, ledger, match, recovery, report, runner, scale, upload
from tests.bench.process import RunError


def compared(name: str, opened: runner.Open, runs: int) -> dict[str, Any]:
    """Run a bench of subjects and print its table; returns its figures."""
    bench, outcomes = runner.run(name, opened, runs, Console(stderr=True))
    report.show(bench, outcomes, Console(width=None if sys.stdout.isatty() else report.WIDTH))
    return report.figures(bench, outcomes)


BENCHES: Final[dict[str, Callable[[int], dict[str, Any]]]] = {
    "diff": partial(compared, "diff", diff.opened),
    "intake": partial(compared, "intake", agents.intake),
    "redelivery": partial(compared, "redelivery", agents.redelivery),
    "pipeline": partial(compared, "pipeline", agents.pipeline),
    "single": partial(compared, "single", agents.single),
    "assess": assess.main,
    "match": match.main,
    "ledger": ledger.main,
    "upload": upload.main,
    "recovery": recovery.main,
    "latency": latency.main,
    "scale": scale.main,
    "delivery": delivery.main,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="tranche bench", description="Measure Tranche, and its peers in the same run.")
    parser.add_argument("name", choices=[*BENCHES, "all"])
    parser.add_argument("--runs", type=int, default=3, help="runs of every subject, interleaved (default: 3)")
    parser.add_argument("--size", type=int, help="criteria of the market of `match` (default: 100,000); another changes what it says")
    given = parser.parse_args()
    if given.runs < 1:
        parser.error("--runs must be at least 1")
    logs.warnings_only()
    benches = BENCHES if given.size is None else {"match": partial(match.main, criteria=given.size)}
    if given.name not in ("all", *benches):
        parser.error("--size is for match")
    return max([_run(name, benches[name], given.runs) for name in (benches if given.name == "all" else [given.name])])


def _run(name: str, bench: Callable[[int], dict[str, Any]], runs: int) -> int:
    try:
        figures = bench(runs)
    except (RunError, UserError) as fault:
        Console(stderr=True).print(f"{name}: {fault}", markup=False)
        return 1
    print(json.dumps(figures), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
