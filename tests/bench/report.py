"""A bench's outcome, twice: a table for people and one JSON object for programs."""

from collections.abc import Mapping
from typing import Any, Final

from rich.console import Console, Group
from rich.table import Table

from tests.bench.runner import Bench, Outcome

WIDTH: Final = 130  # of the tables, where the output is no terminal


def figures(bench: Bench, outcomes: Mapping[str, Outcome]) -> dict[str, Any]:
    """Medians of assets a second, peak memory of ours, goals and whether they were reached; null for what could not be measured."""
    found: dict[str, Any] = {"bench": bench.name, "assets_per_s": outcomes[""].assets_per_s}
    found |= {f"{key}_assets_per_s": outcome.assets_per_s for key, outcome in outcomes.items() if key}
    for goal in bench.goals:
        value = goal.figure(outcomes)
        if goal.key not in found:
            found[goal.key] = None if value is None else round(value, 2)
        found[f"target_{goal.key}"] = goal.least
    reached = [goal.figure(outcomes) for goal in bench.goals]
    found["reached"] = None if None in reached else all(v is not None and v >= g.least for v, g in zip(reached, bench.goals, strict=True))
    found["rss_mb"] = outcomes[""].rss_mb
    found |= {f"{key}_rss_mb": outcome.rss_mb for key, outcome in outcomes.items() if key}
    found["runs"] = len(outcomes[""].runs)
    return found | {f"{key}_absent": outcome.absent for key, outcome in outcomes.items() if outcome.absent}


def show(bench: Bench, outcomes: Mapping[str, Outcome], console: Console) -> None:
    """Print the table: each subject's slowest, median and fastest run and peak memory, then each target beside what was measured."""
    subjects = Table(bench.name)
    for column in ("min", "median", "max", "peak MB"):
        subjects.add_column(column if "MB" in column else f"{column} assets/s", justify="right")
    for subject in bench.subjects:
        outcome = outcomes[subject.key]
        if outcome.absent:
            subjects.add_row(subject.name, "absent:", outcome.absent.splitlines()[0])
            continue
        rates = sorted(run.assets_per_s for run in outcome.runs)
        middle = outcome.assets_per_s
        subjects.add_row(subject.name, f"{rates[0]:,}", f"{middle:,}", f"{rates[-1]:,}", f"{outcome.rss_mb:,}")
    goals = Table("target", "at least", "measured", "")
    for goal in bench.goals:
        value = goal.figure(outcomes)
        verdict = "not measured: a peer is absent" if value is None else "reached" if value >= goal.least else "[bold red]missed"
        goals.add_row(goal.key, f"{goal.least:,}", "-" if value is None else f"{value:,.2f}".removesuffix(".00"), verdict)
    console.print(Group(bench.job, subjects, goals))
