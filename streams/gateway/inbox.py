"""The watched folder: what is put into `<inbox>/<originator>/` is taken as a batch, as if it had been uploaded.

Who may write into an originator's folder is said by the file system: the folder is the credential. A file is taken when it has settled
(`streams/gateway/settling.py`), one originator's one after the other. Then it is moved to `taken/<batch>/` or `refused/<batch>/`, beside
`answer.json`, the answer that an upload gets; `<batch>` is the file's own, also where the answer names the first batch of the same file.
While the broker is away or the spool is full, files stay and are tried again; after a crash, too: what the broker has of them already is
then unchanged. A file that cannot be read does not keep those behind it waiting.

What is in `taken/` stays there. With backups the file is deleted once its batch is backed up and processed; the answer stays.

One gateway watches an inbox; the others that share it wait until that one is gone.
"""

import asyncio
import os
import time
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final

import structlog

from schemas.events import INBOX
from streams.embedded.folders import try_lock
from streams.gateway.coding import Unpacker
from streams.gateway.context import Gateway, InboxState
from streams.gateway.delivery import Delivery, Origin
from streams.gateway.limits import Limits
from streams.gateway.outlet import BrokerError
from streams.gateway.problems import ProblemError
from streams.gateway.replies import encode
from streams.gateway.settling import SETTLE_S, Look, Settling
from streams.gateway.spooled import SpoolError
from streams.gateway.uploads import SPOOL_FULL, UNREADABLE, Fault, FileError, answered, batch_id, counted, failed, finish, receive

PIECE_BYTES: Final = 256 * 1024
FILES_MAX: Final = 10_000  # of one originator, looked at at a time
TAKEN, REFUSED, ANSWER = "taken", "refused", "answer.json"
CODINGS: Final = {".gz": "gzip", ".zst": "zstd"}  # by the end of a file's name

log = structlog.get_logger()


async def watch(folder: Path, gateway: Gateway) -> None:
    """Watch until cancelled; what ends it otherwise makes the gateway unhealthy, and is said there."""
    try:
        await _Inbox(folder, gateway).run()
    except Exception as fault:
        log.exception("inbox is no longer watched", folder=str(folder))
        gateway.inbox = InboxState("down", str(fault))


