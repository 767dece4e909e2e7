"""`python -m tests.chaos [--minutes N] [--seed S] [--assets N]`: a real system under faults, checked per key; README.md says more.

Prints what was found, and as its last line one JSON object. Exit code 1 says that something was found.
"""

import argparse
import json
import logging
import random
import signal
import sys

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from streams import logs
from tests.chaos.run import Chaos


def main() -> int:
    parser = argparse.ArgumentParser(prog="tranche chaos", description="Disturb a real system while input flows, then check everything.")
    parser.add_argument("--minutes", type=float, default=10, help="of faults; one of each kind at least is made (default: 10)")
    parser.add_argument("--seed", type=int, help="of the faults and the input (default: chance)")
    parser.add_argument("--assets", type=int, default=0, help="load that many first, then kill workers only and measure their recovery")
    given = parser.parse_args()
    seed = random.randrange(1_000_000) if given.seed is None else given.seed
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what was started is stopped
    logs.warnings_only()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # that the broker is away is no news here
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(f"chaos, seed {seed}", total=None)

        def say(phase: str, more: str) -> None:
            text = f"chaos, seed {seed}: {phase}" + (f" ({more})" if more else "")
            progress.update(task, description=text)
            if not console.is_terminal:
                console.print(text, soft_wrap=True)

        outcome = Chaos(seed, given.minutes, given.assets, say).run()
    for finding in outcome.findings:
        console.print(finding, markup=False, soft_wrap=True)
    if outcome.logs:
        console.print(f"replay with --seed {seed}; logs are kept in {outcome.logs}", soft_wrap=True)
    print(json.dumps(outcome.figures), flush=True)
    return 1 if outcome.findings else 0


if __name__ == "__main__":
    sys.exit(main())
