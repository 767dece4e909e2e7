"""PostgreSQL against the topics: each sink is run over its committed input again, into a schema of its own, and the tables compared."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

import asyncpg

from streams.effects import Sink
from streams.store import Store, migrate
from tests.audit.findings import Findings
from tests.audit.logs import Logs

ORACLE: Final = "oracle"  # the schema
MESSAGES: Final = 200  # in one transaction
# table -> its key; all of a row is compared, of sink_offsets only where it stands: openings differ
TABLES: Final = {
    "asset_versions": ("originator || '/' || asset || '/' || version", "whole"),
    "batches": ("batch", "whole"),
    "rejections": ("topic || '-' || partition || '-' || record_offset", "whole"),
    "investments": ("investment", "whole"),
    "portfolios": ("investor || '/' || portfolio", "whole"),
    "sink_offsets": ("sink || ' ' || topic || '-' || partition", "whole.next_offset"),
}


async def stored(dsn: str) -> dict[tuple[str, int], int]:
    """(sink, partition) -> the next offset, of what was written at all."""
    connection = await asyncpg.connect(dsn)
    rows = await connection.fetch("SELECT sink, partition, next_offset FROM sink_offsets WHERE next_offset > 0")
    await connection.close()
    return {(row["sink"], row["partition"]): row["next_offset"] for row in rows}


async def check(dsn: str, sinks: Iterable[Sink], logs: Logs, findings: Findings) -> None:
    """Compare every table, per key and by content."""
    connection = await asyncpg.connect(dsn)
    await connection.execute(f"DROP SCHEMA IF EXISTS {ORACLE} CASCADE; CREATE SCHEMA {ORACLE}")
    oracle = f"{dsn}?search_path={ORACLE}"
    await migrate(oracle)
    await feed(Store(oracle), sinks, logs)
    await connection.execute(f"DELETE FROM {ORACLE}.sink_offsets WHERE next_offset = 0")
    for table, (key, content) in TABLES.items():
        expected, found = [await _rows(connection, f"{schema}.{table}", key, content) for schema in (ORACLE, "public")]
        findings.compare(f"PostgreSQL {table}", expected, found)
    await connection.close()


async def feed(store: Store, sinks: Iterable[Sink], logs: Logs) -> None:
    """Write what the sinks make of the logs, and close the store."""
    for sink in sinks:
        for number in range(sink.source.partitions):
            place = (sink.name, sink.source.name, number)
            at, messages = await store.next_offset(*place), logs.records[sink.source.name, number]
            for start in range(0, len(messages), MESSAGES):
                some = messages[start : start + MESSAGES]
                await store.write(*place, at, some[-1].offset + 1, sink.compute(some))
                at = some[-1].offset + 1
    await store.close()


async def _rows(connection: Any, table: str, key: str, content: str) -> dict[str, list[str]]:
    moved = " WHERE next_offset > 0" if table.endswith("sink_offsets") else ""
    rows: dict[str, list[str]] = defaultdict(list)
    for row in await connection.fetch(f"SELECT {key} AS key, md5(({content})::text) AS content FROM {table} AS whole{moved}"):
        rows[row["key"]].append(row["content"])
    return rows
