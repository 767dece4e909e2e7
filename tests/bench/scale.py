"""`scale`: the same job with 1, 2 and 3 workers on eight partitions, and what it costs: processor, memory and disk, for planning.

All processes share one machine, the broker too, so this says what the broker's part of it is rather than how far workers scale. Assets are
counted as their Steps are committed, by all workers together; nothing is measured before every worker has had a part of an input.
"""

import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

import psutil
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from streams import topics
from streams.embedded.kafka import Kafka
from tests.bench import books, broker, system
from tests.bench.process import RunError, Running
from tests.bench.report import WIDTH

ASSETS: Final = 400_000
WARM_CHUNKS, WARM_ROUNDS = 48, 5  # of 500 documents at most; a worker that joins late is waited for so often
GROUP: Final = "scale"
LIMIT_S: Final = 300.0
MB: Final = 1_000_000
CORES: Final = os.cpu_count() or 1


class Subject(NamedTuple):
    """A job of `tests/bench/worker.py`, shared by so many workers, and where they keep their tables."""

    job: str
    workers: int
    tables: str = "memory"

    @property
    def key(self) -> str:
        return f"{self.job}_{self.workers}" + ("" if self.tables == "memory" else f"_{self.tables}")


SUBJECTS: Final = (*(Subject(job, n) for job in ("intake", "pipeline") for n in (1, 2, 3)), Subject("intake", 1, "rocksdb"))


class Usage(NamedTuple):
    """Processor seconds used so far and resident memory now in MB, of the broker and of all workers together."""

    broker_s: float
    workers_s: float
    broker_mb: float
    workers_mb: float


class Measured(NamedTuple):
    """One run. Shares are of all cores; memory per asset is the workers' growth over the second half of the assets."""

    assets_per_s: float
    broker_share: float
    workers_share: float
    broker_mb: float
    worker_mb: float  # the mean of the workers
    worker_bytes_per_asset: float
    disk: dict[str, float]  # bytes an asset in the broker's logs, by topic; in "local" those of the workers' own stores


