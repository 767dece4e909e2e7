"""Measures a worker from inside: from the first asset that an agent sees to the commit of the last that an agent must see.

The probes wrap a stage's function and state; the Step, the runner and the app are those of every worker.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from streams.effects import Effects, Message, Rows, Stage, State
from tests.bench.peers.lap import peak_rss_mb

Count = Callable[[Message], int]


class Laps:
    """Prints one line of JSON for every `assets` assets committed; the next asset seen begins the next lap."""

    def __init__(self, assets: int) -> None:
        self.assets, self.committed, self.rows, self.started = assets, 0, 0, 0.0

    def first(self, stage: Stage) -> Stage:
        """The stage, beginning a lap with the first message that it sees."""

        def compute(state: Any, messages: Sequence[Message]) -> Effects:
            self.started = self.started or time.perf_counter()
            return stage.compute(state, messages)

        return replace(stage, compute=compute)

    def last(self, stage: Stage, count: Count) -> Stage:
        """The stage, ending a lap with the commit of the last asset; `count` says how many assets are in a message."""

        def compute(state: Any, messages: Sequence[Message]) -> Effects:
            state.under_way = sum(map(count, messages))
            return stage.compute(state.state, messages)

        return replace(stage, compute=compute, state=lambda: _Counted(stage.state(), self.done))

    def done(self, assets: int, rows: int) -> None:
        self.committed += assets
        self.rows += rows
        if self.committed >= self.assets:
            seconds = time.perf_counter() - self.started
            print(json.dumps({"assets_per_s": round(self.committed / seconds), "rss_mb": peak_rss_mb(), "rows": self.rows}), flush=True)
            self.committed, self.rows, self.started = 0, 0, 0.0


class _Counted:
    """A State that says how many assets were committed: the Step applies rows after the commit, and only then."""

    def __init__(self, state: State, done: Callable[[int, int], None]) -> None:
        self.state, self.under_way, self._done = state, 0, done

    def apply(self, rows: Rows) -> None:
        self.state.apply(rows)
        if self.under_way:  # and not the table's rows of an opening
            self._done(self.under_way, len(rows))
            self.under_way = 0


def documents(message: Message) -> int:
    """How many documents are in a message of `assets.ingest`: as many as its positions; one of the book's without them is one."""
    positions = dict(message.headers).get("positions")
    return 1 if positions is None else len(positions) // 8
