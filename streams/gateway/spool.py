"""The spool: the plain bytes of each batch on this machine's disk, from the first one until they are backed up and processed.

`<home>/spool/<gateway>/`, a folder of each gateway process, which holds its lock while it lives. Of a batch it has

    <batch>.bson    the very bytes that were cut into documents; written before a document of them is handed to the broker
    <batch>.open    how many documents the broker had at the last look; it becomes
    <batch>.ending  the BatchReceived that is to be published; it becomes
    <batch>.ended   when the broker has acknowledged that, and everything before it

and all are deleted when the batch is ended and the copier has stored it. A gateway that starts takes over the folders of those that ended:
what is `ending` is published again as it is, what is `open` as a batch that broke off at its last byte here, and the copier is told of all.
So is a batch whose status the broker does not take at first. Nothing is synced: a kill loses nothing, a power cut may.
"""

import asyncio
import contextlib
import os
import secrets
import time
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Final

import structlog

from schemas.events import BatchReceived, encode
from streams import metrics, topics
from streams.effects import Record
from streams.embedded import folders
from streams.gateway.copying import UP, Copying
from streams.gateway.limits import Limits
from streams.gateway.outlet import BrokerError, Outlet
from streams.gateway.spooled import Spooled, SpoolError

LOCK: Final = ".lock"

log = structlog.get_logger()


class Spool:
    """Of one gateway process, between `start` and `close`."""

    def __init__(self, home: Path, url: str, outlet: Outlet, limits: Limits) -> None:
        self._parent, self._outlet, self._limits = home / "spool", outlet, limits
        self.folder = self._parent / f"{os.getpid()}-{secrets.token_hex(4)}"
        self.bytes = 0
        self._batches: dict[str, Spooled] = {}  # the oldest first
        self._unpublished: asyncio.Queue[Spooled] = asyncio.Queue()
        self._copying = Copying(self.folder, url, self._gone)
        self._tasks: list[asyncio.Task[None]] = []
        self._lock: IO[str] | None = None
        metrics.SPOOL_BYTES.set_function(lambda: self.bytes)
        metrics.SPOOL_BATCHES.set_function(lambda: len(self._batches))
        metrics.SPOOL_OLDEST.set_function(lambda: self.oldest_s)
        metrics.STORE_UP.set_function(lambda: self._copying.store == UP)

    async def start(self) -> None:
        """Take over what earlier gateways left, and go on with it. Raises OSError: the folder cannot be made."""
        for path in await asyncio.to_thread(self._take_over):
            found = self._batches[path.stem] = Spooled(path, self)
            await asyncio.to_thread(found.find)
            self.bytes += found.size
            if not found.event:
                self._unpublished.put_nowait(found)
        self._tasks = [asyncio.create_task(self._publish_all()), asyncio.create_task(self._copying.run(self._waiting))]

    async def close(self) -> None:
        """Stop copying. What is in the spool stays there for the next gateway."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._lock:
            self._lock.close()

    def check(self, more: int = 0) -> None:
        """Raises SpoolError: there is no room for `more` bytes, or for another batch."""
        limits = self._limits
        if self.bytes + more >= limits.spool_bytes or len(self._batches) > limits.spool_batches:
            raise SpoolError(f"{len(self._batches)} batches of {self.bytes:,} bytes wait to be backed up: {self._copying.store}")
        found = os.statvfs(self.folder)
        if found.f_bavail * found.f_frsize < limits.spool_free_bytes + more:
            raise SpoolError(f"the disk of {self._parent} is full")

    @asynccontextmanager
    async def open(self, batch: str) -> AsyncIterator[Spooled]:
        """The place of a new batch; whatever ends the block, its status is published, now or when the broker takes it.

        Raises:
            SpoolError: as `check`, or the disk does not take it.
        """
        self.check()
        spooled = Spooled(self.folder / f"{batch}.bson", self)
        spooled.create()
        self._batches[batch] = spooled
        self._copying.tell(batch)
        try:
            yield spooled
        finally:
            spooled.close()
            if not spooled.event:
                self._unpublished.put_nowait(spooled)

    def ended(self, batch: str, event: BatchReceived) -> None:
        """The broker has all of it."""
        self._copying.tell(batch, event)

    @property
    def batches(self) -> Collection[str]:
        """Those that are not backed up and processed."""
        return self._batches.keys()

    @property
    def oldest_s(self) -> float:
        """Since when the oldest batch has been here; 0 without any."""
        return max((time.time() - spooled.began for spooled in self._batches.values()), default=0.0)

    @property
    def state(self) -> dict[str, object]:
        """What `/health` shows of it."""
        return {"store": self._copying.store, "bytes": self.bytes, "batches": len(self._batches), "oldest_s": round(self.oldest_s, 1)}

    def _waiting(self) -> Iterator[tuple[str, BatchReceived | None]]:
        return ((batch, spooled.event) for batch, spooled in self._batches.items())

    def _gone(self, batch: str) -> None:
        spooled = self._batches.pop(batch, None)
        if spooled:
            self.bytes -= spooled.size
            spooled.delete()

    async def _publish_all(self) -> None:
        """Publish what a batch's own upload could not."""
        while True:
            spooled = await self._unpublished.get()
            while not spooled.event:
                try:
                    event = await asyncio.to_thread(spooled.to_publish)
                    await self._outlet.write(Record(topics.BATCHES, event.batch.encode(), encode(event)))
                    spooled.ended(event)
                    log.warning("batch's status is published late", batch=event.batch, error=event.error, position=event.position)
                except (BrokerError, OSError) as fault:
                    log.warning("batch has no status yet", batch=spooled.batch, reason=str(fault))
                    await asyncio.sleep(self._limits.retry_s)

    def _take_over(self) -> list[Path]:
        """Make the folder, and move what is in those of ended gateways into it; the batches, the oldest first."""
        self._parent.mkdir(parents=True, exist_ok=True)
        with folders.lock(self._parent / LOCK):
            left = [folder for folder in self._parent.iterdir() if folder.is_dir()]
            self.folder.mkdir()
            self._lock = folders.try_lock(self.folder / LOCK)
            for folder in left:
                if lock := folders.try_lock(folder / LOCK):
                    with lock:
                        for path in folder.iterdir():
                            path.unlink() if path.name == LOCK else path.rename(self.folder / path.name)
                    with contextlib.suppress(OSError):
                        folder.rmdir()
        for path in self.folder.glob("*.ended"):
            if not path.with_suffix(".bson").exists():
                path.unlink()  # it was stored, and the gateway ended while it deleted it
        return sorted(self.folder.glob("*.bson"), key=lambda path: path.stat().st_mtime)
