"""PostgreSQL: migrations, the pool, and the one transaction of a sink's rows and its source offset.

The row of `sink_offsets` is the fence, with the rules of the Step (`streams/step.py`):

- **Opening fences.** `next_offset` counts the row's epoch up; a writer of an earlier epoch writes nothing from then on. An earlier writer
  that holds the row for longer than LOCK_S (paused in the middle of its transaction, or its machine is gone) is ended by the server.
- **Exactly once.** The rows, and the offset from exactly `expected` to `next_offset`, are one transaction.
- **A lost commit is known.** When the connection goes while the commit is under way, its outcome is unknown; the next attempt waits for the
  row's lock and then finds either the offset that it expects or the one that it was to write.
- **Bounded patience.** A transient fault is tried again for LIMIT_S, then it goes up: fail-stop is the caller's.
"""

import asyncio
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import asyncpg
import stamina
import structlog

import schemas
from streams.effects import Copy, Execute

LIMIT_S: Final = 20.0  # of trying again
COMMAND_S: Final = 15.0  # of waiting for one answer of the server
LOCK_S: Final = 2.0  # of waiting for another transaction
CONNECTIONS_MAX: Final = 8

# How a database says that it does not answer: asyncpg tells a connection that broke under it by the third, too.
AWAY: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)  # a TimeoutError is an OSError

MIGRATIONS: Final = Path(schemas.__file__).parent / "sql"
MIGRATION_LOCK: Final = 0x7472616E  # any number that nothing else in the database locks

_TRANSIENT: Final = (
    OSError,  # refused, reset, timed out
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # shut down, crashed, starting, evicted
    asyncpg.InsufficientResourcesError,  # disk full, too many connections, out of memory
    asyncpg.TransactionRollbackError,  # serialization, deadlock
    asyncpg.LockNotAvailableError,
)
_OPEN: Final = """
    INSERT INTO sink_offsets AS held (sink, topic, partition, next_offset, epoch) VALUES ($1, $2, $3, 0, 1)
    ON CONFLICT (sink, topic, partition) DO UPDATE SET epoch = held.epoch + 1 RETURNING next_offset, epoch"""
# xmax of a row's visible version is the transaction that holds its lock now
_EVICT: Final = """
    SELECT pg_terminate_backend(writer.pid) FROM sink_offsets JOIN pg_stat_activity AS writer ON writer.backend_xid = sink_offsets.xmax
    WHERE sink = $1 AND topic = $2 AND partition = $3"""
_ADVANCE: Final = """
    UPDATE sink_offsets SET next_offset = $6 WHERE sink = $1 AND topic = $2 AND partition = $3 AND epoch = $4 AND next_offset = $5"""
_READ: Final = "SELECT next_offset, epoch FROM sink_offsets WHERE sink = $1 AND topic = $2 AND partition = $3"

log = structlog.get_logger()


class Fenced(Exception):  # noqa: N818 - a state, and the word for it in Kafka too
    """Another writer has opened the partition or moved its offset: this process must not write any more, and must stop."""


class MigrationError(Exception):
    """A migration that was applied is not what its file says now: applied files are never edited, add a new one."""


