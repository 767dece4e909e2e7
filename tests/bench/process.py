"""A subject of a bench is a process of its own: started, read for its figures, ended."""

import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

CHECKOUT: Final = Path(__file__).parents[2]
TAIL_CHARACTERS: Final = 2_000


class Measured(NamedTuple):
    """One run's figures: assets a second, peak resident memory in MB, table rows written (None where the subject does not count them)."""

    assets_per_s: int
    rss_mb: int
    rows: int | None = None


class RunError(Exception):
    """A subject ended, or took too long, without its figures: the message has the end of its log."""


class Running:
    """A subject's process. Its standard output has lines of JSON with the figures; everything else it says is in its log."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self._process, self._log = process, log

    @property
    def pid(self) -> int:
        return self._process.pid

    def figures(self, limit_s: float) -> Measured:
        """Wait for the next line of figures; `said` says what it raises."""
        return Measured(**self.said(limit_s))

    def said(self, limit_s: float) -> dict[str, Any]:
        """Wait for the next line of JSON.

        Raises:
            RunError: none came within `limit_s` seconds; the process is then killed.
        """
        assert self._process.stdout is not None
        timer = threading.Timer(limit_s, self._process.kill)
        timer.start()
        try:
            for line in self._process.stdout:
                if line.startswith("{"):
                    return json.loads(line)
        finally:
            timer.cancel()
        code = self._process.wait()
        tail = self._log.read_text(errors="replace")[-TAIL_CHARACTERS:].strip()
        raise RunError(f"{self._process.args!r} ended with code {code}, without figures (limit {limit_s:.0f} s):\n{tail}")

    @contextmanager
    def paused(self) -> Iterator[None]:
        """The process stands still meanwhile: for less than its session timeout, or its partitions move."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)


@contextmanager
def running(command: Sequence[str | Path], log: Path, environ: Mapping[str, str] | None = None) -> Iterator[Running]:
    """Start a subject in the checkout, with `environ` added to the environment; it has ended when the context ends."""
    with log.open("w") as errors:
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=CHECKOUT,
            env={**os.environ, **(environ or {})},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    try:
        yield Running(process, log)
    finally:
        process.kill()  # it has given its figures: a graceful end would only disturb the next subject
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
