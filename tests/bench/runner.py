"""What a bench is, and how it runs: every subject once, then every subject again (A B C A B C …), so that what disturbs hits all alike."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from tests.bench.process import Measured, RunError


class AbsentError(Exception):
    """A peer that cannot be had on this machine: the message says why. The bench goes on without it, and says so."""


class Say(Protocol):
    """Shows what is going on."""

    def __call__(self, doing: str, /) -> None: ...


Run = Callable[[str, Say], Measured]


@dataclass(frozen=True, slots=True)
class Subject:
    """One that does the job. `run` takes a name that no other run has; a `peer` may be absent or fail, we may not."""

    key: str  # its part of the names in the JSON; ours is empty
    name: str
    run: Run
    peer: bool = False


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure to reach: at least `least`, taken from the outcomes, None if a peer is absent."""

    key: str
    least: float
    figure: Callable[[Mapping[str, "Outcome"]], float | None]


@dataclass(frozen=True, slots=True)
class Bench:
    name: str
    job: str  # one sentence, for people
    subjects: Sequence[Subject]
    goals: Sequence[Goal]


Open = Callable[[Path, Say], AbstractContextManager[Bench]]  # sets a bench up in a folder of its own


@dataclass(slots=True)
class Outcome:
    """All runs of a subject, or why there are none."""

    runs: list[Measured] = field(default_factory=list)
    absent: str = ""

    @property
    def assets_per_s(self) -> int | None:
        return None if self.absent else round(median(run.assets_per_s for run in self.runs))

    @property
    def rss_mb(self) -> int | None:
        return None if self.absent else max(run.rss_mb for run in self.runs)


def rate(outcomes: Mapping[str, Outcome]) -> float | None:
    """The goal is our own rate."""
    return outcomes[""].assets_per_s


def ratio_to(other: str, ours: str = "") -> Callable[[Mapping[str, Outcome]], float | None]:
    """The goal is the rate of one of our subjects divided by another's, both medians of the same rounds."""

    def ratio(outcomes: Mapping[str, Outcome]) -> float | None:
        rate, others = outcomes[ours].assets_per_s, outcomes[other].assets_per_s
        return rate / others if rate and others else None

    return ratio


def measure(bench: Bench, runs: int, begun: Callable[[Subject, int], Say], ended: Callable[[], None]) -> dict[str, Outcome]:
    """Run every subject `runs` times, interleaved.

    Raises:
        RunError: our own side gave no figures. A peer that fails counts as absent from then on.
    """
    outcomes = {subject.key: Outcome() for subject in bench.subjects}
    for number in range(1, runs + 1):
        for subject in bench.subjects:
            outcome, say = outcomes[subject.key], begun(subject, number)
            if not outcome.absent:
                try:
                    outcome.runs.append(subject.run(f"bench-{subject.key or 'tranche'}-{number}".replace("_", "-"), say))
                except (AbsentError, RunError) as fault:
                    if not subject.peer:
                        raise
                    outcome.absent = str(fault)
            ended()
    return outcomes


def run(name: str, opened: Open, runs: int, console: Console) -> tuple[Bench, dict[str, Outcome]]:
    """Set a bench up, `measure` it under a progress bar that counts single runs, and clear it away."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress, TemporaryDirectory(prefix="tranche-bench-") as work:
        task = progress.add_task(name, total=None)

        def begun(subject: Subject, number: int) -> Say:
            def say(doing: str) -> None:
                progress.update(task, description=f"{name}: {subject.name}, run {number} of {runs}: {doing}")

            say("starting")
            return say

        with opened(Path(work), lambda doing: progress.update(task, description=f"{name}: {doing}")) as bench:
            progress.update(task, total=runs * len(bench.subjects))
            return bench, measure(bench, runs, begun, lambda: progress.advance(task))
