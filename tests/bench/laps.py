"""Measures a worker from inside: from the first asset that an agent sees to the commit of the last that an agent must see.

The probes wrap a stage's function, and what counts the Steps; the Step, the runner and the app are those of every worker.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from streams import metrics
from streams.effects import Effects, Message, Stage
from tests.bench.peers.lap import peak_rss_mb

Count = Callable[[Message], int]


class Laps:
    """Prints one line of JSON for every `assets` assets committed; the next asset seen begins the next lap."""

    def __init__(self, assets: int) -> None:
        self.assets, self.committed, self.rows, self.started = assets, 0, 0, 0.0
        self._under_way: dict[int, int] = {}  # partition -> assets of the Step under way

    def first(self, stage: Stage) -> Stage:
        """The stage, beginning a lap with the first message that it sees."""

        def compute(state: Any, messages: Sequence[Message]) -> Effects:
            self.started = self.started or time.perf_counter()
            return stage.compute(state, messages)

        return replace(stage, compute=compute)

    def last(self, stage: Stage, count: Count) -> Stage:
        """The stage, ending a lap with the commit of the last asset; `count` says how many assets are in a message.

        A Step is counted when it has been committed and its rows have been taken in, and only then.
        """

        def compute(state: Any, messages: Sequence[Message]) -> Effects:
            self._under_way[messages[0].partition] = sum(map(count, messages))
            return stage.compute(state, messages)

        committed = metrics.step

        def step(agent: str, partition: int, *, rows: int, **figures: Any) -> None:
            committed(agent, partition, rows=rows, **figures)
            if agent == stage.name:
                self.done(self._under_way.pop(partition), rows)

        metrics.step = step
        return replace(stage, compute=compute)

    def done(self, assets: int, rows: int) -> None:
        self.committed += assets
        self.rows += rows
        if self.committed >= self.assets:
            seconds = time.perf_counter() - self.started
            print(json.dumps({"assets_per_s": round(self.committed / seconds), "rss_mb": peak_rss_mb(), "rows": self.rows}), flush=True)
            self.committed, self.rows, self.started = 0, 0, 0.0


def documents(message: Message) -> int:
    """How many documents are in a message of `assets.ingest`: as many as its positions; one of the book's without them is one."""
    positions = dict(message.headers).get("positions")
    return 1 if positions is None else len(positions) // 8
