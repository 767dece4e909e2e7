"""What a supervisor keeps running: a service is started, watched, started again when it ends, and stopped.

The pause before a start grows from 0.2 s to 10 s while a service keeps ending; 30 s of life make it short again: a worker's start takes
about three seconds of a core, so one that ends every 30 s costs a tenth of it, and its partitions are not kept waiting.
"""

import asyncio
import asyncio.subprocess
import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import httpx
import structlog

from streams.embedded import folders
from streams.embedded.errors import StartError, UserError
from streams.embedded.server import Server

PAUSE_MIN_S: Final = 0.2
PAUSE_MAX_S: Final = 10.0
LIFE_S: Final = 30.0
READY_S: Final = 120.0  # bound on a command's start
STOP_S: Final = 20.0  # bound on its clean stop; then it is killed
POLL_S: Final = 0.1

log = structlog.get_logger()


class Service(Protocol):
    """One process."""

    name: str

    @property
    def pid(self) -> int | None:
        """Its process id; None before its first start."""

    async def start(self) -> None:
        """Start it. Raises UserError."""

    async def ready(self) -> None:
        """Wait until it serves. Raises StartError: it ended before, or took too long."""

    async def ended(self) -> int:
        """Wait for its end; its exit code."""

    async def stop(self) -> None:
        """Stop it and wait for its end; without effect on one that has ended."""


def next_pause_s(last_s: float, lived_s: float) -> float:
    """The pause before the next start, after one of `last_s` (0: none yet) and a life of `lived_s` seconds."""
    return PAUSE_MIN_S if last_s == 0 or lived_s >= LIFE_S else min(2 * last_s, PAUSE_MAX_S)


async def keep(service: Service, changed: Callable[[], None]) -> None:
    """Start a started service again whenever it ends, for ever; `changed` is called after each start."""
    clock = asyncio.get_running_loop().time
    pause_s, began_s = 0.0, clock()
    while True:
        code: Any = await service.ended()
        pause_s = next_pause_s(pause_s, clock() - began_s)
        log.warning("service ended", service=service.name, code=code, pause_s=pause_s)
        await asyncio.sleep(pause_s)
        began_s = clock()
        try:
            await service.start()
        except (UserError, OSError) as fault:  # a full disk, no process to be had: it is tried again all the same
            log.error("service did not start", service=service.name, reason=str(fault))  # noqa: TRY400 - the message says it all
        changed()


class ServerService:
    """An embedded server. Its blocking calls run in threads."""

    def __init__(self, server: Server) -> None:
        self.server, self.name = server, server.name

    @property
    def pid(self) -> int | None:
        return self.server.process.pid if self.server.process else None

    async def start(self) -> None:
        await _to_the_end(self.server.start)

    async def ready(self) -> None:
        """It is when start() returns."""

    async def ended(self) -> int:
        process = self.server.process
        return await asyncio.to_thread(process.wait) if process else -1

    async def stop(self) -> None:
        await _to_the_end(self.server.stop)


class CommandService:
    """A command of ours in a session of its own, its output in a log, that serves when `ready_url` answers 200."""

    def __init__(self, name: str, command: Sequence[str], environ: Mapping[str, str], logs: Path, ready_url: str) -> None:
        self.name, self._command, self._environ, self._ready_url = name, command, environ, ready_url
        self.log = logs / f"{name}.log"
        self._process: asyncio.subprocess.Process | None = None
        self._log_start = 0

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    async def start(self) -> None:
        with self.log.open("ab") as output:
            self._log_start = output.tell()
            self._process = await asyncio.create_subprocess_exec(
                *self._command, env=self._environ, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )

    async def ready(self) -> None:
        end = asyncio.create_task(self.ended())
        try:
            async with asyncio.timeout(READY_S), httpx.AsyncClient(trust_env=False) as client:
                while not end.done():
                    with contextlib.suppress(httpx.TransportError):
                        if (await client.get(self._ready_url)).status_code == httpx.codes.OK:
                            return
                    await asyncio.wait({end}, timeout=POLL_S)
            raise StartError(self.name, f"ended with code {end.result()} before it was ready", self.log, self._said())
        except TimeoutError:
            raise StartError(self.name, f"was not ready within {READY_S:.0f} s ({self._ready_url})", self.log, self._said()) from None
        finally:
            end.cancel()

    async def ended(self) -> int:
        return await self._process.wait() if self._process else -1

    async def stop(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_S)
        except TimeoutError:
            log.warning("service killed", service=self.name, reason=f"still there {STOP_S:.0f} s after SIGTERM")
            process.kill()
            await process.wait()

    def _said(self) -> str:
        return folders.tail(self.log, self._log_start)


async def _to_the_end(call: Callable[[], object]) -> None:
    """Run a blocking call in a thread; a cancellation waits for it, since nothing can interrupt it and its process must not be lost."""
    running = asyncio.create_task(asyncio.to_thread(call))
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait({running})
        raise
