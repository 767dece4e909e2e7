"""`run.json` in a home folder: what runs there, for the `tranche` command. Only its owner can read it: it holds secrets.

A process is known by its id and the time it began, so that a file left by a killed supervisor never names a stranger.
"""

from pathlib import Path
from typing import Final

import msgspec
import psutil

from streams.embedded import folders

_SAME_START_S: Final = 2.0  # the system's own figure shifts when its clock is set
_STOP_S: Final = 15.0


class Process(msgspec.Struct, frozen=True):
    """A process's id and when it began, in seconds since 1970."""

    pid: int
    began_s: float

    @classmethod
    def of(cls, pid: int) -> "Process":
        """Raises psutil.NoSuchProcess."""
        return cls(pid, psutil.Process(pid).create_time())

    def find(self) -> psutil.Process | None:
        """The process itself, if it still runs."""
        try:
            found = psutil.Process(self.pid)
            same = abs(found.create_time() - self.began_s) <= _SAME_START_S and found.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return None
        return found if same else None


class Run(msgspec.Struct, frozen=True):
    """A system: its supervisor, its processes in the order they were started, where they are reached, their TRANCHE_* environment."""

    supervisor: Process
    processes: dict[str, Process]
    kafka: str
    postgres: str
    gateway_url: str
    ops_urls: tuple[str, ...]
    secret: str
    logs: str
    environ: dict[str, str]
    ready: bool = False


def path(home: Path) -> Path:
    return home / "run.json"


def write(home: Path, run: Run) -> None:
    """Replace the file whole."""
    folders.write_private(path(home), msgspec.json.format(msgspec.json.encode(run)).decode() + "\n")


def read(home: Path) -> Run | None:
    """What the file says; None if there is none, or if it is none of ours."""
    try:
        return msgspec.json.decode(path(home).read_bytes(), type=Run)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def running(home: Path) -> Run | None:
    """The system whose supervisor lives; None if there is none, or only a stale file."""
    run = read(home)
    return run if run and run.supervisor.find() else None


def remove(home: Path) -> None:
    path(home).unlink(missing_ok=True)


def sweep(home: Path) -> list[str]:
    """End what a killed supervisor left running, last started first, and remove its file. Returns the names of those ended.

    Only for who holds the home's lock.
    """
    run = read(home)
    left = [(name, found) for name, process in reversed((run.processes if run else {}).items()) if (found := process.find())]
    for _, process in left:
        process.terminate()
        _, alive = psutil.wait_procs([process], timeout=_STOP_S)
        for stubborn in alive:
            stubborn.kill()
    remove(home)
    return [name for name, _ in left]
