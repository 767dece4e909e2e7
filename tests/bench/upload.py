"""`upload`: a loan book of 1 GB through the gateway, a process of its own, to the embedded Kafka; and one of 100 MB beside it.

The client sends a file over one connection (`sendfile`), so nearly all of the machine is the gateway's and the broker's. Memory is the peak
of the whole gateway process (VmHWM), each time of a new process.
"""

import json
import os
import random
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

import bson
from bson.decimal128 import Decimal128
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from streams.embedded.ports import free_port
from streams.tokens import issue
from tests.bench.process import RunError
from tests.bench.system import kafka_with_topics

MB: Final = 1_000_000
SMALL, LARGE = 100 * MB, 1000 * MB
SECRET: Final = "the secret of a gateway that lives for one measurement"
START_S: Final = 60.0
SEED: Final = 7
NOTE_BYTES: Final = 620
NO_ID, NO_NOTE = b"L---------", b"-" * NOTE_BYTES
RSS_MB_MAX, RSS_MB_APART_MAX, MB_PER_S_MIN = 56.0, 3.0, 100.0


class Upload(NamedTuple):
    """One upload: documents, rates, and the gateway's peak resident memory."""

    documents: int
    mb_per_s: float
    documents_per_s: float
    rss_mb: float


def main(runs: int = 3) -> dict[str, object]:
    """Measure, print a table, and return the medians; memory is the largest of all runs. Memory is in MB of 1,000,000 bytes.

    Raises:
        RunError: the gateway did not start or did not take an upload.
    """
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with TemporaryDirectory(prefix="tranche-bench-") as work, Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        home = Path(work)
        task = progress.add_task("upload: making the book", total=2 * runs)
        write_book(home / "book.bson", LARGE)
        progress.update(task, description="upload: starting Kafka")
        found: dict[int, list[Upload]] = {SMALL: [], LARGE: []}
        with kafka_with_topics(home) as kafka:
            for run in range(1, runs + 1):
                for size, uploads in found.items():
                    progress.update(task, description=f"upload: {size // MB} MB, run {run} of {runs}")
                    uploads.append(measure(home, kafka, size))
                    progress.advance(task)
    figures = _figures(found[SMALL], found[LARGE])
    _show(figures)
    return figures


def measure(home: Path, kafka: str, size: int) -> Upload:
    """Upload the first `size` bytes of the book, to the last whole document, to a new gateway."""
    with running_gateway(home, kafka) as (pid, port), (home / "book.bson").open("rb") as book:
        length = size // document_bytes(book) * document_bytes(book)
        started = time.perf_counter()
        answer = send(port, book, length)
        seconds = time.perf_counter() - started
        return Upload(answer["documents"], length / seconds / MB, answer["documents"] / seconds, peak_mb(pid))


@contextmanager
def running_gateway(home: Path, kafka: str) -> Iterator[tuple[int, int]]:
    """A gateway as `tranche gateway` starts it, without a database: its process id and port."""
    port = free_port()
    environ = {"HOME": home, "KAFKA": kafka, "SECRET": SECRET, "GATEWAY_PORT": port}
    command = [sys.executable, "-m", "streams.cli", "gateway"]
    with (home / "gateway.log").open("w") as log:
        given = {**os.environ, **{f"TRANCHE_{name}": str(value) for name, value in environ.items()}}
        process = subprocess.Popen(command, env=given, stdout=log, stderr=log)
    try:
        _wait(process, port, home / "gateway.log")
        yield process.pid, port
    finally:
        process.terminate()
        process.wait()