class Store:
    """A lazily opened pool of connections to one database, and this process's holds on source partitions."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._pool: Any = None
        self._opening = asyncio.Lock()
        self._epochs: dict[tuple[str, str, int], int] = {}

    async def pool(self) -> Any:
        """The pool, for `streams/queries.py`. No connection is made before the first is needed."""
        async with self._opening:
            if self._pool is None:
                settings = {"application_name": "tranche", "lock_timeout": f"{LOCK_S:g}s"}
                self._pool = await asyncpg.create_pool(
                    self._dsn, min_size=0, max_size=CONNECTIONS_MAX, timeout=5, command_timeout=COMMAND_S, server_settings=settings
                )
        return self._pool

    async def close(self) -> None:
        """Close all connections."""
        if self._pool is not None:
            await self._pool.close()
            self._pool = None

    async def next_offset(self, sink: str, topic: str, partition: int) -> int:
        """Open a source partition for writing, fencing every earlier writer of it; return the first offset that is not written yet.

        Raises:
            OSError, asyncpg.PostgresError: the database cannot be reached or refuses, for LIMIT_S.
        """
        key = (sink, topic, partition)
        pool = await self.pool()
        async for attempt in _patiently():
            with attempt:
                async with pool.acquire() as connection:
                    try:
                        row = await connection.fetchrow(_OPEN, *key)
                    except asyncpg.LockNotAvailableError:
                        evicted = await connection.fetch(_EVICT, *key)
                        log.warning("evicted an earlier writer", sink=sink, topic=topic, partition=partition, writers=len(evicted))
                        raise
        self._epochs[key] = row["epoch"]
        return row["next_offset"]  # type: ignore[no-any-return]

    async def write(
        self, sink: str, topic: str, partition: int, expected: int, next_offset: int, statements: Sequence[Copy | Execute]
    ) -> None:
        """Write the rows of the records `expected` … `next_offset` - 1 of a source partition, and that they are written, or nothing.

        Raises:
            Fenced: another writer is there, or the partition was never opened.
            OSError, asyncpg.PostgresError: the database refuses the rows, or cannot be reached for LIMIT_S.
        """
        key = (sink, topic, partition)
        epoch = self._epochs.get(key)
        if epoch is None:
            raise Fenced(f"{sink} {topic}-{partition}: not opened by this process; call next_offset first")
        pool = await self.pool()
        async for attempt in _patiently():
            with attempt:
                async with pool.acquire() as connection, connection.transaction():
                    if await connection.execute(_ADVANCE, *key, epoch, expected, next_offset) == "UPDATE 1":
                        for statement in statements:
                            await _run(connection, statement)
                    else:
                        found = tuple(await connection.fetchrow(_READ, *key) or ())
                        if attempt.num == 1 or found != (next_offset, epoch):
                            raise Fenced(f"{sink} {topic}-{partition}: expected (next offset, epoch) {(expected, epoch)}, found {found}")


async def _run(connection: Any, statement: Copy | Execute) -> None:
    if isinstance(statement, Copy):
        csv = memoryview(statement.csv)  # given a file, asyncpg has a thread read it, which takes a third of a small COPY's time
        await connection.copy_to_table(statement.table, source=csv, columns=statement.columns, format="csv")
    else:
        await connection.executemany(statement.sql, statement.arguments)


def _patiently() -> Any:
    return stamina.retry_context(on=transient, attempts=None, timeout=LIMIT_S, wait_initial=0.05, wait_max=1.0, wait_jitter=0.1)


def transient(fault: Exception) -> bool:
    """Whether the same work may succeed on another connection a moment later."""
    # asyncpg says "connection is closed" by the bare class; its subclasses are faults of the caller. Where the server ends a connection
    # between two of our calls, it says that its own states are mixed up.
    return isinstance(fault, (*_TRANSIENT, asyncpg.InternalClientError)) or type(fault) is asyncpg.InterfaceError


async def migrate(dsn: str, folder: Path = MIGRATIONS) -> None:
    """Bring the database up to date: apply the numbered files of `folder` that it has not seen, in order, each in a transaction.

    Any number of processes may call it at once. A file that the database has and this version has not is left: rolling back a deploy works.

    Raises:
        MigrationError: a file was edited after it was applied.
        OSError, asyncpg.PostgresError: the database cannot be reached for LIMIT_S, or refuses a file; that file has then left nothing.
    """
    files = _read(folder)
    async for attempt in _patiently():
        with attempt:
            connection = await asyncpg.connect(dsn, timeout=5)
            try:
                await connection.execute("SELECT pg_advisory_lock($1)", MIGRATION_LOCK)  # until the connection ends
                await _apply(connection, files)
            finally:
                await connection.close()


def _read(folder: Path) -> dict[str, str]:
    """The migrations' SQL by file name, in order."""
    return {file.name: file.read_text() for file in sorted(folder.glob("[0-9]*.sql"))}


async def _apply(connection: Any, files: Mapping[str, str]) -> None:
    await connection.execute(
        "CREATE TABLE IF NOT EXISTS migrations (file text PRIMARY KEY, sha256 text NOT NULL, applied timestamptz NOT NULL DEFAULT now())"
    )
    applied = {row["file"]: row["sha256"] for row in await connection.fetch("SELECT file, sha256 FROM migrations")}
    for name, sql in files.items():
        digest = sha256(sql.encode()).hexdigest()
        if applied.get(name, digest) != digest:
            raise MigrationError(f"{name}: edited after it was applied to this database; restore it and add a new file")
        if name not in applied:
            async with connection.transaction():
                await connection.execute(sql)
                await connection.execute("INSERT INTO migrations (file, sha256) VALUES ($1, $2)", name, digest)
            log.info("migration applied", file=name)
