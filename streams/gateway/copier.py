"""The copier: a process of the gateway's own, which copies the batches of its spool to the object store.

It is told on its standard input, a JSON line each: `{"batch"}` when the gateway begins to take a batch, `{"batch", "event"}` when that has
ended and its BatchReceived is published. It says on its standard output: `{"stored": batch}`, `{"lost": batch, "reason"}`, `{"up": true}`,
`{"down": reason}`. A batch is copied while it comes. What the store did not take then is copied again, whole, one batch at a time, for
ever, with growing pauses. The end of its input is the end of the copier: what is not stored stays in the spool.

A process of its own, because the gateway has no memory for it: importing obstore takes 5 MB, and a copy 9 to 20 MB more (parts of 5 MiB,
the least of S3, of which two or three are held). The gateway's own peak while it takes 1 GB is 53.7 MB without backups and 54.4 MB with
them, the copier's 50 to 67 MB.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec
import orjson
import stamina
import structlog

from streams import logs
from streams.backups import Backup, Backups, StoreError, UnknownBackupError

READ_BYTES: Final = 1024**2
POLL_S: Final = 0.05  # for more of a file that grows
PAUSE_S_MAX: Final = 30.0  # between two tries
NOT_TAKEN: Final = (StoreError, UnknownBackupError)  # the latter: S3 says so of a bucket that is not there

log = structlog.get_logger()


class Copier:
    """Copies `<folder>/<batch>.bson`; all methods belong to one event loop."""

    def __init__(self, folder: Path, backups: Backups) -> None:
        self._folder, self._backups = folder, backups
        self._ends: dict[str, asyncio.Future[Backup]] = {}
        self._again: asyncio.Queue[str] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()

    def hear(self, said: dict[str, Any]) -> None:
        """A line of the input."""
        batch, event = said["batch"], said.get("event")
        known = batch in self._ends
        end = self._ends.setdefault(batch, asyncio.get_running_loop().create_future())
        if event and not end.done():
            end.set_result(Backup(**event))
        if event and not known:
            self._again.put_nowait(batch)
        elif not known:
            task = asyncio.create_task(self._follow(batch))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            task.add_done_callback(_end_at_fault)

    async def run(self) -> None:
        """See whether there is a store, then copy what it did not take at first, one batch after the other."""
        await self._insist(self._backups.check)
        while True:
            await self._insist(partial(self._copy, await self._again.get()))

    async def _follow(self, batch: str) -> None:
        try:
            await self._copy(batch)
        except NOT_TAKEN as fault:
            _down(fault)
            await self._ends[batch]  # a slow sender must not hold up the others
            self._again.put_nowait(batch)

    async def _insist(self, work: Any) -> None:
        async for attempt in stamina.retry_context(on=NOT_TAKEN, attempts=None, timeout=None, wait_initial=0.5, wait_max=PAUSE_S_MAX):
            with attempt:
                try:
                    await work()
                except NOT_TAKEN as fault:
                    _down(fault)
                    raise
        _say(up=True)

    async def _copy(self, batch: str) -> None:
        """Copy a batch to its end, and say so."""
        end = self._ends[batch]
        try:
            size = await self._put(batch, end)
            backup = await end
            if size != backup.bytes:  # what did not fit on a full disk may have been read before it was taken back
                size = await self._put(batch, end)
        except FileNotFoundError as fault:
            log.error("a batch is not in the spool any more", batch=batch)  # noqa: TRY400 - that is all
            _say(lost=batch, reason=str(fault))
        else:
            if size != backup.bytes:
                backup = msgspec.structs.replace(backup, bytes=size, error="its end was lost in the spool", position=size)
            await self._backups.seal(backup)
            _say(stored=batch)
        del self._ends[batch]

    async def _put(self, batch: str, end: "asyncio.Future[Backup]") -> int:
        file = _Growing(self._folder / f"{batch}.bson", end)
        await self._backups.put(batch, file.pieces())
        return file.size


class _Growing:
    """A file that is read while it grows, to its `end`."""

    def __init__(self, path: Path, end: "asyncio.Future[Backup]") -> None:
        self._path, self._end, self.size = path, end, 0

    async def pieces(self) -> AsyncIterator[bytes]:
        with await asyncio.to_thread(_opened, self._path) as file:
            while True:
                whole = self._end.done()
                if piece := await asyncio.to_thread(file.read, READ_BYTES):
                    self.size += len(piece)
                    yield piece
                elif whole:
                    return
                else:
                    await asyncio.wait({self._end}, timeout=POLL_S)


def _opened(path: Path) -> BinaryIO:
    return path.open("rb", buffering=0)


def _down(fault: Exception) -> None:
    _say(down=str(fault))


def _say(**what: Any) -> None:
    sys.stdout.buffer.write(orjson.dumps(what) + b"\n")
    sys.stdout.buffer.flush()


def _end_at_fault(task: "asyncio.Task[None]") -> None:
    """What was not expected ends the process; the gateway starts it again and tells it everything anew."""
    if not task.cancelled() and (fault := task.exception()):
        log.error("copier ends", exc_info=fault)
        os._exit(1)


async def _run(folder: Path, url: str) -> None:
    loop, lines = asyncio.get_running_loop(), asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    copier = Copier(folder, Backups(url))
    running = asyncio.create_task(copier.run())
    running.add_done_callback(_end_at_fault)
    while line := await lines.readline():
        copier.hear(orjson.loads(line))
    os._exit(0)  # threads that still wait for the store would keep it


if __name__ == "__main__":
    os.nice(10)  # who sends goes first: what is not copied yet is in the spool
    logs.configure("copier")
    asyncio.run(_run(Path(sys.argv[1]), sys.argv[2]))
