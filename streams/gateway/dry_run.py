"""`POST /originators/{originator}/batches?dry_run=true`: what a loan book would come to.

Comparing takes libraries that are too large for the gateway, so a process of its own does it (`streams/dry_run/`), which lives as long as
the request: it gets the plain file through a pipe, as fast as it takes it, and answers with JSON. It cannot write: it has a read-only
session of the database, and reads the products from the broker.
"""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from typing import Final

import orjson
import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from streams.gateway import uploads
from streams.gateway.access import tenant
from streams.gateway.body import Body
from streams.gateway.context import Gateway, gateway_of
from streams.gateway.digests import DigestError
from streams.gateway.problems import ProblemError, retry_later
from streams.settings import Settings, inherited

PIECE: Final = 64 * 1024  # of the answer
NEEDS: Final = ("kafka", "postgres", "catalog")  # settings of its process

log = structlog.get_logger()


async def deliver(request: Request) -> Response:
    """Take a batch, or only say what it would come to."""
    wanted = request.query_params.get("dry_run", "false")
    if wanted == "false":
        return await uploads.upload(request)
    originator, gateway = tenant(request), gateway_of(request)
    if wanted != "true":
        raise ProblemError(400, "invalid-parameter", "dry_run: true or false.", field="dry_run")
    body = Body(request, gateway.limits)
    run = await DryRun.start(gateway, originator)
    try:
        async with asyncio.timeout(gateway.limits.dry_run_s):
            await run.line()
            await run.feed(body)
            await run.line()
    except BaseException as fault:
        await run.stop()
        if isinstance(fault, ClientDisconnect):
            raise ProblemError(499, "idle", "The client went away.") from fault
        if isinstance(fault, TimeoutError):
            raise _failed(gateway, f"It took longer than {gateway.limits.dry_run_s:g} seconds.") from fault
        raise
    return _Answer(run, gateway.limits.dry_run_s)


def environ(settings: Settings) -> dict[str, str]:
    """What a dry run's process needs of the settings; no secret is among it."""
    return {**inherited(), **{f"TRANCHE_{name.upper()}": str(getattr(settings, name)) for name in NEEDS}}


def _failed(gateway: Gateway, why: str) -> ProblemError:
    return retry_later("dry-run-failed", f"{why} Nothing was changed.", gateway.limits.retry_s)


class DryRun:
    """One process and its place among `limits.dry_runs`; `stop` ends both."""

    def __init__(self, gateway: Gateway, process: Process) -> None:
        self._gateway, self._process = gateway, process

    @classmethod
    async def start(cls, gateway: Gateway, originator: str) -> "DryRun":
        """Start the process.

        Raises:
            ProblemError: 503, all places are taken or there is no database.
        """
        limits = gateway.limits
        if not gateway.dry_run_environ["TRANCHE_POSTGRES"]:
            raise retry_later("database-unavailable", "This gateway has no database: TRANCHE_POSTGRES is not set.", limits.retry_s)
        if gateway.dry_running >= limits.dry_runs:
            raise retry_later("too-many-dry-runs", f"{limits.dry_runs} dry runs are in progress.", limits.retry_s)
        gateway.dry_running += 1
        try:
            command = (sys.executable, "-m", "streams.dry_run", originator)
            return cls(gateway, await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, env=gateway.dry_run_environ))
        except BaseException:
            gateway.dry_running -= 1
            raise

    async def line(self) -> None:
        """Wait until the process is ready to read, or has read.

        Raises:
            ProblemError: 503, its database or broker does not answer, or it ended.
        """
        assert self._process.stdout is not None
        said = await self._process.stdout.readline()
        if not said:
            raise _failed(self._gateway, "Its process ended.")
        for who, why in orjson.loads(said).items():
            more = "; uploads are taken all the same" if who == "database" else ""
            raise retry_later(f"{who}-unavailable", f"The {who} does not answer ({why}){more}.", self._gateway.limits.retry_s)

    async def feed(self, body: Body) -> None:
        """Hand the file over, and what ended it early, if anything did. The process may have seen enough before its end.

        Raises:
            ClientDisconnect: the client went away.
        """
        position, problem = 0, b""
        with suppress(BrokenPipeError, ConnectionResetError):
            try:
                async with aclosing(body.pieces()) as pieces:
                    async for piece in pieces:
                        await self._send(len(piece).to_bytes(4, "little"), piece)
                        position += len(piece)
            except ClientDisconnect:
                raise
            except DigestError as fault:
                members = {"field": fault.field, "expected": fault.expected, "found": fault.found}
                problem = _problem(400, "wrong-digest", fault, position, **members)
            except tuple(uploads.ENDS) as fault:
                problem = _problem(*uploads.ENDS[type(fault)], fault, position)
            await self._send(bytes(4), problem)
        assert self._process.stdin is not None
        self._process.stdin.close()

    async def answer(self) -> AsyncIterator[bytes]:
        """What the process says, to its end."""
        assert self._process.stdout is not None
        while piece := await self._process.stdout.read(PIECE):
            yield piece
        if await self._process.wait():
            raise _failed(self._gateway, "Its process ended.")  # in the middle of its answer, which the client sees

    async def stop(self) -> None:
        """End the process, whatever it does."""
        self._gateway.dry_running -= 1
        with suppress(ProcessLookupError):
            self._process.kill()
        assert self._process.stdout is not None
        while await self._process.stdout.read(PIPE):  # the process counts as ended when its pipes are
            pass
        await self._process.wait()

    async def _send(self, *parts: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.writelines(parts)
        await self._process.stdin.drain()


class _Answer(StreamingResponse):
    """The answer as it comes, and the end of the process with it, also if its client goes away."""

    def __init__(self, run: DryRun, limit_s: float) -> None:
        super().__init__(run.answer(), media_type="application/json")
        self._run, self._limit_s = run, limit_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with asyncio.timeout(self._limit_s):
                await super().__call__(scope, receive, send)
        finally:
            await self._run.stop()


def _problem(status: int, kind: str, fault: Exception, position: int, **members: str) -> bytes:
    return orjson.dumps(ProblemError(status, kind, f"Byte {position}: {fault}.", position=position, **members).body)