class _Inbox:
    """Watches `folder`, in which every originator of the catalog gets a folder of its own."""

    def __init__(self, folder: Path, gateway: Gateway) -> None:
        self.folder, self._gateway = folder, gateway
        self._settling = {originator: Settling() for originator in gateway.originators}
        self._places = asyncio.Semaphore(gateway.limits.uploads)
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._unread: dict[Path, tuple[str, float]] = {}  # files that could not be read: why, and when they are tried again
        self._backing: dict[str, Path] = {}  # by batch, files in `taken/` that are not backed up yet

    async def run(self) -> None:
        """Watch until cancelled. Raises OSError: the folders cannot be made."""
        for originator in self._gateway.originators:
            (self.folder / originator).mkdir(parents=True, exist_ok=True)
        while (lock := try_lock(self.folder / ".lock")) is None:
            self._gateway.inbox = InboxState("another gateway watches it")
            await asyncio.sleep(SETTLE_S)
        self._gateway.inbox = InboxState("watched")
        self._backing = await asyncio.to_thread(self._taken)
        log.info("inbox is watched", folder=str(self.folder))
        try:
            await self._watch()
        finally:
            for task in self._under_way.values():
                task.cancel()
            await asyncio.gather(*self._under_way.values(), return_exceptions=True)
            lock.close()

    async def _watch(self) -> None:
        from watchfiles import awatch  # noqa: PLC0415 - only a gateway with an inbox needs it

        # It also looks when nothing was said: a network folder says nothing, and settling is that nothing happens.
        wait_ms = int(SETTLE_S * 1000)
        folders = [self.folder / originator for originator in self._gateway.originators]
        async for _ in awatch(*folders, watch_filter=None, yield_on_timeout=True, rust_timeout=wait_ms, recursive=False):
            await self._delete_backed_up()
            for originator in self._gateway.originators:
                task = self._under_way.get(originator)
                if task and task.done():
                    task.result()  # what it did not expect ends the watching, and is seen
                if task is None or task.done():
                    self._under_way[originator] = asyncio.create_task(self._take_all(originator))

    async def _take_all(self, originator: str) -> None:
        """Take what has settled of one originator, in order. What cannot be taken stays, and is tried again later."""
        try:
            files = await asyncio.to_thread(_files, self.folder / originator)
            for gone in [path for path in self._unread if path.parent.name == originator and path not in files]:
                del self._unread[gone]
            for path in self._settling[originator].settled(files, time.monotonic()):
                async with self._places:
                    await self._take_readable(originator, path, files[path])
        except (BrokerError, SpoolError, OSError) as fault:
            log.warning("inbox waits", originator=originator, reason=str(fault))
            await asyncio.sleep(self._gateway.limits.retry_s)

    async def _take_readable(self, originator: str, path: Path, look: Look) -> None:
        """Take a file. One that cannot be read is left alone for a while, so that those behind it go on; that is said once."""
        before = self._unread.get(path)
        if before and time.monotonic() < before[1]:
            return
        try:
            await self._take(originator, path, look)
        except FileError as fault:
            self._unread[path] = str(fault), time.monotonic() + self._gateway.limits.unread_s
            if not before or before[0] != str(fault):
                log.warning("file of the inbox is not taken", originator=originator, file=path.name, reason=str(fault))
        else:
            self._unread.pop(path, None)

    async def _take(self, originator: str, path: Path, look: Look) -> None:
        batch, limits = batch_id(originator), self._gateway.limits
        sender = os.fsencode(f"{originator}/{path.name}").decode(errors="replace")
        origin = Origin(INBOX, sender, datetime.now(UTC))
        with _opened(path) as file:
            async with self._gateway.spooled(batch) as spooled:
                delivery = Delivery(batch, originator, origin, self._gateway.outlet, limits, spooled=spooled)
                try:
                    fault = await receive(_pieces(file, CODINGS.get(path.suffix, ""), limits), delivery)
                    if changed := _look(os.fstat(file.fileno())) != look:
                        fault = Fault(400, "bad-sequence", "the file changed while it was read, and is taken again", delivery.size)
                    received = await finish(self._gateway, delivery, fault)
                except BrokerError as refused:
                    await failed(self._gateway, delivery, refused)
                    raise
                finally:
                    counted(delivery)
        try:
            where, answer = TAKEN, answered(self._gateway, delivery, received, fault)
        except ProblemError as problem:
            _stays(fault)
            where, answer = REFUSED, problem.body
        if not changed:
            away = await asyncio.to_thread(_put_away, path, where, batch, encode(answer))
            if self._gateway.spool and where == TAKEN:
                self._backing[batch] = away

    def _taken(self) -> dict[str, Path]:
        """What is in `taken/` of the batches that are not backed up yet."""
        waiting = self._gateway.spool.batches if self._gateway.spool else []
        folders = ((batch, self.folder / batch.partition(".")[0] / TAKEN / batch) for batch in waiting)
        return {batch: path for batch, folder in folders if folder.is_dir() for path in folder.iterdir() if path.name != ANSWER}

    async def _delete_backed_up(self) -> None:
        """Delete from `taken/` what is backed up by now."""
        waiting = set(self._gateway.spool.batches if self._gateway.spool else ())
        for batch in self._backing.keys() - waiting:
            await asyncio.to_thread(self._backing.pop(batch).unlink, missing_ok=True)


async def _pieces(file: BinaryIO, coding: str, limits: Limits) -> AsyncGenerator[bytes]:
    """The bytes of a file, out of its coding. Raises CodingError, TooLargeError, FileError."""
    unpacker = Unpacker(coding, limits)
    while data := await asyncio.to_thread(_read, file):
        for piece in unpacker.feed(data):
            yield piece
    unpacker.close()


def _files(folder: Path) -> dict[Path, Look]:
    """The regular files of a folder, FILES_MAX at most. Links are none: they could show what their maker may not read."""
    found: dict[Path, Look] = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_file(follow_symlinks=False):
                found[Path(entry.path)] = _look(entry.stat(follow_symlinks=False))
                if len(found) == FILES_MAX:
                    break
    return found


def _look(state: os.stat_result) -> Look:
    return Look(state.st_ino, state.st_size, state.st_mtime_ns)


def _opened(path: Path) -> BinaryIO:
    """The file, if nobody has put a link in its place meanwhile. Raises FileError."""
    try:
        return os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb", buffering=0)
    except OSError as fault:
        raise FileError(f"the file cannot be read: {fault.strerror}") from fault


def _read(file: BinaryIO) -> bytes:
    try:
        return file.read(PIECE_BYTES)
    except OSError as fault:
        raise FileError(f"the file cannot be read on: {fault.strerror}") from fault


def _stays(fault: Fault | None) -> None:
    """Raises what a file that stays is tried again for: SpoolError, FileError."""
    if fault and fault.kind == SPOOL_FULL:
        raise SpoolError(fault.reason)
    if fault and fault.kind == UNREADABLE:
        raise FileError(fault.reason)


def _put_away(path: Path, where: str, batch: str, answer: bytes) -> Path:
    """Move a file out of the way, beside the answer, which is there first: where the file is, it is whole. Returns where that is."""
    folder = path.parent / where / batch
    folder.mkdir(parents=True)
    (folder / ANSWER).write_bytes(answer)
    return path.rename(folder / path.name)
