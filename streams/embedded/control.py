"""A detached supervisor: how it is started and followed, what it says meanwhile, and how it is stopped.

It says how its start goes in JSON lines on its standard output: `steps`, each `step` as it begins, "ready" as the last, or an `error`.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import psutil
import structlog

from streams.embedded import folders, ports, runfile
from streams.embedded.errors import AlreadyRunningError, StartError, UserError
from streams.embedded.runfile import Run
from streams.settings import inherited
from streams.supervisor import COMMAND, System

STOP_S: Final = 90.0  # bound on the stop of a whole system

log = structlog.get_logger()


def require_none(home: Path) -> None:
    """Raises AlreadyRunningError: a system runs in this home; the message says where."""
    if run := runfile.running(home):
        raise AlreadyRunningError(
            f"{home}: Tranche runs here already, process {run.supervisor.pid}"
            f"{', gateway ' + run.gateway_url if run.gateway_url else ''}; `tranche status` shows it, `tranche down` stops it"
        )


def start(home: Path, workers: int, environ: dict[str, str], hear: Callable[[dict[str, Any]], None]) -> Run:
    """Start a detached supervisor with `environ` (TRANCHE_*) and follow it until the system serves; `hear` gets what it says.

    Raises:
        UserError: what the supervisor could not do.
    """
    log_file = folders.require(home / "logs", 0) / "supervisor.log"
    with log_file.open("ab") as errors:
        begun = errors.tell()
        supervisor = subprocess.Popen(  # noqa: S603 - our own command
            [*COMMAND, "supervise", "--workers", str(workers)],
            env={**inherited(), **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
    try:
        _follow(supervisor, hear)
    except BaseException:
        supervisor.terminate()
        supervisor.wait(STOP_S)
        raise
    run = runfile.running(home)
    if run is None or not run.ready:
        reason = f"ended with code {supervisor.wait(STOP_S)} before the system served"
        raise StartError("the supervisor", reason, log_file, folders.tail(log_file, begun))
    return run


async def supervise(system: System) -> None:
    """The supervisor's side of `start`; returns when the system has been stopped.

    Raises:
        UserError: it did not start.
    """

    def report(step: str) -> None:
        _say(step=step)
        if step == "ready":
            _hush()

    system.report = report
    _say(steps=system.steps)
    try:
        await run_until_stopped(system)
    except UserError as fault:
        _say(error=str(fault))
        raise
    log.info("stopped")


async def run_until_stopped(system: System) -> None:
    """Start the system, and stop it at SIGTERM or SIGINT, also while it starts. `report` gets "ready" between the two.

    Raises:
        UserError: it did not start.
    """
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    start, stop = asyncio.create_task(system.start()), asyncio.create_task(stopped.wait())
    await asyncio.wait({start, stop}, return_when=asyncio.FIRST_COMPLETED)
    if not start.done():
        start.cancel()
        await asyncio.wait({start})
        return
    start.result()
    system.report("ready")
    await stop
    await system.stop()


def stop(home: Path) -> list[str]:
    """Stop the system of this home, or what a killed supervisor has left of it. Returns the names of the processes that were stopped.

    Raises:
        UserError: it did not stop in time.
    """
    run = runfile.running(home)
    supervisor = run.supervisor.find() if run else None
    if run is None or supervisor is None:
        return _stop_leftovers(home)
    supervisor.terminate()
    try:
        supervisor.wait(STOP_S)
    except psutil.TimeoutExpired:
        raise UserError(f"process {supervisor.pid} did not stop within {STOP_S:.0f} s; see {run.logs}/supervisor.log") from None
    return list(run.processes)


def preferred_port(port: int) -> int:
    """`port` if it is free, else 0: any."""
    return port if ports.is_free(port) else 0


def _stop_leftovers(home: Path) -> list[str]:
    if runfile.read(home) is None:
        return []
    lock = folders.try_lock(home / "lock")
    if lock is None:
        raise UserError(f"{home}: Tranche is just starting or stopping here; try again")
    with lock:
        return runfile.sweep(home)


def _follow(supervisor: "subprocess.Popen[bytes]", hear: Callable[[dict[str, Any]], None]) -> None:
    assert supervisor.stdout is not None
    with supervisor.stdout as output:
        for line in output:
            said = json.loads(line)
            if "error" in said:
                raise UserError(said["error"])
            hear(said)


def _say(**message: Any) -> None:
    try:
        print(json.dumps(message), flush=True)
    except BrokenPipeError:  # who started us has gone; the system is to stay all the same
        _hush()


def _hush() -> None:
    """Let go of the pipe: its reader sees its end, and nobody reads any further."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
