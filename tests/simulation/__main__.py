"""Many simulations, side by side: `python -m tests.simulation --seeds 10000`; or one, with its whole story: `--seed N`.

The last line is JSON. The exit code is 1 if any seed found anything.
"""

import json
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from tests.audit.findings import KINDS
from tests.simulation.many import Result, run
from tests.simulation.world import simulate

CHUNK = 20  # seeds that one job runs


def run_all(first: int, seeds: int | None, jobs: int, seconds: float | None, progress: Progress) -> Result:
    """Run `seeds` seeds from `first` on, or for so many seconds, in `jobs` processes."""
    total = Result()
    bar = progress.add_task("seeds", total=seeds)
    chunks: Iterator[tuple[int, int]] = _chunks(first, seeds, time.monotonic() + seconds if seconds else None)
    under_way: set[Future[Result]] = set()
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        while True:
            while len(under_way) < 2 * jobs and (chunk := next(chunks, None)):
                under_way.add(pool.submit(run, *chunk))
            if not under_way:
                return total
            done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
            for future in done:
                result = future.result()
                total.add(result)
                progress.advance(bar, result.seeds)
                for seed, what in result.failing.items():
                    progress.console.print(f"seed {seed}: {what}\n  replay: python -m tests.simulation --seed {seed}", style="red")


def _chunks(first: int, seeds: int | None, until: float | None) -> Iterator[tuple[int, int]]:
    done = 0
    while (seeds is None or done < seeds) and (until is None or time.monotonic() < until):
        count = CHUNK if seeds is None else min(CHUNK, seeds - done)
        yield first + done, count
        done += count


def _replay(seed: int) -> int:
    """One seed's story, then what was found."""
    outcome = simulate(seed, print)
    for name, count in outcome.faults.most_common():
        print(f"{count:6} {name}")
    print(f"{outcome.seconds:.1f} simulated seconds; story {outcome.told}")
    print("\n".join(outcome.findings.lines()) or "nothing was found")
    return 1 if outcome.findings else 0


def _report(result: Result, seconds: float) -> dict[str, Any]:
    found = {kind: result.found[kind] for kind in KINDS}
    faults = dict(result.faults.most_common())
    failing = sorted(result.failing)
    return {"seeds": result.seeds, "faults": faults, **found, "seconds": round(seconds, 1), "failing_seeds": failing}


@click.command()
@click.option("--seeds", type=click.IntRange(1), default=1000, show_default=True, help="How many seeds to run.")
@click.option("--first", type=click.IntRange(0), default=0, show_default=True, help="The first of them.")
@click.option("--jobs", type=click.IntRange(1), default=os.cpu_count(), show_default=True, help="Processes side by side.")
@click.option("--minutes", type=click.FloatRange(0, min_open=True), help="Run for so long, instead of a number of seeds.")
@click.option("--seed", type=click.IntRange(0), help="Replay this seed, and tell its story.")
def main(seeds: int, first: int, jobs: int, minutes: float | None, seed: int | None) -> None:
    """Simulate workers, broker and database with faults, and compare all that comes out with a plain sequential run."""
    if seed is not None:
        sys.exit(_replay(seed))
    began = time.monotonic()
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        result = run_all(first, None if minutes else seeds, jobs, minutes * 60 if minutes else None, progress)
    table = Table("fault", "times", title=f"{result.seeds} simulations")
    for name, count in result.faults.most_common():
        table.add_row(name, str(count))
    console.print(table)
    print(json.dumps(_report(result, time.monotonic() - began)))
    sys.exit(1 if result.failing else 0)


if __name__ == "__main__":
    main()