def send(port: int, book, length: int, first: int = 0, reached: Callable[[], None] = lambda: None) -> dict:
    """Upload `length` bytes of the file; the answer's JSON. `reached` is called when the first `first` bytes are on their way."""
    head = (
        "POST /originators/bluebird/batches HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\nContent-Type: application/bson\r\n"
        f"Authorization: Bearer {issue(SECRET, 'originator', 'bluebird')}\r\nContent-Length: {length}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(head.encode())
        if first:
            connection.sendfile(book, 0, first)
            reached()
        connection.sendfile(book, first, length - first)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    status, _, body = answer.partition(b"\r\n\r\n")
    if b" 202 " not in status.split(b"\r\n")[0]:
        raise RunError(f"the gateway answered {answer.decode(errors='replace')}")
    return json.loads(body)


def write_book(path: Path, size: int) -> None:
    """A book of at least `size` bytes: documents of 1,242 bytes, each with an id and a note (random words) of its own."""
    rng, template = random.Random(SEED), template_document()
    words = [bytes(rng.choices(b"abcdefghijklmnopqrstuvwxyz", k=rng.randint(2, 10))) for _ in range(2000)]
    notes = b" ".join(rng.choices(words, k=100_000))
    with path.open("wb") as file:
        for number in count():
            start = rng.randrange(len(notes) - NOTE_BYTES)
            file.write(template.replace(NO_ID, b"L%09d" % number).replace(NO_NOTE, notes[start : start + NOTE_BYTES]))
            if (number + 1) * len(template) >= size:
                return


def template_document() -> bytes:
    money = Decimal128("12345.67")
    return bson.encode(
        {
            "originator_id": "bluebird",
            "asset_id": NO_ID.decode(),
            "product": "consumer-loan-usd",
            "status": "current",
            "currency": "USD",
            "country": "US",
            "sale": "partial",
            "issued": datetime(2026, 1, 1, tzinfo=UTC),
            "term_months": 36,
            "rate": Decimal128("0.1407"),
            "principal": money,
            "outstanding": money,
            "paid": {"principal": money, "interest": money, "fees": money},
            "days_past_due": 0,
            "instalment": money,
            "purpose": "debt_consolidation",
            "grade": "C3",
            "borrower": {
                "region": "CA",
                "home": "RENT",
                "income": money,
                "employment_years": 3,
                "debt_ratio": Decimal128("0.1801"),
                "delinquencies_2y": 0,
                "inquiries_12m": 1,
            },
            "note": NO_NOTE.decode(),  # what the originator keeps with the loan and nobody reads here
        }
    )


def document_bytes(book) -> int:
    book.seek(0)
    return int.from_bytes(book.read(4), "little")


def peak_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024 / MB


def _wait(process: subprocess.Popen, port: int, log: Path) -> None:
    """Until it listens."""
    end = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 1.0).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RunError(f"the gateway does not serve:\n{log.read_text()[-2000:]}")


def _figures(small: list[Upload], large: list[Upload]) -> dict[str, object]:
    rss, rss_small = max(upload.rss_mb for upload in large), max(upload.rss_mb for upload in small)
    rate = median(upload.mb_per_s for upload in large)
    return {
        "bench": "upload",
        "mb_per_s": round(rate, 1),
        "target_mb_per_s": MB_PER_S_MIN,
        "documents_per_s": round(median(upload.documents_per_s for upload in large)),
        "rss_mb": round(rss, 1),
        "target_rss_mb": RSS_MB_MAX,
        "rss_100mb_mb": round(rss_small, 1),
        "target_rss_apart_mb": RSS_MB_APART_MAX,
        "reached": rate >= MB_PER_S_MIN and rss <= RSS_MB_MAX and abs(rss - rss_small) <= RSS_MB_APART_MAX,
        "runs": len(large),
    }


def _show(figures: dict[str, object]) -> None:
    table = Table("", "target", "measured", title="upload: 1 GB of BSON through the gateway", title_justify="left")
    table.add_row("rate", f"at least {MB_PER_S_MIN:g} MB/s", f"{figures['mb_per_s']} MB/s, {figures['documents_per_s']:,} documents/s")
    table.add_row("peak memory of the process", f"at most {RSS_MB_MAX:g} MB", f"{figures['rss_mb']} MB")
    table.add_row("the same for 100 MB", f"within {RSS_MB_APART_MAX:g} MB", f"{figures['rss_100mb_mb']} MB")
    Console().print(table)


if __name__ == "__main__":
    print(json.dumps(main()))
