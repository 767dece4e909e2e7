"""`latency`: from the time at which one document was to be sent to the committed event that a subscriber sees, at steady rates.

The load is an open loop (`tests/bench/originator.py`): a system that stalls is late for every document that was due meanwhile, and not only
for the one that it had. Each form of the worker gets a broker with nothing in it; the documents of the first seconds of a load are sent and
awaited, but not counted: in its first minute the broker's Java compiles itself, and takes two to three times the processor that it takes
later. Every asset must come out, or nothing was measured.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

import numpy as np
from confluent_kafka import Consumer, KafkaException, TopicPartition
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from schemas import columns
from schemas.asset import CENTS_MAX
from schemas.events import Bucket, Portfolio, decode_investment, encode
from streams import topics
from streams.partition import partition_of
from tests.bench import broker, system
from tests.bench.books import Item
from tests.bench.originator import Schedule, number_of
from tests.bench.process import CHECKOUT, TAIL_CHARACTERS, RunError
from tests.bench.report import WIDTH
from tests.wanted import wants

INVESTORS: Final = 3  # each bids for every asset
ANSWER_S: Final = 60.0  # after the last document was due, until the last event is there
LEAD_S: Final = 5.0  # for the originator to start and make its documents
PERCENTS: Final = (50, 90, 99, 100)
CHANGED, INVESTED = topics.CHANGED.name, topics.INVESTMENTS.name
CHANGED_P50_MS_MAX, CHANGED_P99_MS_MAX = 60.0, 250.0
FORMS: Final = {"all": "all agents in one worker", "intake": "intake alone"}


class Load(NamedTuple):
    """A steady rate of documents a second, for so many seconds after a warm-up of the same."""

    rate: int
    warm_s: int
    seconds: int


LOADS: Final = (Load(100, 60, 60), Load(300, 10, 30), Load(1_000, 10, 30))
TARGET_RATE: Final = LOADS[0].rate


class Measured(NamedTuple):
    """One load's latencies in ms, a percentile each of PERCENTS, by topic; and how late the originator itself was (p99 and most)."""

    form: str
    rate: int
    latency_ms: dict[str, list[float]]
    late_ms: tuple[float, float]


