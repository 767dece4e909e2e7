"""What every Python peer does besides its job: read its arguments, count, and say its rate and its peak memory."""

import argparse
import json
import os
import time
from pathlib import Path
from typing import NoReturn


def arguments() -> argparse.Namespace:
    """kafka (host:port), source and out (topics), assets (how many to process), id (of the group, new in every run), work (a folder)."""
    parser = argparse.ArgumentParser()
    for name in ("kafka", "source", "out", "id", "work"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--assets", type=int, required=True)
    return parser.parse_args()


def peak_rss_mb() -> int:
    """This process's peak resident memory in MB; getrusage would count what its parent had before the exec."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) // 1024


class Lap:
    """Counts assets from the first to the last, then says the rate and ends the process: what comes after is not measured."""

    def __init__(self, assets: int) -> None:
        self.assets, self.seen, self.started = assets, 0, 0.0

    def one(self) -> None:
        if not self.seen:
            self.started = time.perf_counter()
        self.seen += 1

    def end(self) -> None:
        if self.seen >= self.assets:
            say(self.assets, time.perf_counter() - self.started)


def say(assets: int, seconds: float) -> NoReturn:
    print(json.dumps({"assets_per_s": round(assets / seconds), "rss_mb": peak_rss_mb()}), flush=True)
    os._exit(0)
