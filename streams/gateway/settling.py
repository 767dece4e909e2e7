"""When a file in a watched folder is complete: once nothing about it has changed for a while. Pure.

A file that was renamed into place changes no more, and one that is being written grows; which of the two it is no file system says, and
an upload over SFTP may pause. So both are waited for, the same short time.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

SETTLE_S: Final = 2.0
UNFINISHED: Final = (".tmp", ".part", ".filepart", ".crdownload")  # what programs call files that they will rename


class Look(NamedTuple):
    """What identifies a file's content between two looks."""

    inode: int
    size: int
    modified_ns: int


class Settling:
    """Tells, look by look, which files have settled."""

    def __init__(self, settle_s: float = SETTLE_S) -> None:
        self._settle_s = settle_s
        self._seen: dict[Path, tuple[Look, float]] = {}

    def settled(self, files: Mapping[Path, Look], now_s: float) -> list[Path]:
        """Those of `files` that are as they were `settle_s` ago, in the order in which they were last written; `now_s` never goes back."""
        seen = self._seen
        self._seen = {path: (look, _since(seen.get(path), look, now_s)) for path, look in files.items() if counts(path.name)}
        still = [path for path, (_, since) in self._seen.items() if now_s - since >= self._settle_s]
        return sorted(still, key=lambda path: (files[path].modified_ns, path))


def counts(name: str) -> bool:
    """Whether a file of that name may be a delivery: hidden ones and those that are still to be renamed are not."""
    return not name.startswith(".") and not name.lower().endswith(UNFINISHED)


def _since(before: tuple[Look, float] | None, look: Look, now_s: float) -> float:
    return before[1] if before and before[0] == look else now_s
