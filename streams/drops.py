"""What PostgreSQL knows of a batch's effect: the versions that it made, those before them, and what came later.

A version's row is found by its asset, by the primary key; a batch's versions by the small index on `batch` alone, since a batch's rows lie
together.
"""

from collections.abc import AsyncGenerator, Collection, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import asyncpg

PREFETCH: Final = 200  # rows of one answer: two versions each

_AFFECTED: Final = """
    WITH mine AS (SELECT asset, max(version) AS version FROM asset_versions WHERE originator = $1 AND batch = $2 GROUP BY asset)
    SELECT latest, before,
           (SELECT max(version) FROM asset_versions WHERE originator = $1 AND asset = mine.asset) AS newest,
           (SELECT max(updated_at) FROM asset_versions
            WHERE originator = $1 AND asset = mine.asset AND version <= before.version AND batch <> $2) AS updated
    FROM mine
    JOIN asset_versions AS latest ON latest.originator = $1 AND latest.asset = mine.asset AND latest.version = mine.version
    LEFT JOIN asset_versions AS before ON before.originator = $1 AND before.asset = mine.asset AND before.version = (
        SELECT max(version) FROM asset_versions
        WHERE originator = $1 AND asset = mine.asset AND version < mine.version AND batch <> $2
    )"""
# A batch that is not stored yet is newer than all that are.
_OVERTAKEN: Final = """
    SELECT wanted.asset FROM unnest($2::text[]) AS wanted(asset)
    CROSS JOIN LATERAL (
        SELECT batch FROM asset_versions WHERE originator = $1 AND asset = wanted.asset ORDER BY version DESC LIMIT 1
    ) AS latest
    LEFT JOIN batches USING (batch)
    WHERE latest.batch <> ALL($3) AND coalesce(batches.restart_of, '') <> $4
          AND coalesce(batches.received_at, batches.last_event, 'infinity') > $5"""


class Effect(NamedTuple):
    """What a batch did to one asset, as rows of asset_versions."""

    latest: Any  # the last version that it made
    before: Any  # the last one before that which it did not make, or None
    updated: datetime | None  # the latest `updated_at` up to `before`, of versions that it did not make
    newest: int  # number of the asset's latest version of all


async def stored(pool: asyncpg.Pool, originator: str, batch: str) -> int:
    """How many versions of a batch are stored."""
    count: int = await pool.fetchval("SELECT count(*) FROM asset_versions WHERE originator = $1 AND batch = $2", originator, batch)
    return count


async def affected(pool: asyncpg.Pool, originator: str, batch: str) -> AsyncGenerator[Effect]:
    """What a batch did to each asset of which it made a version, as of one moment; holds a few at a time."""
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        async for row in connection.cursor(_AFFECTED, originator, batch, prefetch=PREFETCH):
            yield Effect(row["latest"], row["before"], row["updated"], row["newest"])


async def overtaken(
    pool: asyncpg.Pool, originator: str, assets: Sequence[str], batch: str, since: datetime, ours: Collection[str]
) -> set[str]:
    """Those of `assets` whose latest version is of a batch that came after `since`: not of `batch`, its restarts, nor of `ours`."""
    rows = await pool.fetch(_OVERTAKEN, originator, assets, [batch, *ours], batch, since)
    return {row["asset"] for row in rows}
