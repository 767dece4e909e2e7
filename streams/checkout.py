"""The commands that are programs in `tests/`: they need a checkout."""

import subprocess
import sys
from pathlib import Path
from typing import Final

import click

from streams.embedded.errors import UserError

ROOT: Final = Path(__file__).parent.parent


@click.command()
@click.argument("name")
@click.option("--runs", type=click.IntRange(1, 100), default=3, show_default=True, help="Of every subject, in turn.")
def bench(name: str, runs: int) -> None:
    """Run the measurement NAME, or all of them."""
    sys.exit(_of_checkout("bench", name, f"--runs={runs}"))


@click.command()
@click.option(
    "--minutes", type=click.FloatRange(0, 10_000), default=10, show_default=True, help="Of faults; each kind is made once at least."
)
@click.option("--seed", type=click.IntRange(0), help="Of the faults and the input; the same one makes the same. [default: chance]")
@click.option(
    "--assets", type=click.IntRange(0), default=0, help="Load that many first, then only kill workers: how soon are they replaced?"
)
def chaos(minutes: float, seed: int | None, assets: int) -> None:
    """Disturb a system of its own while input flows, then check every event, table and row; exit code 1 if one is wrong."""
    chosen = [] if seed is None else [f"--seed={seed}"]
    sys.exit(_of_checkout("chaos", f"--minutes={minutes:g}", f"--assets={assets}", *chosen))


def _of_checkout(name: str, *arguments: str) -> int:
    """Run one of the programs in `tests/`; its exit code."""
    if not (ROOT / "tests" / name).is_dir():
        raise UserError(f"`tranche {name}` is in tests/{name} of a checkout, and {ROOT} is none; clone Tranche and run it there")
    return subprocess.call([sys.executable, "-m", f"tests.{name}", *arguments], cwd=ROOT)  # noqa: S603 - our own module