class Arrivals:
    """When the first event of each document of a schedule was seen."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._seen = np.full(schedule.count, np.nan)
        self.missing = schedule.count

    def saw(self, number: int, now: float) -> None:
        """Note an event of document `number`; one of another schedule, or not the first, is none of ours."""
        n = number - self._schedule.first
        if 0 <= n < self._schedule.count and np.isnan(self._seen[n]):
            self._seen[n] = now
            self.missing -= 1

    def latency_ms(self, skip: int) -> list[float]:
        """PERCENTS of the time from when a document was due to its event, without the first `skip` documents."""
        due = np.array([self._schedule.due(self._schedule.first + n) for n in range(self._schedule.count)])
        return [round(float(ms), 1) for ms in np.percentile((self._seen - due)[skip:] * 1000, PERCENTS)]


def main(runs: int = 3) -> dict[str, object]:
    """Measure, print a table, and return the medians of all runs.

    Raises:
        RunError: an asset did not come out, or a process ended.
    """
    bars = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    found: list[Measured] = []
    with Progress(*bars, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("latency", total=runs * len(FORMS) * len(LOADS))
        for run in range(1, runs + 1):
            for form in FORMS:
                said = f"latency: {FORMS[form]}, run {run} of {runs}: "
                with TemporaryDirectory(prefix="tranche-bench-") as work:
                    for one in measure(Path(work), form, LOADS, lambda doing, said=said: progress.update(task, description=said + doing)):
                        found.append(one)
                        progress.advance(task)
    merged = [_merged([one for one in found if (one.form, one.rate) == (form, load.rate)]) for form in FORMS for load in LOADS]
    _show(merged)
    return figures(merged, runs)


def measure(work: Path, form: str, loads: Iterable[Load], say: Callable[[str], None]) -> Iterator[Measured]:
    """Start a system in `work` with a worker of this form, and put one load after the other on it."""
    say("starting")
    job, wanted = ("latency", (CHANGED, INVESTED)) if form == "all" else ("intake", (CHANGED,))
    log, first = work / "worker.log", 0
    with (
        system.kafka_with_topics(work) as kafka,
        system.postgres_with_tables(work) as postgres,
        system.run_worker(job, sys.maxsize, kafka=kafka, group=form, log=log, postgres=postgres),
        subscribed(kafka) as events,
    ):
        place_portfolios(kafka)
        for load in loads:
            say(f"{load.rate:,} documents a second for {load.warm_s} + {load.seconds} s")
            schedule = Schedule(first, load.rate * (load.warm_s + load.seconds), load.rate, time.monotonic() + LEAD_S)
            first += schedule.count
            arrivals = {topic: Arrivals(schedule) for topic in wanted}
            try:
                late_ms = _put(kafka, schedule, arrivals, events)
            except RunError as fault:
                raise RunError(f"{fault}; the end of the worker's log:\n{log.read_text(errors='replace')[-TAIL_CHARACTERS:]}") from fault
            yield Measured(form, load.rate, {topic: of.latency_ms(load.rate * load.warm_s) for topic, of in arrivals.items()}, late_ms)


def _put(kafka: str, schedule: Schedule, arrivals: dict[str, Arrivals], events: Consumer) -> tuple[float, float]:
    """Have a schedule sent and wait for what comes of it; returns how late the originator was, p99 and most, in ms."""
    command = [sys.executable, "-m", "tests.bench.originator", kafka, *map(str, schedule)]
    with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as originator:
        try:
            _listen(events, arrivals, schedule.due(schedule.first + schedule.count) + ANSWER_S)
            said, faults = originator.communicate(timeout=ANSWER_S)
        finally:
            originator.kill()
    if originator.returncode:
        raise RunError(f"the originator ended with code {originator.returncode}: {faults}")
    late = json.loads(said)
    return late["late_p99_ms"], late["late_max_ms"]


def _listen(events: Consumer, arrivals: dict[str, Arrivals], end: float) -> None:
    """Note what comes until nothing is missing."""
    while any(of.missing for of in arrivals.values()):
        message = events.poll(0.2)
        now = time.monotonic()
        if now > end:
            lost = ", ".join(f"{of.missing:,} assets on {topic}" for topic, of in arrivals.items())
            raise RunError(f"{ANSWER_S:.0f} s after the last document was due there are still missing: {lost}")
        if message is None:
            continue
        if message.error():
            raise KafkaException(message.error())
        if of := arrivals.get(message.topic()):
            for number in _NUMBERS[message.topic()](message.value()):
                of.saw(number, now)


def _changed(value: bytes) -> Iterable[int]:
    rows = columns.decode(value, columns.CHANGED)
    return map(number_of, rows["originator_id"].to_pylist(), rows["asset_id"].to_pylist())


def _invested(value: bytes) -> Iterable[int]:
    event = decode_investment(value)
    return (number_of(event.originator, event.asset),)


_NUMBERS: Final[dict[str, Callable[[bytes], Iterable[int]]]] = {CHANGED: _changed, INVESTED: _invested}


@contextmanager
def subscribed(kafka: str) -> Iterator[Consumer]:
    """A subscriber of both topics that reads committed records only, from the beginning."""
    given = {"bootstrap.servers": kafka, "group.id": "latency", "isolation.level": "read_committed", "enable.auto.commit": False}
    consumer = Consumer(given)
    consumer.assign([TopicPartition(t.name, n, 0) for t in (topics.CHANGED, topics.INVESTMENTS) for n in range(t.partitions)])
    try:
        yield consumer
    finally:
        consumer.close()


def place_portfolios(kafka: str) -> None:
    """Investors with money for everything: each asset leads to an investment of each, if its product allows so many bids."""
    broker.load(kafka, topics.PORTFOLIOS.name, map(_portfolio, range(INVESTORS)))


def _portfolio(number: int) -> Item:
    investor = f"investor-{number}"
    bucket = Bucket("any", 100, wants(days_past_due_max=15))
    placed = Portfolio("all", investor, 1, "USD", CENTS_MAX, (bucket,), bid_cents_max=100_00)
    key = investor.encode()
    return Item(partition_of(key, topics.PORTFOLIOS.partitions), key, encode(placed), [], 0)


def _merged(runs: list[Measured]) -> Measured:
    """The median of each percentile; the originator at its latest."""
    latency = {
        topic: [median(values) for values in zip(*(run.latency_ms[topic] for run in runs), strict=True)] for topic in runs[0].latency_ms
    }
    p99, most = (max(late) for late in zip(*(run.late_ms for run in runs), strict=True))
    return runs[0]._replace(latency_ms=latency, late_ms=(p99, most))


def figures(merged: list[Measured], runs: int) -> dict[str, object]:
    """The JSON: at TARGET_RATE without a suffix, at the other rates with it, intake alone with its prefix."""
    found: dict[str, object] = {
        "bench": "latency",
        "target_changed_p50_ms": CHANGED_P50_MS_MAX,
        "target_changed_p99_ms": CHANGED_P99_MS_MAX,
    }
    for one in merged:
        prefix, suffix = "" if one.form == "all" else f"{one.form}_", "" if one.rate == TARGET_RATE else f"_at_{one.rate}"
        for topic, name in ((CHANGED, "changed"), (INVESTED, "investments")):
            for percent, ms in zip(PERCENTS, one.latency_ms.get(topic, ()), strict=False):
                found[f"{prefix}{name}_{'max' if percent == 100 else f'p{percent}'}_ms{suffix}"] = ms
        found[f"{prefix}originator_late_p99_ms{suffix}"] = one.late_ms[0]
    found["reached"] = found["changed_p50_ms"] <= CHANGED_P50_MS_MAX and found["changed_p99_ms"] <= CHANGED_P99_MS_MAX
    return found | {"runs": runs}


def _show(merged: list[Measured]) -> None:
    table = Table(
        "worker",
        "documents/s",
        "to",
        *(f"p{p} ms" if p < 100 else "max ms" for p in PERCENTS),
        "originator late, p99 / max ms",
        title="latency",
    )
    for one in merged:
        for topic, values in one.latency_ms.items():
            late = f"{one.late_ms[0]:.1f} / {one.late_ms[1]:.1f}"
            table.add_row(FORMS[one.form], f"{one.rate:,}", topic, *(f"{ms:,.1f}" for ms in values), late)
    Console(width=None if sys.stdout.isatty() else WIDTH).print(table)
