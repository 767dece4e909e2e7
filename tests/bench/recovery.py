"""`recovery`: a worker that was killed starts again, and its table of 1,000,000 assets in eight partitions is ready.

The table's changelog is written by our own Step. Each round starts three workers, each with the intake agent as every worker runs it: with
its table in memory and with an empty RocksDB, which both read the changelog, and, killed after that, with the RocksDB that it left behind.
"""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from agents.intake.versions import ABSENT, Latest
from streams import topics
from streams.broker import KafkaBroker
from streams.effects import Effects, Message, Stage
from streams.partition import asset_key, partition_of
from streams.step import Partition
from tests.bench import broker, opening, system
from tests.bench.books import Item
from tests.bench.process import RunError

ASSETS: Final = 1_000_000
ORIGINATOR: Final = b"bluebird"
STEP_ROWS: Final = 2_500
LIMIT_S: Final = 120.0
SEED: Final = 7
BROKER_S_MAX, LOCAL_S_MAX = 10.0, 3.0
STORES: Final = {
    "memory": "from the broker alone, in memory",
    "rocksdb": "from the broker alone, RocksDB",
    "local": "with its local RocksDB",
}


class Opened(NamedTuple):
    """One worker: seconds from its first partition's opening to the last's end, from its process's start; its peak memory in MB."""

    open_s: float
    ready_s: float
    rss_mb: int


def main(runs: int = 3) -> dict[str, object]:
    """Measure, print a table, and return the medians; memory is the largest of all runs.

    Raises:
        RunError: a worker did not open its partitions, or its rows are not those that were written.
    """
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    found: dict[str, list[Opened]] = {store: [] for store in STORES}
    with TemporaryDirectory(prefix="tranche-bench-") as work, Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("recovery: starting Kafka", total=runs * len(STORES))
        with system.kafka_with_topics(Path(work)) as kafka:
            progress.update(task, description=f"recovery: writing {ASSETS:,} assets")
            tables = make_tables(ASSETS)
            asyncio.run(write(kafka, tables))
            expected = opening.hash_of(table.items() for table in tables)
            for run in range(1, runs + 1):
                for store, opened in found.items():
                    progress.update(task, description=f"recovery: {STORES[store]}, run {run} of {runs}")
                    opened.append(_open(kafka, Path(work), store, run, expected))
                    progress.advance(task)
    figures = _figures(found)
    _show(found, figures)
    return figures


def make_tables(assets: int) -> list[dict[bytes, bytes]]:
    """The rows of so many assets by partition, as intake packs them, with digests that do not compress."""
    digests = np.random.default_rng(SEED).bytes(24 * assets)
    tables: list[dict[bytes, bytes]] = [{} for _ in range(topics.ASSET_PARTITIONS)]
    for n in range(assets):
        key, digest = asset_key(ORIGINATOR, b"L%07d" % n), digests[24 * n : 24 * n + 24]
        latest = Latest(digest[:16], 1, digest[16:], 0, 10_000_00 + n, n, n // 7, 0, 36, ABSENT)
        tables[partition_of(key, len(tables))][key] = latest.pack()
    return tables


async def write(kafka: str, tables: Sequence[dict[bytes, bytes]]) -> None:
    """Write the changelog of intake's table, in Steps of STEP_ROWS rows, each of one message of `assets.ingest`."""
    steps = [-(-len(table) // STEP_ROWS) for table in tables]
    broker.load(kafka, topics.INGEST.name, (Item(number, b"", b"", [], 0) for number, count in enumerate(steps) for _ in range(count)))
    await asyncio.gather(*(_write_one(kafka, number, list(table.items())) for number, table in enumerate(tables)))


async def _write_one(kafka: str, number: int, rows: list[opening.Row]) -> None:
    def compute(_: Any, messages: Sequence[Message]) -> Effects:
        start = messages[0].offset * STEP_ROWS
        return Effects(rows=dict(rows[start : start + STEP_ROWS]))

    partition = Partition(Stage("intake", topics.INGEST, topics.INTAKE_TABLE, compute), number, KafkaBroker(kafka), "before")
    await partition.open()
    for offset in range(-(-len(rows) // STEP_ROWS)):
        await partition.step([Message(topics.INGEST.name, number, offset, 0, None, b"", ())])
    await partition.close()


def _open(kafka: str, work: Path, store: str, run: int, expected: str) -> Opened:
    tables = "memory" if store == "memory" else "rocksdb"
    name = f"{tables}-{run}"
    started = time.perf_counter()
    with system.run_worker("recovery", topics.ASSET_PARTITIONS, kafka=kafka, group=name, log=work / f"{name}.log", tables=tables) as worker:
        figures = worker.said(LIMIT_S)
        ready_s = time.perf_counter() - started
        found = worker.said(LIMIT_S)
    if found != {"rows": ASSETS, "hash": expected}:
        raise RunError(f"{name}, {STORES[store]}: {found} was opened, not {ASSETS} rows with the hash {expected}")
    return Opened(figures["open_s"], ready_s, figures["rss_mb"])


def _figures(found: dict[str, list[Opened]]) -> dict[str, object]:
    figures: dict[str, Any] = {"bench": "recovery", "assets": ASSETS}
    for store, opened in found.items():
        figures[f"{store}_s"] = round(median(one.open_s for one in opened), 2)
        figures[f"{store}_start_s"] = round(median(one.ready_s for one in opened), 2)
        figures[f"{store}_rss_mb"] = max(one.rss_mb for one in opened)
    targets = {"memory": BROKER_S_MAX, "rocksdb": BROKER_S_MAX, "local": LOCAL_S_MAX}
    figures |= {f"target_{store}_s": limit for store, limit in targets.items()}
    figures["reached"] = all(figures[f"{store}_s"] <= limit for store, limit in targets.items())
    return figures | {"runs": len(found["memory"])}


def _show(found: dict[str, list[Opened]], figures: dict[str, Any]) -> None:
    title = f"recovery: {ASSETS:,} assets in {topics.ASSET_PARTITIONS} partitions ready, the same as before by their hash"
    table = Table("", "target", "median", "min … max", "from the process's start", "peak MB", title=title, title_justify="left")
    for store, name in STORES.items():
        times = sorted(one.open_s for one in found[store])
        table.add_row(
            name,
            f"at most {figures[f'target_{store}_s']:g} s",
            f"{figures[f'{store}_s']} s",
            f"{times[0]:.2f} … {times[-1]:.2f} s",
            f"{figures[f'{store}_start_s']} s",
            f"{figures[f'{store}_rss_mb']:,}",
        )
    Console(width=None if Console().is_terminal else 130).print(table)
