"""`assess`: 36-month annuities assessed on one core, decoding aside, beside two ways of doing it loan by loan (`peers/loan_by_loan.py`).

Schedule, expected loss, internal rate of return, risk group and price of each. Nothing is measured unless all found the same: the Decimal
one to the cent and the part per million; QuantLib, which rounds no instalment, within TOLERANCE.
"""

import functools
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import msgspec
from rich.console import Console

from tests.bench import report, runner
from tests.bench.loans import MONTHS, Answer
from tests.bench.process import Measured, RunError, running
from tests.bench.runner import AbsentError, Bench, Goal, Say, Subject, rate, ratio_to

LOANS: Final = {"tranche": 400_000, "decimal": 10_000, "quantlib": 10_000}
LIMIT_S: Final = 300.0
JOB: Final = f"{MONTHS}-month annuities: schedule, expected loss, rate of return, group and price, on one core"
OF_UNROUNDED: Final = Answer(1, 2 * MONTHS, 0, "", 0, 100, 100)  # how far cents and parts per million are off, where nothing is rounded


def main(runs: int = 3) -> dict[str, Any]:
    """Measure, print the table, and return the figures, which are of loans.

    Raises:
        RunError: a subject ended without figures, or found something else than the others.
    """
    bench, outcomes = runner.run("assess", opened, runs, Console(stderr=True))
    report.show(bench, outcomes, Console(width=None if sys.stdout.isatty() else report.WIDTH))
    return {key.replace("assets_per_s", "loans_per_s"): value for key, value in report.figures(bench, outcomes).items()}


@contextmanager
def opened(work: Path, say: Say) -> Iterator[Bench]:
    """The bench; it needs nothing but processors."""
    say("starting")
    subjects = (
        Subject("", "Tranche, by columns", functools.partial(_run, "tranche", work)),
        Subject("decimal", "Decimal, loan by loan", functools.partial(_run, "decimal", work)),
        Subject("quantlib", "QuantLib, loan by loan", functools.partial(_run, "quantlib", work), peer=True),
    )
    goals = (
        Goal("assets_per_s", 100_000, rate),
        Goal("ratio_decimal", 20, ratio_to("decimal")),
        Goal("ratio_quantlib", 1, ratio_to("quantlib")),
    )
    yield Bench("assess", JOB, subjects, goals)


def _run(how: str, work: Path, name: str, say: Say) -> Measured:
    if how == "quantlib" and find_spec("QuantLib") is None:
        raise AbsentError("QuantLib is not installed: it is in the extra `dev`")
    answers = work / how
    say("measuring")
    command = [sys.executable, "-m", "tests.bench.assessing", how, answers, "--loans", str(LOANS[how])]
    with running(command, work / f"{name}.log") as process:
        measured = process.figures(LIMIT_S)
    compare(_read(work / "tranche"), _read(answers), OF_UNROUNDED if how == "quantlib" else None)
    return measured


def compare(ours: list[Answer], theirs: list[Answer], tolerance: Answer | None) -> None:
    """Raises RunError where they differ, by more than `tolerance` if there is one."""
    for number, pair in enumerate(zip(ours, theirs, strict=True)):
        for field, *two in zip(Answer._fields, *pair, tolerance or Answer(0, 0, 0, "", 0, 1, 1), strict=True):
            mine, other, allowed = two
            if mine != other and (isinstance(mine, str) or abs(mine - other) > allowed):
                raise RunError(f"loan {number}: {field} is {mine} here and {other} there; both must find the same before they are measured")


def _read(path: Path) -> list[Answer]:
    return msgspec.json.decode(path.read_bytes(), type=list[Answer])
