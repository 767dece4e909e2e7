"""What the `tranche` command shows a person: a start's progress, what runs where, the topics."""

import asyncio
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from streams import topics
from streams.embedded import control, runfile
from streams.embedded.runfile import Run
from streams.settings import Settings
from streams.supervisor import System, environ_of


def up(settings: Settings, *, kafka: str, postgres: str, workers: int) -> None:
    """Start a system that stays, with a progress bar, and print where it is.

    Raises:
        AlreadyRunningError: one runs in this home. Other UserErrors: it did not start.
    """
    control.require_none(settings.home)
    console = Console()
    environ = environ_of(settings)
    for name, outside in (("TRANCHE_KAFKA", kafka), ("TRANCHE_POSTGRES", postgres)):
        if not outside:
            del environ[name]  # the supervisor takes one that is set for an outside server
    with _progress(console) as progress:
        task = progress.add_task("starting", total=None)

        def hear(said: dict[str, Any]) -> None:
            if "steps" in said:
                progress.update(task, total=len(said["steps"]))
            elif said["step"] == "ready":
                progress.update(task, description="ready", completed=progress.tasks[0].total or 0)
            else:
                known = progress.tasks[0].description != "starting"
                progress.update(task, description=said["step"], advance=1 if known else 0)
                if not console.is_terminal:
                    console.print(f"starting {said['step']}")

        run = control.start(settings.home, workers, environ, hear)
    _show(run, settings.home, console)


def supervise(settings: Settings, *, kafka: str, postgres: str, workers: int, kafka_port: int) -> None:
    """Be the supervisor: start everything, keep it running, stop it at SIGTERM.

    Raises:
        UserError: it did not start.
    """
    system = System(settings, kafka=kafka, postgres=postgres, workers=workers, kafka_port=control.preferred_port(kafka_port))
    asyncio.run(control.supervise(system))


def down(home: Path) -> None:
    """Stop the system of this home, and say so.

    Raises:
        UserError: it did not stop in time.
    """
    console = Console()
    with console.status("stopping"):
        stopped = control.stop(home)
    console.print(f"stopped: {', '.join(reversed(stopped))}" if stopped else f"nothing runs in {home}", soft_wrap=True)


def status(home: Path) -> int:
    """Show what runs in this home; 0 if something does, else 1."""
    console = Console()
    run = runfile.running(home)
    if run:
        _show(run, home, console)
        return 0
    stale = runfile.read(home)
    left = [name for name, process in stale.processes.items() if process.find()] if stale else []
    hint = f"; a killed supervisor left {', '.join(left)}, `tranche down` stops them" if left else ""
    console.print(f"nothing runs in {home}{hint}", soft_wrap=True)
    return 1


def show_topics() -> None:
    """Print every topic, in flow order."""
    table = Table("topic", "partitions", "kept", "carries", title="Topics, in flow order")
    for topic in topics.ALL:
        days = f"{topic.retention_ms // topics.DAY_MS} days" if topic.retention_ms != topics.FOR_EVER else "for ever"
        table.add_row(topic.name, str(topic.partitions), "latest per key" if topic.compacted else days, topic.carries)
    Console().print(table)


def _show(run: Run, home: Path, console: Console) -> None:
    table = Table("what", "where", title="Tranche" if run.ready else "Tranche, starting")
    for what, where in _places(run, home):
        table.add_row(what, where)
    console.print(table)
    processes = Table("process", "pid", "state", "memory")
    for name, process in {"supervisor": run.supervisor, **run.processes}.items():
        found = process.find()
        memory = f"{found.memory_info().rss / 2**20:.0f} MiB" if found else ""
        processes.add_row(name, str(process.pid), "runs" if found else "ended, will be started again", memory)
    console.print(processes)


def _places(run: Run, home: Path) -> list[tuple[str, str]]:
    database = run.postgres.rpartition("@")[2] or run.postgres
    rows = [
        ("gateway", run.gateway_url),
        *((f"ops views, worker-{n}", url) for n, url in enumerate(run.ops_urls, 1)),
        ("Kafka", run.kafka),
        ("PostgreSQL", database),
        ("logs", run.logs),
        ("the same with secrets", str(runfile.path(home))),
    ]
    return [(what, where) for what, where in rows if where]


def _progress(console: Console) -> Progress:
    columns = (SpinnerColumn(), TextColumn("{task.description:<10}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal)
