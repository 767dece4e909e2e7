"""Measures from inside how a worker's partitions open: from the first that begins to the last that is open, and what is in them then.

The probe wraps `Partition.open`. Two lines of JSON are printed: the figures when the last partition is open, then the rows and their hash.
"""

import json
import time
from collections.abc import Iterable
from typing import Any

import xxhash

from streams.step import Partition
from tests.bench.peers.lap import peak_rss_mb

Row = tuple[bytes, bytes]


def measure(partitions: int) -> None:
    """Wrap the opening of this process's partitions; the figures are said when so many are open."""
    opens, opened, started = Partition.open, [], []

    async def timed(partition: Partition) -> None:
        started.append(time.perf_counter())
        await opens(partition)
        opened.append(partition)
        if len(opened) == partitions:
            print(json.dumps({"open_s": round(time.perf_counter() - started[0], 3), "rss_mb": peak_rss_mb()}), flush=True)
            tables = [_rows(found.state) for found in sorted(opened, key=lambda found: found.number)]
            print(json.dumps({"rows": sum(map(len, tables)), "hash": hash_of(tables)}), flush=True)

    Partition.open = timed


def hash_of(tables: Iterable[Iterable[Row]]) -> str:
    """XXH3-128 of all rows: partition by partition, each in the order of its keys."""
    digest = xxhash.xxh3_128()
    for table in tables:
        for key, value in sorted(table):
            digest.update(key + b"=" + value)
        digest.update(b"\n")
    return digest.hexdigest()


def _rows(state: Any) -> list[Row]:
    """All rows of a table, in memory or in RocksDB; reserved ones are left out."""
    items = state.items() if isinstance(state, dict) else state._rows.items()
    return [(key, value) for key, value in items if not key.startswith(b"\0")]
