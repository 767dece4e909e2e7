"""`intake`, `redelivery`, `single`, `pipeline`: Tranche's own agents in one worker, each run on a broker with nothing in it."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from streams import topics
from tests.bench import books, broker, system
from tests.bench.process import Measured, RunError
from tests.bench.runner import Bench, Goal, Run, Say, Subject, rate

ASSETS: Final = 400_000
SINGLE_ASSETS: Final = 100_000
LIMIT_S: Final = 300.0


@contextmanager
def intake(work: Path, say: Say) -> Iterator[Bench]:
    """Never-seen assets through the whole intake agent."""
    made = _books(ASSETS, say)
    run = _through_intake(work, ASSETS, lambda: _chunks(made, "one"))
    yield _bench("intake", f"{ASSETS:,} never-seen assets through intake, up to 500 documents a message", run, 50_000)


@contextmanager
def redelivery(work: Path, say: Say) -> Iterator[Bench]:
    """The same assets again: the worker stands still while the second delivery is written, so that its whole rate is seen."""
    made = _books(ASSETS, say)

    def run(name: str, say: Say) -> Measured:
        with _loaded(work / name, _chunks(made, "one"), say) as kafka:
            say("first delivery")
            with system.run_worker("intake", ASSETS, kafka=kafka, group=name, log=work / name / "worker.log") as worker:
                _checked(name, worker.figures(LIMIT_S), ASSETS)
                with worker.paused():
                    broker.load(kafka, topics.INGEST.name, _chunks(made, "two"))
                say("measuring")
                return _checked(name, worker.figures(LIMIT_S), 0)

    yield _bench("redelivery", f"the same {ASSETS:,} assets again through intake, all unchanged", run, 120_000)


@contextmanager
def single(work: Path, say: Say) -> Iterator[Bench]:
    """An originator that produces each document as one message."""
    made = _books(SINGLE_ASSETS, say)
    run = _through_intake(work, SINGLE_ASSETS, lambda: books.interleave([book.singles() for book in made]))
    yield _bench("single", f"{SINGLE_ASSETS:,} never-seen assets through intake, one document a message", run, 8_000)


@contextmanager
def pipeline(work: Path, say: Say) -> Iterator[Bench]:
    """Every agent in one worker, PostgreSQL included, from the first asset that intake sees to the commit of the last sell offer."""
    made = _books(ASSETS, say)

    def run(name: str, say: Say) -> Measured:
        log = work / name / "worker.log"
        with _loaded(work / name, _chunks(made, "one"), say) as kafka, system.postgres_with_tables(work / name) as postgres:
            say("measuring")
            with system.run_worker("pipeline", ASSETS, kafka=kafka, group=name, log=log, postgres=postgres) as worker:
                return _checked(name, worker.figures(LIMIT_S), ASSETS)

    yield _bench("pipeline", f"{ASSETS:,} never-seen assets from ingest to sell offer, all agents in one worker", run, 15_000)


def _books(assets: int, say: Say) -> list[books.Book]:
    say(f"making {assets:,} assets")
    return books.make(assets)


def _through_intake(work: Path, assets: int, items: Callable[[], Iterable[books.Item]]) -> Run:
    """A run of never-seen assets through intake alone; `items` makes their messages anew for each."""

    def run(name: str, say: Say) -> Measured:
        with _loaded(work / name, items(), say) as kafka:
            say("measuring")
            with system.run_worker("intake", assets, kafka=kafka, group=name, log=work / name / "worker.log") as worker:
                return _checked(name, worker.figures(LIMIT_S), assets)

    return run


def _chunks(made: list[books.Book], batch: str) -> Iterator[books.Item]:
    return books.interleave([book.chunks(f"{batch}-{book.originator}") for book in made])


@contextmanager
def _loaded(home: Path, items: Iterable[books.Item], say: Say) -> Iterator[str]:
    """A new broker with `items` in `assets.ingest`."""
    say("starting Kafka")
    with system.kafka_with_topics(home) as kafka:
        say("writing the input")
        broker.load(kafka, topics.INGEST.name, items)
        yield kafka


def _checked(run: str, figures: Measured, rows: int) -> Measured:
    """A fast worker that rejects its input measures nothing: the last agent's table must have got exactly `rows` rows."""
    if figures.rows != rows:
        raise RunError(f"{run}: {figures.rows} table rows were written, not {rows}")
    return figures


def _bench(name: str, job: str, run: Run, least: float) -> Bench:
    return Bench(name, job, (Subject("", "Tranche", run),), (Goal("assets_per_s", least, rate),))
