"""`delivery`: the next delivery of a loan book, 1,000,000 documents by HTTP upload, accounted to the last one, with constant memory.

First a book of as many assets goes in and comes to rest in every agent, so that the tables are of one size throughout. Then the delivery:
90 % unchanged, 9 % changed, 0.9 % new, 0.1 % broken (`tests/bench/mixed.py`), through the gateway to one worker with all agents.

Memory is the peak of a process (VmHWM, begun anew before each delivery): from there to when 100,000 documents were through, and to its end,
when PostgreSQL has all of it and every agent has caught up. A document is through the gateway when its bytes are sent, through the
worker when the batch's counts have it. The book's own way in is reported, too: there the worker's tables grow with each asset.

Accounted: the batch's counts by outcome, every new version by asset with its number, change, digest and byte position, and every refused
document by position with its field and bytes are those that were written; what is left is unchanged, and all of them are those sent.
"""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

import asyncpg
from confluent_kafka import Consumer, TopicPartition
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from schemas.asset import OUTCOMES, Change
from streams import topics
from streams.queries import batch as status_of
from tests.bench import mixed, system, upload
from tests.bench.mixed import ORIGINATOR, Expected, Version
from tests.bench.process import RunError
from tests.bench.report import WIDTH

DOCUMENTS: Final = 1_000_000
FIRST_SHARE: Final = 0.1  # of the documents: memory up to there is compared with that up to the end
GROWTH_PERCENT_MAX: Final = 5.0
LIMIT_S: Final = 3600.0
POLL_S: Final = 0.05
GROUP: Final = "delivery"
HEAD_BYTES: Final = 4096  # that the gateway keeps of a document that it passes over
READ: Final = (topics.INGEST, topics.CHANGED, topics.ASSESSED, topics.OFFERS, topics.BATCHES, topics.REJECTED)

Say = Callable[[str], None]


class Peaks(NamedTuple):
    """A process's peak resident memory in MB: when the first share of the documents was through, and at the end."""

    first_mb: float
    all_mb: float

    @property
    def growth_percent(self) -> float:
        return (self.all_mb / self.first_mb - 1) * 100


class Delivered(NamedTuple):
    """One upload: what came of it by outcome, and what it took."""

    batch: str
    counts: Counter[str]
    seconds: float  # until every agent had caught up
    gateway: Peaks
    worker: Peaks


def main(runs: int = 3) -> dict[str, object]:
    """Measure, print a table, and return the figures; of memory the run that grew most counts.

    Raises:
        RunError: something is not accounted for, or did not come in time.
    """
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    found = []
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("delivery")
        for run in range(1, runs + 1):
            say = lambda doing, run=run: progress.update(task, description=f"delivery, run {run} of {runs}: {doing}")  # noqa: E731
            with TemporaryDirectory(prefix="tranche-bench-") as work:
                found.append(measure(Path(work), DOCUMENTS, say))
    made = figures(found)
    _show(made)
    return made


def measure(work: Path, documents: int, say: Say) -> tuple[Delivered, Delivered]:
    """The book's own way in, and the delivery; `documents` is a multiple of 1,000."""
    say("starting")
    with (
        system.kafka_with_topics(work) as kafka,
        system.postgres_with_tables(work) as postgres,
        system.run_worker("latency", documents, kafka=kafka, group=GROUP, log=work / "worker.log", postgres=postgres) as worker,
        upload.running_gateway(work, kafka) as (gateway, port),
    ):
        system.wait_for_members(kafka, GROUP, 1)
        at = Place(kafka, postgres, port, gateway, worker.pid)
        mixed.write_base(work / "base.bson", documents)
        say(f"{documents:,} assets for the tables")
        base = deliver(at, work / "base.bson", documents, documents)
        expect("the book", base.counts, Counter({str(Change.CREATED): documents}))
        expected = mixed.write_mixed(work / "mixed.bson", work / "base.bson", documents)
        say(f"{documents:,} documents, most of them unchanged")
        delivered = deliver(at, work / "mixed.bson", documents, documents + len(expected.versions), before=base.batch)
        say("accounting")
        asyncio.run(account(postgres, delivered.batch, expected, delivered.counts))
    return base, delivered


class Place(NamedTuple):
    """Where the system is, and its two processes."""

    kafka: str
    postgres: str
    port: int
    gateway: int
    worker: int


def deliver(at: Place, book: Path, documents: int, versions: int, before: str = "") -> Delivered:
    """Upload a book and wait until every agent has caught up: PostgreSQL then has so many versions in all. `before`: the last batch."""
    for pid in (at.gateway, at.worker):
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # VmHWM begins anew: proc_pid_clear_refs(5)
    peaks: dict[str, float] = {}
    size, started = book.stat().st_size, time.perf_counter()

    def reached() -> None:
        peaks["gateway"] = upload.peak_mb(at.gateway)

    with ThreadPoolExecutor(1) as thread, book.open("rb") as file:
        sending = thread.submit(upload.send, at.port, file, size, int(size * FIRST_SHARE), reached)
        try:
            rows = asyncio.run(_watched(at, before, int(documents * FIRST_SHARE), versions, peaks))
        except TimeoutError:
            raise RunError(f"after {LIMIT_S:.0f} s not every agent had caught up with {book.name}") from None
        answer = sending.result()
    seconds = time.perf_counter() - started
    expect("documents that the gateway took", answer["documents"], documents)
    expect("the batch", (rows["batch"], rows["state"].startswith("done")), (answer["batch"], True))
    counts = Counter({name: count for name, count in rows["counts"].items() if count})
    counts["rejected"] += rows["oversized"]
    gateway, worker = (Peaks(peaks[name], upload.peak_mb(pid)) for name, pid in (("gateway", at.gateway), ("worker", at.worker)))
    return Delivered(answer["batch"], +counts, seconds, gateway, worker)


