"""Tests that take minutes in processes of their own run beside the others, from the first test of the session on.

Most tests wait for servers and workers and leave a processor idle. `@pytest.mark.beside(MODULE, *ARGUMENTS, nice=N)` says which module a
test runs, and how low its priority is; the fixture `ended` waits for its end.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from streams.settings import inherited

ROOT = Path(__file__).parents[1]
STOP_S = 30


class Ended(NamedTuple):
    """The exit code, and what was written to the two outputs."""

    code: int
    told: str
    progress: str


class Beside(NamedTuple):
    """A process under way, and the files that it writes to."""

    process: subprocess.Popen[bytes]
    told: Path
    progress: Path

    def ended(self) -> Ended:
        """Waits for it."""
        return Ended(self.process.wait(), self.told.read_text(), self.progress.read_text())


@contextmanager
def running(folder: Path, mark: pytest.Mark) -> Iterator[Beside]:
    """What `mark` says; stopped if it has not ended by itself."""
    told, progress = folder / "told", folder / "progress"
    arguments: list[Any] = [sys.executable, "-m", *mark.args]
    with told.open("wb") as out, progress.open("wb") as err:
        process = subprocess.Popen(list(map(str, arguments)), cwd=ROOT, env=inherited(), stdout=out, stderr=err, start_new_session=True)
    nice = mark.kwargs.get("nice", 0)
    os.setpriority(os.PRIO_PGRP, process.pid, nice)
    # Linux shares the processors among sessions first, and a priority counts only within one: sched(7). Not all systems have this or let
    # everybody do it; there these take their part, and all else takes longer.
    with suppress(OSError):
        Path(f"/proc/{process.pid}/autogroup").write_text(str(nice))
    threading.Thread(target=process.wait, daemon=True).start()  # tests that look at their children see none that has ended
    try:
        yield Beside(process, told, progress)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
