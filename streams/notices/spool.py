"""The spool of notices in PostgreSQL: cutting files, and who delivers which when.

Every step is one transaction, so that a crash between any two leaves a state to go on from:

- **Cutting** moves the first notices of an originator into its next file. A lock of the transaction's makes it one at a time, and there
  is no next file before the last one was delivered.
- **Claiming** gives a file to one worker for a while. If that worker is lost the next one gets it when the while is over: the same name,
  the same bytes.
- **Done** drops the bytes; **failed** says when it is tried again, unless somebody else has claimed it since.

Times are the database's.
"""

from datetime import timedelta
from typing import Final, NamedTuple

from streams.notices import cutting
from streams.store import Store

LOCK: Final = 0x6E6F7469  # the first half of the locks on originators; any number that nothing else in the database locks

_OLDEST: Final = """
    SELECT extract(epoch FROM now() - least(
        (SELECT since FROM notice_files WHERE originator = $1 AND delivered IS NULL),
        (SELECT spooled FROM notices WHERE originator = $1 ORDER BY number LIMIT 1)))::float8"""
_LOCKED: Final = """
    SELECT pg_try_advisory_xact_lock($1, hashtext($2))
       AND NOT EXISTS (SELECT FROM notice_files WHERE originator = $2 AND delivered IS NULL)"""
_WAITING: Final = """
    SELECT number, octet_length(event) + 1 AS bytes, extract(epoch FROM now() - spooled)::float8 AS age_s
    FROM notices WHERE originator = $1 ORDER BY number LIMIT $2"""
_CUT: Final = """
    WITH cut AS (DELETE FROM notices WHERE originator = $1 AND number = ANY($2::bigint[]) RETURNING number, spooled, event)
    INSERT INTO notice_files (originator, number, notices, since, body)
    SELECT $1, (SELECT coalesce(max(number), 0) + 1 FROM notice_files WHERE originator = $1), count(*), min(spooled),
           convert_to(string_agg(event || chr(10), '' ORDER BY number), 'UTF8') FROM cut"""
_CLAIM: Final = """
    UPDATE notice_files SET attempts = attempts + 1, next_attempt = now() + $2
    WHERE originator = $1 AND delivered IS NULL AND next_attempt <= now() RETURNING originator, number, notices, attempts, body"""
_DONE: Final = """
    UPDATE notice_files SET delivered = now(), body = NULL WHERE originator = $1 AND number = $2 AND delivered IS NULL"""
_FAILED: Final = """
    UPDATE notice_files SET next_attempt = now() + $4 WHERE originator = $1 AND number = $2 AND attempts = $3 AND delivered IS NULL"""


class File(NamedTuple):
    """A file that this worker has claimed, for its `attempts`th attempt. `body` is JSON Lines."""

    originator: str
    number: int
    notices: int
    attempts: int
    body: bytes

    @property
    def name(self) -> str:
        return cutting.name_of(self.originator, self.number)


class Spool:
    """Any method raises what asyncpg raises when the database cannot be reached or refuses."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def oldest_s(self, originator: str) -> float | None:
        """The age of the oldest notice that was not delivered; None if there is none."""
        pool = await self._store.pool()
        return await pool.fetchval(_OLDEST, originator)  # type: ignore[no-any-return]

    async def cut(self, originator: str, after_s: float, bytes_max: int) -> bool:
        """Cut the next file if it is time (`cutting.due`); whether it was."""
        pool = await self._store.pool()
        async with pool.acquire() as connection, connection.transaction():
            if not await connection.fetchval(_LOCKED, LOCK, originator):
                return False
            waiting = await connection.fetch(_WAITING, originator, cutting.NOTICES_MAX)
            oldest_s = max((row["age_s"] for row in waiting), default=0.0)
            count = cutting.due([row["bytes"] for row in waiting], oldest_s, after_s, bytes_max)
            if count:
                await connection.execute(_CUT, originator, [row["number"] for row in waiting[:count]])
            return count > 0

    async def claim(self, originator: str, hold_s: float) -> File | None:
        """The originator's file that is to be delivered now, for nobody else within `hold_s`; None if there is none."""
        pool = await self._store.pool()
        row = await pool.fetchrow(_CLAIM, originator, timedelta(seconds=hold_s))
        return File(*row) if row else None

    async def done(self, file: File) -> None:
        """It was taken."""
        pool = await self._store.pool()
        await pool.execute(_DONE, file.originator, file.number)

    async def failed(self, file: File, pause_s: float) -> None:
        """It was not taken; the next attempt is so many seconds from now."""
        pool = await self._store.pool()
        await pool.execute(_FAILED, file.originator, file.number, file.attempts, timedelta(seconds=pause_s))