async def _watched(at: Place, before: str, first: int, versions: int, peaks: dict[str, float]) -> dict[str, Any]:
    """Note the worker's peak when the first documents are through; returns the batch when it is done and nobody lags."""
    async with asyncio.timeout(LIMIT_S), asyncpg.create_pool(at.postgres, min_size=1, max_size=1) as pool:
        while True:
            await asyncio.sleep(POLL_S)  # the database has no event for it
            name = await pool.fetchval("SELECT batch FROM batches WHERE batch <> $1", before)
            found = await status_of(pool, name) if name else None
            if found is None:
                continue
            if found["state"] == "failed":
                raise RunError(f"the batch failed: {found['error']}")
            if "worker" not in peaks and found["processed"] >= first:
                peaks["worker"] = upload.peak_mb(at.worker)
            if found["state"].startswith("done") and await pool.fetchval("SELECT count(*) FROM asset_versions") == versions:
                break
        while await asyncio.to_thread(lag, at.kafka):  # noqa: ASYNC110 - nor the protocol
            await asyncio.sleep(POLL_S)
        return found


def lag(kafka: str) -> int:
    """Records that the group has still to read. Behind the last there are markers of its writers, at most one for each partition's."""
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": GROUP, "enable.auto.commit": False})
    try:
        partitions = [TopicPartition(topic.name, number) for topic in READ for number in range(topic.partitions)]
        left = 0
        for partition in consumer.committed(partitions, timeout=30):
            _, end = consumer.get_watermark_offsets(partition, timeout=30)
            left += max(0, end - max(partition.offset, 0) - topics.ASSET_PARTITIONS)
        return left
    finally:
        consumer.close()


async def account(postgres: str, batch: str, expected: Expected, counts: Counter[str]) -> None:
    """Compare what the database has of the batch with what was sent, document by document.

    Raises:
        RunError: they differ.
    """
    async with asyncpg.create_pool(postgres, min_size=1, max_size=1) as pool:
        versions = await pool.fetch("SELECT asset, version, change, digest, position FROM asset_versions WHERE batch = $1", batch)
        refused = await pool.fetch("SELECT position, field, document, originator FROM rejections WHERE batch = $1", batch)
    expect("documents by outcome", counts, expected.counts)
    expect("documents", counts.total(), expected.documents)
    expect("versions", sorted((row[0], Version(*row[1:])) for row in versions), sorted(expected.versions.items()))
    # the gateway keeps the head of a document that it passes over, which has no field at fault
    whole = {at: (name, doc if name else doc[:HEAD_BYTES]) for at, (name, doc) in expected.refused.items()}
    expect("refused", sorted((row[0], (row[1], row[2])) for row in refused), sorted(whole.items()))
    expect("whose", {row["originator"] for row in refused} - {ORIGINATOR}, set())


def expect(what: str, found: object, wanted: object) -> None:
    """Raises RunError if they differ."""
    if found != wanted:
        raise RunError(f"{what}: not as they were sent: {str(found)[:300]}, not {str(wanted)[:300]}")


def figures(found: list[tuple[Delivered, Delivered]]) -> dict[str, object]:
    """The JSON: memory in MB of 1,000,000 bytes, growth in percent; `base_` is of the book's own way in."""
    base, delivered = max(found, key=lambda pair: max(pair[1].gateway.growth_percent, pair[1].worker.growth_percent))
    made: dict[str, object] = {"bench": "delivery", "documents": delivered.counts.total()}
    made |= {
        "accepted": sum(delivered.counts[change] for change in Change),
        **{name: delivered.counts[name] for name in OUTCOMES if name not in tuple(Change)},
        "unaccounted": 0,
        "seconds": round(delivered.seconds, 1),
    }
    for prefix, one in (("", delivered), ("base_", base)):
        for name, peaks in (("gateway", one.gateway), ("worker", one.worker)):
            made[f"{prefix}{name}_first_mb"], made[f"{prefix}{name}_mb"] = round(peaks.first_mb, 1), round(peaks.all_mb, 1)
    growth = {name: round(getattr(delivered, name).growth_percent, 1) for name in ("gateway", "worker")}
    made |= {f"{name}_growth_percent": percent for name, percent in growth.items()}
    made |= {"target_growth_percent": GROWTH_PERCENT_MAX, "reached": max(growth.values()) <= GROWTH_PERCENT_MAX}
    return made | {"base_seconds": round(base.seconds, 1), "runs": len(found)}


def _show(made: dict[str, Any]) -> None:
    title = f"delivery: {made['documents']:,} documents, accepted {made['accepted']:,}, unchanged {made['unchanged']:,}, "
    title += f"rejected {made['rejected']:,}; all accounted for in {made['seconds']} s"
    first = f"MB, first {FIRST_SHARE:.0%}"
    table = Table(
        "peak memory", first, "MB, all", "growth", "at most", "the book before: " + first, "all", title=title, title_justify="left"
    )
    for name in ("gateway", "worker"):
        values = (made[f"{name}_first_mb"], made[f"{name}_mb"])
        before = (made[f"base_{name}_first_mb"], made[f"base_{name}_mb"])
        growth = (f"{made[f'{name}_growth_percent']} %", f"{GROWTH_PERCENT_MAX:g} %")
        table.add_row(name, *map(str, values), *growth, *map(str, before))
    Console(width=None if sys.stdout.isatty() else WIDTH).print(table)
