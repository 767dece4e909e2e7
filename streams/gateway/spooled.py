"""One batch in the spool (`streams/gateway/spool.py` says which files it has there and what they mean)."""

import os
import time
from pathlib import Path
from typing import Final, Protocol

import msgspec
import structlog
import xxhash

from schemas.events import BatchReceived, decode_batch, encode

LOOK_BYTES: Final = 1024**2  # from one look at the documents that the broker has to the next
READ_BYTES: Final = 1024**2
NOTE_BYTES: Final = 4096  # room for the BatchReceived
_COUNTS: Final = b"%020d %020d\n"  # documents, and of them oversized ones
_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC

log = structlog.get_logger()


class SpoolError(Exception):
    """There is no room for what comes, or the disk does not take it."""


class Room(Protocol):
    """What a batch needs of its spool."""

    bytes: int

    def check(self, more: int = 0) -> None: ...
    def ended(self, batch: str, event: BatchReceived) -> None: ...


class Spooled:
    """The files of a batch. `event` is what was published at its end, `began` when it was begun, in seconds since 1970."""

    def __init__(self, path: Path, spool: Room) -> None:
        self.batch, self._path, self._spool = path.stem, path, spool
        self.size, self.began = 0, time.time()
        self.event: BatchReceived | None = None
        self._file = self._counts = -1

    def create(self) -> None:
        """Begin. Raises SpoolError: the disk does not take it."""
        try:
            self._file, self._counts = (os.open(self._path.with_suffix(end), _FLAGS, 0o600) for end in (".bson", ".open"))
            os.posix_fallocate(self._counts, 0, NOTE_BYTES)
        except OSError as fault:
            raise SpoolError(f"{self._path}: {fault.strerror}") from fault

    def find(self) -> None:
        """Be what an earlier gateway left. Raises OSError."""
        found = self._path.stat()
        self.size, self.began, self.event = found.st_size, found.st_mtime, _read(self._path.with_suffix(".ended"))

    def write(self, piece: bytes, documents: int, oversized: int) -> None:
        """Append a piece of the file; the counts are of what the broker has by now.

        It writes to the page cache without a thread: 64 KiB take 20 µs, a thread for each costs a gateway as much time as a fifth of the
        upload.

        Raises:
            SpoolError: there is no room for it; nothing of it is there.
        """
        self._spool.check(len(piece))
        try:
            self._append(piece)
        except OSError as fault:
            raise SpoolError(f"{self._path}: {fault.strerror}") from fault
        if self.size // LOOK_BYTES != (self.size + len(piece)) // LOOK_BYTES:
            os.pwrite(self._counts, _COUNTS % (documents, oversized), 0)
        self.size += len(piece)
        self._spool.bytes += len(piece)

    def ending(self, event: BatchReceived) -> None:
        """This is published next. It is noted in room that was taken at the beginning, so that a full disk does not matter."""
        open_, ending = self._path.with_suffix(".open"), self._path.with_suffix(".ending")
        try:
            note = open_ if open_.exists() else ending
            with open(note, "r+b" if note.exists() else "wb") as file:  # noqa: PTH123 - as Path.open, with one name for both
                file.write(encode(event).ljust(NOTE_BYTES))
                file.truncate()
            note.rename(ending)
        except OSError as fault:
            log.warning("end of a batch is not noted", batch=self.batch, reason=fault.strerror)  # a kill would make it one that broke off

    def ended(self, event: BatchReceived) -> None:
        """This was published."""
        self.event = event
        try:
            self._path.with_suffix(".ending").rename(self._path.with_suffix(".ended"))
        except OSError as fault:
            log.warning("end of a batch is not noted", batch=self.batch, reason=fault.strerror)
        self._spool.ended(self.batch, event)

    def close(self) -> None:
        for file in (self._file, self._counts):
            os.close(file)

    def delete(self) -> None:
        """Its bytes first, and last what says that it was ended."""
        for end in (".bson", ".open", ".ending", ".ended"):
            self._path.with_suffix(end).unlink(missing_ok=True)

    def to_publish(self) -> BatchReceived:
        """What its status must be, if nobody has published that: what was noted, or that it broke off at its last byte here.

        Raises:
            OSError: the disk cannot be read.
        """
        noted = (_read(self._path.with_suffix(end)) for end in (".ending", ".open"))  # the latter: killed before it had its name
        return next((event for event in noted if event), None) or self._broken_off()

    def _broken_off(self) -> BatchReceived:
        digest, size = xxhash.xxh3_128(), 0
        with self._path.open("rb", buffering=0) as file:
            while piece := file.read(READ_BYTES):
                digest.update(piece)
                size += len(piece)
        documents, oversized = self._counted()
        error = f"the gateway ended when it had {size} bytes of it; send it again"
        event = BatchReceived(self.batch, self.batch.partition(".")[0], documents, size, digest.hexdigest(), oversized, error, size)
        self.ending(event)
        return event

    def _counted(self) -> tuple[int, int]:
        """Documents that the broker had at the last look, and of them oversized ones."""
        try:
            documents, oversized = map(int, self._path.with_suffix(".open").read_bytes().partition(b"\n")[0].split())
        except (FileNotFoundError, ValueError):
            return 0, 0  # killed before the first look, or a power cut
        return documents, oversized

    def _append(self, piece: bytes) -> None:
        """All of the piece, or nothing."""
        left = memoryview(piece)
        try:
            while left:
                left = left[os.write(self._file, left) :]
        except OSError:
            os.ftruncate(self._file, self.size)
            os.lseek(self._file, self.size, os.SEEK_SET)
            raise


def _read(path: Path) -> BatchReceived | None:
    """The event in a file; None if there is none, or not a whole one."""
    try:
        event = decode_batch(path.read_bytes())
    except (FileNotFoundError, msgspec.MsgspecError):
        return None
    return event if isinstance(event, BatchReceived) else None
