"""The copier (`streams/gateway/copier.py`) as the gateway sees it: started, told what to copy, listened to, started again when it ends."""

import asyncio
import asyncio.subprocess
import contextlib
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import orjson
import structlog

from schemas.events import BatchReceived

COMMAND: Final = (sys.executable, "-m", "streams.gateway.copier")
PAUSE_S: Final = 1.0  # before the next one
STOP_S: Final = 5.0
STARTING, UP, DOWN = "starting", "up", "down"

log = structlog.get_logger()


class Copying:
    """Copies what is in `folder` to the store at `url`; `gone` is told each batch that the spool need not keep any longer."""

    def __init__(self, folder: Path, url: str, gone: Callable[[str], None]) -> None:
        self._folder, self._url, self._gone = folder, url, gone
        self._process: asyncio.subprocess.Process | None = None
        self.store = STARTING  # or UP, or DOWN with the reason

    def tell(self, batch: str, event: BatchReceived | None = None) -> None:
        """A batch has begun, or has ended with `event`."""
        if self._process and self._process.stdin:
            self._process.stdin.write(_line(batch, event))

    async def run(self, waiting: Callable[[], Iterable[tuple[str, BatchReceived | None]]]) -> None:
        """Until cancelled; each new process is told all that is `waiting`."""
        while True:
            try:
                await self._one(waiting)
            except OSError as fault:
                self._down(f"the copier does not start: {fault}")
            await asyncio.sleep(PAUSE_S)

    async def _one(self, waiting: Callable[[], Iterable[tuple[str, BatchReceived | None]]]) -> None:
        pipe = asyncio.subprocess.PIPE
        process = self._process = await asyncio.create_subprocess_exec(
            *COMMAND, str(self._folder), self._url, stdin=pipe, stdout=pipe, start_new_session=True
        )
        assert process.stdin
        assert process.stdout
        try:
            for batch, event in waiting():
                self.tell(batch, event)
            while line := await process.stdout.readline():
                self._hear(orjson.loads(line))
            self._down(f"the copier ended with code {await process.wait()}")
        finally:
            self._process = None
            await _stopped(process)

    def _hear(self, said: dict[str, str]) -> None:
        if "down" in said:
            self._down(said["down"])
        else:
            self.store = UP
        if batch := said.get("stored") or said.get("lost"):
            log.info("batch is backed up" if "stored" in said else "batch is not backed up, its file is lost", batch=batch)
            self._gone(batch)

    def _down(self, reason: str) -> None:
        if not self.store.startswith(DOWN):
            log.warning("backups wait", reason=reason)
        self.store = f"{DOWN}: {reason}"


def _line(batch: str, event: BatchReceived | None) -> bytes:
    if event is None:
        return orjson.dumps({"batch": batch}) + b"\n"
    names = ("batch", "originator", "bytes", "digest", "documents", "error", "position")
    return orjson.dumps({"batch": batch, "event": {name: getattr(event, name) for name in names}}) + b"\n"


async def _stopped(process: asyncio.subprocess.Process) -> None:
    """See it end: the end of its input is the end of it."""
    assert process.stdin
    process.stdin.close()
    try:
        async with asyncio.timeout(STOP_S):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
