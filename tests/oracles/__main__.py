"""`python -m tests.oracles --loans N --seed N`: random loans by columns and one by one, compared to the cent, instalment by instalment.

Half of them by months, in Decimal (`monthly.py`), half by days, in fractions (`dated.py`), and half of these with irregular first and last
periods. Of each chunk's loans some are made so that interest or instalment ends on half a cent. The last line is JSON; exit code 1 if
anything differs.
"""

import argparse
import json
import multiprocessing
import sys
import time
from typing import Final

from rich.console import Console
from rich.progress import track

from tests.oracles.chunk import CHUNK, check

TOLD: Final = 20  # differences that are printed


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.oracles")
    parser.add_argument("--loans", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    asked = parser.parse_args()
    chunks, started, console = -(-asked.loans // CHUNK), time.perf_counter(), Console(stderr=True)
    instalments, ties, differences = 0, 0, []
    with multiprocessing.get_context("spawn").Pool() as pool:
        results = pool.imap_unordered(check, range(asked.seed * 1_000_000, asked.seed * 1_000_000 + chunks), chunksize=4)
        for one in track(results, "loans, by columns and one by one", chunks, console=console, disable=not console.is_terminal):
            instalments, ties = instalments + one.instalments, ties + one.ties
            differences += one.differences
    for line in differences[:TOLD]:
        print(line, file=sys.stderr)
    figures = {"loans": chunks * CHUNK, "instalments": instalments, "ties": ties, "differ": len(differences)}
    print(json.dumps({"oracles": asked.seed, **figures, "seconds": round(time.perf_counter() - started, 1)}))
    sys.exit(bool(differences))


if __name__ == "__main__":
    main()
