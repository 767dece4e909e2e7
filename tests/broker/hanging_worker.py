"""A worker of its own for tests: the two agents of the counting worker, of which the first hangs as long as a file is there.

Arguments: the name of the test, the folder of the files, the seconds after which the watch calls it stalled, and those after which it
stops. A file `fault` makes the agent raise.
"""

import asyncio
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

from schemas.catalog import Catalog
from schemas.published import Products
from streams import views
from streams.app import App, build, start
from streams.settings import load
from streams.store import Store
from streams.why.markets import Markets
from tests.broker.counting_worker import AGENTS, stage


def worker(name: str, folder: Path, stalled_s: float, stop_s: float) -> App:
    async def while_there(file: str) -> None:
        while (folder / file).exists():  # noqa: ASYNC110 - another process takes it away
            await asyncio.sleep(0.02)

    first, second = (stage(name, agent) for agent in AGENTS)
    computes = first.compute

    hanging = str(folder / "compute")

    def compute(*given):
        while os.access(hanging, os.F_OK):  # no Python of its own: the watch is to find the process in this very function
            time.sleep(0.02)
        if (folder / "fault").exists():
            raise RuntimeError("as it was told")
        return computes(*given)

    settings = load()
    store = Store(settings.postgres)
    app = build(settings, [replace(first, compute=compute), second])
    holds = app.runners[0]._hold

    def hold(number: int):
        held = holds(number)
        return Slow(held, while_there)

    app.runners[0]._hold = hold
    app.watch.stalled_s, app.watch.stop_s, app.watch.look_s = stalled_s, stop_s, 0.2
    known = Products()
    views.install(app, store, settings, app.watch, known, Markets(app.runners, Catalog(known, {}, ())))
    return app


class Slow:
    """A partition whose opening and whose Steps wait while a file is there."""

    def __init__(self, held, while_there) -> None:
        self._held, self._while_there = held, while_there

    @property
    def offset(self) -> int:
        return self._held.offset

    async def open(self) -> None:
        await self._while_there("open")
        await self._held.open()

    async def step(self, messages) -> None:
        await self._while_there("step")
        await self._held.step(messages)

    async def close(self) -> None:
        await self._held.close()


if __name__ == "__main__":
    start(worker(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])))
