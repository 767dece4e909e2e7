"""`python -m tests.fuzz [--documents 1000000] [--seed N]`: mutated documents of real loans through the gateway's cutting and all agents.

A seed is a life of intake: FILES files one after the other. The last line is JSON; the exit code is 1 if anything was found, and what
was found is shrunk and kept in tests/fuzz/found/. `unaccounted` counts the seeds in which something did not come out as it must,
`crashes` those in which something was raised.
"""

import json
import multiprocessing
import os
import sys
import time
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from typing import Final

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from schemas.asset import OUTCOMES, Change
from tests.fuzz.many import Lived, live

FINDINGS_MAX: Final = 10  # then it ends: more of them say no more


def live_all(documents: int, first: int, jobs: int, progress: Progress) -> Counter[str]:
    """Lives from seed `first` on until so many documents came out, in `jobs` processes."""
    total: Counter[str] = Counter()
    bar, seed = progress.add_task("documents", total=documents), first
    under_way: set[Future[Lived]] = set()
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        while True:
            enough = done_of(total) >= documents or total["crashes"] + total["unaccounted"] >= FINDINGS_MAX
            while len(under_way) < jobs and not enough:
                under_way.add(pool.submit(live, seed))
                seed += 1
            if not under_way:
                return total
            done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
            for lived in (future.result() for future in done):
                total.update(lived.counts)
                if lived.fault:
                    progress.console.print(f"seed {lived.seed}, {lived.fault}\nkept: {lived.kept}", style="red", markup=False)
            progress.update(bar, completed=done_of(total))


def done_of(counts: Counter[str]) -> int:
    """Documents that came out, those included that the gateway passed over."""
    return sum(counts[outcome] for outcome in (*OUTCOMES, "oversized"))


def figures(counts: Counter[str], seconds: float) -> dict[str, object]:
    """The JSON. The outcomes add up to `documents`."""
    return {
        "fuzz": "documents",
        "documents": done_of(counts),
        "accepted": sum(counts[change] for change in Change),
        **{name: counts[name] for name in ("unchanged", "stale")},
        "rejected": counts["rejected"] + counts["oversized"],
        **{name: counts[name] for name in ("investments", "unaccounted", "crashes")},
        "bytes_behind_broken_frames": counts["lost bytes"],
        "seconds": round(seconds, 1),
    }


@click.command()
@click.option("--documents", type=click.IntRange(1), default=1_000_000, show_default=True, help="How many documents must come out.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="The first seed; each is a life of its own.")
@click.option("--jobs", type=click.IntRange(1), default=os.cpu_count(), show_default=True, help="Processes side by side.")
def main(documents: int, seed: int, jobs: int) -> None:
    """Mutated documents of real loans, as files in random pieces and as messages, through intake and all that stands behind it."""
    began = time.monotonic()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        counts = live_all(documents, seed, jobs, progress)
    print(json.dumps(figures(counts, time.monotonic() - began)))
    sys.exit(1 if counts["crashes"] + counts["unaccounted"] else 0)


if __name__ == "__main__":
    main()
