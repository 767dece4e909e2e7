"""Folders and files that a home consists of: made, checked for space, locked, replaced whole."""

import fcntl
import os
import shutil
from pathlib import Path
from typing import IO

from streams.embedded.errors import FolderError

MIB = 1024 * 1024


def require(folder: Path, free_bytes: int) -> Path:
    """Make `folder` and see that it can be written and that its disk has `free_bytes` left.

    Raises:
        FolderError: it cannot be made or written, or the disk is full.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".probe-{os.getpid()}"
        probe.write_bytes(b"probe")
        probe.unlink()
        left = shutil.disk_usage(folder).free
    except OSError as fault:
        raise FolderError(f"{folder}: cannot be written ({fault.strerror}); choose another home folder (TRANCHE_HOME)") from fault
    if left < free_bytes:
        raise FolderError(
            f"{folder}: the disk is full, {left // MIB} MiB are left and {free_bytes // MIB} MiB are needed; "
            "make room or choose another home folder (TRANCHE_HOME)"
        )
    return folder


def write_private(path: Path, text: str) -> None:
    """Replace a file whole; only its owner can read it."""
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def lock(path: Path) -> IO[str]:
    """Wait for `path` as a lock and hold it until the file is closed or the process ends."""
    file = path.open("a")
    fcntl.flock(file, fcntl.LOCK_EX)
    return file


def try_lock(path: Path) -> IO[str] | None:
    """The same without waiting: None if another process holds it."""
    file = path.open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def tail(log: Path, start: int = 0, lines: int = 15) -> str:
    """The last lines of a log, of what was written from byte `start` on."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(start, log.stat().st_size - 64 * 1024))
        return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