def main(runs: int = 3) -> dict[str, object]:
    """Measure, print a table, and return the figures: of each subject those of its run of median rate.

    Raises:
        RunError: a worker ended, or never had a part.
    """
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    found: dict[Subject, list[Measured]] = {subject: [] for subject in SUBJECTS}
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("scale: making the assets", total=runs * len(SUBJECTS))
        items = make_items(ASSETS)
        for run in range(1, runs + 1):
            for subject, measured in found.items():
                said = f"scale: {subject.job}, {subject.workers} workers, {subject.tables}, run {run} of {runs}: "
                with TemporaryDirectory(prefix="tranche-bench-") as work:
                    say = lambda doing, said=said: progress.update(task, description=said + doing)  # noqa: E731
                    measured.append(measure(Path(work), subject, items, say))
                progress.advance(task)
    merged = {subject: sorted(measured, key=lambda one: one.assets_per_s)[runs // 2] for subject, measured in found.items()}
    _show(merged)
    return figures(merged, runs)


class Input(NamedTuple):
    """Chunks to warm up with, round by round, and those of the measurement."""

    warm: list[list[books.Item]]
    measured: list[books.Item]


def make_items(assets: int) -> Input:
    """Chunks of at least so many never-seen assets, and before them those of WARM_ROUNDS."""
    made = books.make(assets + WARM_ROUNDS * WARM_CHUNKS * books.CHUNK_DOCUMENTS)
    chunks = iter(books.interleave([book.chunks(f"one-{book.originator}") for book in made]))
    warm = [list(islice(chunks, WARM_CHUNKS)) for _ in range(WARM_ROUNDS)]
    return Input(warm, list(chunks))


def measure(work: Path, subject: Subject, items: Input, say: Callable[[str], None]) -> Measured:
    """Start a broker and the workers, warm them up, and let them do the input together."""
    say("starting")
    with Kafka(work) as kafka, ExitStack() as stack:
        system.make_topics(kafka.address)
        postgres = stack.enter_context(system.postgres_with_tables(work)) if subject.job == "pipeline" else ""
        workers = [stack.enter_context(_worker(work, subject, n, kafka.address, postgres)) for n in range(1, subject.workers + 1)]
        committed = Committed(workers)
        system.wait_for_members(kafka.address, GROUP, len(workers))
        warm_up(kafka.address, items, committed)
        before = _disk(work)
        say("writing the input")
        with ExitStack() as paused:
            for worker in workers:
                paused.enter_context(worker.paused())
            assets = broker.load(kafka.address, topics.INGEST.name, items.measured)
        say("measuring")
        started, first = time.perf_counter(), usage(kafka, workers)
        before_middle = committed.wait(assets // 2)
        middle = usage(kafka, workers)
        after_middle = committed.wait(assets - assets // 2)
        seconds, last = time.perf_counter() - started, usage(kafka, workers)
        shares = [sum(parts) for parts in zip(before_middle, after_middle, strict=True)]
        if not all(shares):
            raise RunError(f"{subject.key}: not every worker had a part: {shares} assets")
        disk = {name: (size - before.get(name, 0)) / assets for name, size in _disk(work).items()}
    return Measured(
        assets / seconds,
        (last.broker_s - first.broker_s) / seconds / CORES,
        (last.workers_s - first.workers_s) / seconds / CORES,
        last.broker_mb,
        last.workers_mb / subject.workers,
        (last.workers_mb - middle.workers_mb) * MB / (assets - assets // 2),
        disk,
    )


@contextmanager
def _worker(work: Path, subject: Subject, number: int, kafka: str, postgres: str) -> Iterator[Running]:
    name = f"worker-{number}"
    given: dict[str, Any] = {"kafka": kafka, "postgres": postgres, "group": GROUP, "tables": subject.tables}
    with system.run_worker(subject.job, 1, log=work / f"{name}.log", name=name, **given) as worker:
        yield worker


class Committed:
    """What the workers say they have committed: each prints a line for each Step of its last agent, whose rows are new assets."""

    def __init__(self, workers: Sequence[Running]) -> None:
        self._said: queue.Queue[tuple[int, int | RunError]] = queue.Queue()
        self._workers = len(workers)
        self._over = 0
        for n, worker in enumerate(workers):
            threading.Thread(target=self._listen, args=(n, worker), daemon=True).start()

    def _listen(self, number: int, worker: Running) -> None:
        try:
            while True:
                self._said.put((number, worker.said(LIMIT_S)["rows"]))
        except RunError as fault:  # after the measurement it is the end of the worker, and nobody asks any more
            self._said.put((number, fault))

    def wait(self, assets: int) -> list[int]:
        """Wait until so many more are committed, and return how many each worker did; what is over counts for the next time.

        Raises:
            RunError: a worker ended or says nothing.
        """
        shares, left = [0] * self._workers, assets - self._over
        while left > 0:
            number, rows = self._said.get()
            if isinstance(rows, RunError):
                raise rows
            shares[number] += rows
            left -= rows
        self._over = -left
        return shares


def warm_up(kafka: str, items: Input, committed: Committed) -> None:
    """Let the workers do one small input after the other until each has a part of one: then the group is as it stays."""
    for chunks in items.warm:
        if all(committed.wait(broker.load(kafka, topics.INGEST.name, chunks))):
            return
    raise RunError(f"in {WARM_ROUNDS} rounds of input not every worker had a part")


def usage(kafka: Kafka, workers: Sequence[Running]) -> Usage:
    """What the processes have used up to now."""
    assert kafka.process is not None
    processes = [psutil.Process(pid) for pid in (kafka.process.pid, *(worker.pid for worker in workers))]
    seconds = [sum(process.cpu_times()[:2]) for process in processes]
    resident = [process.memory_info().rss / MB for process in processes]
    return Usage(seconds[0], sum(seconds[1:]), resident[0], sum(resident[1:]))


def _disk(work: Path) -> dict[str, float]:
    """Bytes of every topic's logs, and of the workers' own stores."""
    sizes: dict[str, float] = {}
    for log in work.glob("kafka/data/*-*/*.log"):
        name = log.parent.name.rpartition("-")[0]
        sizes[name] = sizes.get(name, 0) + log.stat().st_size
    local = sum(file.stat().st_size for file in work.glob("worker-*/**/*") if file.is_file())
    return {name: size for name, size in sizes.items() if name in {topic.name for topic in topics.ALL}} | {"local": local}


def figures(merged: Mapping[Subject, Measured], runs: int) -> dict[str, object]:
    """The JSON: each subject's figures with its key before them."""
    found: dict[str, object] = {"bench": "scale", "cores": CORES}
    for subject, one in merged.items():
        found[f"{subject.key}_assets_per_s"] = round(one.assets_per_s)
        found[f"{subject.key}_broker_share"] = round(one.broker_share, 2)
        found[f"{subject.key}_workers_share"] = round(one.workers_share, 2)
        found[f"{subject.key}_broker_rss_mb"] = round(one.broker_mb)
        found[f"{subject.key}_worker_rss_mb"] = round(one.worker_mb)
        found[f"{subject.key}_worker_bytes_per_asset"] = round(one.worker_bytes_per_asset)
        found[f"{subject.key}_disk_bytes_per_asset"] = {name: round(size) for name, size in one.disk.items() if size >= 1}
    return found | {"runs": runs}


def _show(merged: Mapping[Subject, Measured]) -> None:
    titles = ("job", "workers", "tables", "assets/s", "broker's CPU", "workers' CPU", "broker MB", "a worker MB", "its bytes/asset")
    table, disk = Table(*titles, title="scale"), Table("job", "tables", "on disk", "bytes/asset")
    for subject, one in merged.items():
        table.add_row(
            *(subject.job, str(subject.workers), subject.tables, f"{one.assets_per_s:,.0f}"),
            *(f"{one.broker_share:.0%}", f"{one.workers_share:.0%}", f"{one.broker_mb:,.0f}", f"{one.worker_mb:,.0f}"),
            f"{one.worker_bytes_per_asset:,.0f}",
        )
        for name, size in one.disk.items() if subject.workers == 1 else ():
            if size >= 1:
                disk.add_row(subject.job, subject.tables, name, f"{size:,.0f}")
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    console.print(f"CPU is of all {CORES} cores.", table, disk)
