"""From a file that fails after many others to the least that still fails."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Final

from tests.fuzz.life import Life
from tests.fuzz.sendings import Sending

FOUND: Final = Path(__file__).parent / "found"
TRIES_MAX: Final = 200

Part = tuple[int, bytes]  # the file that it is of, a frame


def fault_of(files: Sequence[Sending]) -> str:
    """What is wrong when these files are taken one after the other, empty if nothing is."""
    life = Life()
    try:
        for one in files:
            life.take(one)
    except Exception as fault:  # noqa: BLE001 - whatever it is, that is what is looked for
        return f"{type(fault).__name__}: {fault}"
    return ""


def shrunk(files: Sequence[Sending], tries: int = TRIES_MAX) -> list[Sending]:
    """The files without frames that the fault does not need: halves, quarters … are left out as long as it stays one of its type."""
    kind = fault_of(files).partition(":")[0]
    parts = [(n, frame) for n, one in enumerate(files) for frame in one.frames]
    left = tries

    def fails(some: Sequence[Part]) -> bool:
        nonlocal left
        left -= 1
        return left >= 0 and fault_of(_files(files, some)).partition(":")[0] == kind

    last = [part for part in parts if part[0] == len(files) - 1]
    return _files(files, _least(last if fails(last) else parts, fails))


def _least(parts: list[Part], fails: Callable[[Sequence[Part]], bool]) -> list[Part]:
    size = len(parts) // 2
    while size:
        at = 0
        while at < len(parts):
            without = parts[:at] + parts[at + size :]
            if without and fails(without):
                parts = without
            else:
                at += size
        size //= 2
    return parts


def _files(files: Sequence[Sending], parts: Sequence[Part]) -> list[Sending]:
    return [replace(files[n], frames=tuple(frame for _, frame in group)) for n, group in groupby(parts, lambda part: part[0])]


def save(files: Sequence[Sending], name: str) -> list[Path]:
    """Keep what was found for `tests/fuzz/test_fuzz.py`, which takes every file of FOUND in both ways: ORIGINATOR-NAME-NUMBER.bson."""
    FOUND.mkdir(exist_ok=True)
    paths = []
    for n, one in enumerate(files):
        path = FOUND / f"{one.originator}-{name}-{n}.bson"
        path.write_bytes(b"".join(one.frames))
        paths.append(path)
    return paths
