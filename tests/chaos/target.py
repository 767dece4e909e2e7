"""What is put under chaos: a system as `tranche up` leaves it, with three workers; and a fourth worker that joins and goes."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import psutil

from streams.embedded import control, runfile
from streams.embedded.ports import free_port
from streams.embedded.services import CommandService, keep
from streams.settings import inherited, load
from streams.supervisor import COMMAND, environ_of

WORKERS: Final = ("worker-1", "worker-2", "worker-3")
SPARE: Final = "worker-4"
SESSION_S: Final = 6.0  # the shortest that the broker allows
ALIVE_S: Final = 120.0  # bound on the wait for a process that its supervisor starts again
POLL_S: Final = 0.05


class StuckError(Exception):
    """The system did not do within its bound what it should do by itself."""


class Target:
    """The system below `home`. Its supervisor is a process of its own; the fourth worker is kept by this one, as the product does it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._spare: CommandService | None = None
        self._keeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        given = {"HOME": str(self.home), "OPS_PORT": "0", "GATEWAY_PORT": "0", "SESSION_TIMEOUT_S": str(SESSION_S)}
        environ = environ_of(load({f"TRANCHE_{name}": value for name, value in given.items()}))
        for server in ("TRANCHE_KAFKA", "TRANCHE_POSTGRES"):
            del environ[server]  # named, they would be outside ones
        self.run = await asyncio.to_thread(control.start, self.home, len(WORKERS), environ, lambda _: None)
        self.logs = Path(self.run.logs)

    async def stop(self) -> None:
        """Stop everything.

        Raises:
            UserError: the supervisor does not stop.
        """
        if self._spare:
            await self.remove()
        await asyncio.to_thread(control.stop, self.home)

    @property
    def workers(self) -> tuple[str, ...]:
        """The names of those there are."""
        return (*WORKERS, SPARE) if self._spare else WORKERS

    async def alive(self, name: str, but: int = 0) -> psutil.Process:
        """The process of this name, when it runs and is another than process `but`.

        Raises:
            StuckError: its supervisor does not start it again.
        """
        try:
            async with asyncio.timeout(ALIVE_S):
                while (found := self._find(name)) is None or found.pid == but:  # noqa: ASYNC110 - another process writes the file
                    await asyncio.sleep(POLL_S)
                return found
        except TimeoutError:
            raise StuckError(f"{name} does not run again after {ALIVE_S:.0f} s") from None

    def _find(self, name: str) -> psutil.Process | None:
        if name == SPARE:
            known = runfile.Process.of(self._spare.pid) if self._spare and self._spare.pid and psutil.pid_exists(self._spare.pid) else None
        else:
            run = runfile.read(self.home)
            known = run.processes.get(name) if run else None
        return known.find() if known else None

    async def join(self) -> None:
        """The fourth worker comes."""
        port = free_port()
        own = {"TRANCHE_WORKER": SPARE, "TRANCHE_OPS_PORT": str(port)}
        environ = {**inherited(), **self.run.environ, **own}
        self._spare = CommandService(SPARE, (*COMMAND, "worker"), environ, self.logs, f"http://127.0.0.1:{port}/health/ready")
        await self._spare.start()
        self._keeper = asyncio.create_task(keep(self._spare, lambda: None))

    async def remove(self) -> None:
        """The fourth worker is gone from one moment to the next, and nobody starts it again."""
        assert self._spare is not None
        assert self._keeper is not None
        self._keeper.cancel()
        await asyncio.wait({self._keeper})
        if found := self._find(SPARE):
            found.kill()
        await self._spare.ended()
        self._spare = self._keeper = None

    async def ready(self, limit_s: float) -> bool:
        """Wait until all of the supervisor's workers say that they are ready; whether they did within the limit."""
        async with httpx.AsyncClient(trust_env=False, timeout=2) as client:
            try:
                async with asyncio.timeout(limit_s):
                    while not all([await _answers(client, f"{url}/health/ready") for url in self.run.ops_urls]):  # noqa: ASYNC110
                        await asyncio.sleep(4 * POLL_S)
            except TimeoutError:
                return False
        return True

    async def lag(self) -> str:
        """Source records to do, by those workers that answer now."""
        total, silent = 0, 0
        async with httpx.AsyncClient(trust_env=False, timeout=1) as client:
            for url in self.run.ops_urls:
                try:
                    total += sum(row["lag"] for row in (await client.get(f"{url}/lag?format=json")).json())
                except (httpx.HTTPError, ValueError):
                    silent += 1
        return f"{total:,}" + (f" ({silent} silent)" if silent else "")

    def said(self, pattern: str = "worker-*.log") -> Iterator[dict[str, Any]]:
        """The lines of the logs of that name; what a full disk has cut off is passed over."""
        for log in sorted(self.logs.glob(pattern)):
            for line in log.read_bytes().splitlines():
                try:
                    event = json.loads(line)
                except ValueError:
                    continue
                if isinstance(event, dict):
                    yield event


async def _answers(client: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(url)).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False
