"""What the API and the ops views ask PostgreSQL.

Rows come as dicts of what JSON has, and of datetimes, days and, in a rejection's document, bytes.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

import asyncpg

from schemas.asset import OUTCOMES, VERSION_END
from streams.topics import INVESTMENTS

REASONS: Final = 20  # that the summary of a batch lists, most frequent first

_BATCH: Final = (
    "batch",
    "originator",
    "state",
    "documents",
    "processed",
    "oversized",
    "bytes",
    "digest",
    "error",
    "position",
    "sender",
    "same_as",
    "restart_of",
    "began_at",
    "received_at",
    "first_event",
    "last_event",
)
# What is not received yet may still come, so each of its events counts.
_OTHER: Final = """
    SELECT coalesce(received_at, last_event) FROM batches
    WHERE originator = $1 AND NOT (received AND error = '' AND digest = $2 AND bytes = $3)
    ORDER BY coalesce(received_at, last_event) DESC LIMIT 1"""
_SAME: Final = """
    SELECT batch, began_at, received_at FROM batches
    WHERE originator = $1 AND received AND error = '' AND digest = $2 AND bytes = $3 AND began_at > coalesce($4, '-infinity'::timestamptz)
    ORDER BY received_at LIMIT 1"""
_REASONS: Final = """
    SELECT reason, field, count(*) AS count FROM rejections WHERE batch = $1
    GROUP BY reason, field ORDER BY count DESC, field, reason LIMIT $2"""
# Of each partition the rows behind the cursor: an index range each, and no row is skipped or repeated however many arrive meanwhile.
_INVESTMENTS: Final = """
    SELECT page.* FROM unnest($1::integer[], $2::bigint[]) AS seen(partition, record_offset) CROSS JOIN LATERAL (
        SELECT * FROM investments AS i WHERE i.partition = seen.partition AND i.record_offset > seen.record_offset{where}
        ORDER BY i.record_offset LIMIT $3
    ) AS page ORDER BY page.partition, page.record_offset LIMIT $3"""
# The rows behind a place, an index range, and of them so many that their documents reach the size.
_REJECTED: Final = """
    SELECT position, topic, partition, record_offset, document FROM (
        SELECT *, sum(octet_length(document)) OVER (ORDER BY position, topic, partition, record_offset) - octet_length(document) AS before
        FROM (
            SELECT position, topic, partition, record_offset, document FROM rejections
            WHERE batch = $1 AND complete AND (position, topic, partition, record_offset) > ($2, $3, $4, $5)
            ORDER BY position, topic, partition, record_offset LIMIT 1000
        ) AS following
    ) AS page WHERE before < $6 ORDER BY position, topic, partition, record_offset"""
_SUMMARY: Final = f"""
    SELECT originator, sum(CASE WHEN received THEN documents ELSE processed END)::bigint AS received,
           {", ".join(f"sum({name})::bigint AS {name}" for name in OUTCOMES if name != "rejected")},
           sum(rejected + oversized)::bigint AS rejected
    FROM batch_states GROUP BY originator ORDER BY originator"""  # noqa: S608 - names of ours
_VERSIONS: Final = """
    SELECT * FROM asset_versions WHERE originator = $1 AND asset = $2 AND version < $3::bigint ORDER BY version DESC LIMIT $4"""
_INVESTED: Final = """
    SELECT originator, currency, count(*) AS count, sum(amount_cents)::bigint AS cents
    FROM investments GROUP BY originator, currency ORDER BY originator, currency"""


class Place(NamedTuple):
    """Where a rejection stands in its batch: by position, and by its record where several have the same."""

    position: int
    topic: str
    partition: int
    record_offset: int


_START: Final = Place(-1, "", 0, 0)


class CursorError(ValueError):
    """A paging cursor that `investments` has not given out."""


async def batch(pool: asyncpg.Pool, batch_id: str) -> dict[str, Any] | None:
    """One batch, or None if nothing is known of it (yet).

    Its keys: batch, originator, state, documents, processed, oversized, bytes, digest, error, position, way (`schemas.events.WAYS`, or
    "direct": an originator produces it itself; empty: not known), sender, same_as (the first batch of the same bytes, or empty), restart_of
    (the batch that this one restarts or drops, or empty), began_at, received_at (times, or None), first_event, last_event (times), counts
    (by outcome), reasons (of rejections: {reason, field, count}, the most frequent first).

    `state` is "open" (an originator produces it itself), "processing", or for good: "done", "done with rejections", "failed" (cut off at
    `position`; what came before counts).
    """
    row = await pool.fetchrow("SELECT * FROM batch_states WHERE batch = $1", batch_id)
    if row is None:
        return None
    reasons = await pool.fetch(_REASONS, batch_id, REASONS)
    return {**batch_of(row), "reasons": [dict(reason) for reason in reasons]}


async def batches(pool: asyncpg.Pool, originator: str | None = None, limit: int = 50) -> list[dict[str, Any]]:
    """The latest batches, of one originator or of all, as `batch` without reasons, the newest first."""
    sql = "SELECT * FROM batch_states WHERE $2::text IS NULL OR originator = $2 ORDER BY first_event DESC, batch LIMIT $1"
    return [batch_of(row) for row in await pool.fetch(sql, limit, originator)]


def batch_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of batch_states as `batch` answers it, without reasons."""
    way = row["way"] if row["received"] else "direct"
    return {**{name: row[name] for name in _BATCH}, "way": way, "counts": {name: row[name] for name in OUTCOMES}}


async def same(pool: asyncpg.Pool, originator: str, digest: str, size: int) -> tuple[datetime | None, Any]:
    """When the originator's last batch of other content came, and the first of this content that began later; each None if there is none.

    Of that first one: its id, when it began, when it was received.
    """
    other = await pool.fetchval(_OTHER, originator, digest, size)
    row = await pool.fetchrow(_SAME, originator, digest, size, other)
    return other, tuple(row) if row else None


async def investments(
    pool: asyncpg.Pool, *, investor: str | None = None, originator: str | None = None, after: str | None = None, limit: int = 100
) -> tuple[list[dict[str, Any]], str | None]:
    """A page of investments, and the cursor of the next page or None if this one is the last for now.

    Ordered by partition and offset of their topic: all pages together have every investment that was there at the first page, once, and
    none twice; those that come meanwhile are in them or behind their last cursor. One investor's are in the order they were made.

    Raises:
        CursorError: `after` is no cursor of this function.
    """
    seen = _parse(after)
    filters = {name: value for name, value in (("investor", investor), ("originator", originator)) if value is not None}
    where = "".join(f" AND i.{name} = ${n}" for n, name in enumerate(filters, 4))
    rows = await pool.fetch(_INVESTMENTS.format(where=where), list(range(len(seen))), seen, limit + 1, *filters.values())
    page = [dict(row) for row in rows[:limit]]
    for row in page:
        seen[row.pop("partition")] = row.pop("record_offset")
    return page, ".".join(str(offset + 1) for offset in seen) if len(rows) > limit else None


def _parse(cursor: str | None) -> list[int]:
    """The last offset seen of each partition of the topic, -1 for none."""
    if cursor is None:
        return [-1] * INVESTMENTS.partitions
    parts = cursor.split(".")
    if len(parts) != INVESTMENTS.partitions or not all(part.isascii() and part.isdecimal() and len(part) < 19 for part in parts):
        raise CursorError(f"cursor {cursor[:200]!r} is none that was given out; start without one")
    return [int(part) - 1 for part in parts]


async def versions(pool: asyncpg.Pool, originator: str, asset: str, before: int = VERSION_END, limit: int = 1000) -> list[dict[str, Any]]:
    """The latest versions of an asset below number `before`, the first first, with every column of the table; the digest in hexadecimal."""
    rows = await pool.fetch(_VERSIONS, originator, asset, before, limit)
    return [{**row, "digest": row["digest"].hex()} for row in reversed(rows)]


async def rejections(pool: asyncpg.Pool, *, batch: str | None = None, limit: int = 50) -> list[dict[str, Any]]:
    """The latest documents in quarantine, of one batch or of all, the newest first; `document` is their BSON in bytes."""
    where = "WHERE batch = $2" if batch is not None else ""
    sql = f"SELECT * FROM rejections {where} ORDER BY rejected_at DESC, topic, partition, record_offset DESC LIMIT $1"  # noqa: S608 - fixed texts
    return [dict(row) for row in await pool.fetch(sql, limit, *(() if batch is None else (batch,)))]


async def rejected(pool: asyncpg.Pool, batch_id: str, after: Place | None, most_bytes: int) -> tuple[list[bytes], Place | None]:
    """A page of a batch's rejected documents that are whole, in the order of their positions, and the place of its last; None without any.

    A page ends with the document that brings it to `most_bytes`. Pages follow each other by place: those of a batch that is still being
    processed miss what is rejected meanwhile in front of them.
    """
    rows = await pool.fetch(_REJECTED, batch_id, *(after or _START), most_bytes)
    return [row["document"] for row in rows], Place(*rows[-1][:4]) if rows else None


async def incomplete(pool: asyncpg.Pool, batch_id: str) -> int:
    """How many of a batch's rejected documents are not kept whole."""
    count: int = await pool.fetchval("SELECT count(*) FROM rejections WHERE batch = $1 AND NOT complete", batch_id)
    return count


async def summary(pool: asyncpg.Pool) -> list[dict[str, Any]]:
    """A line an originator: what it delivered, what came of it, what was invested in it.

    Its keys: originator, received (documents), the outcomes (created … unchanged, rejected), investments (their count), invested_cents (by
    currency, because cents of two currencies do not add up).
    """
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        delivered = await connection.fetch(_SUMMARY)
        invested = await connection.fetch(_INVESTED)
    table = {row["originator"]: {**row, "investments": 0, "invested_cents": {}} for row in delivered}
    for row in invested:
        nothing = {"originator": row["originator"], "received": 0, **dict.fromkeys(OUTCOMES, 0), "investments": 0, "invested_cents": {}}
        line = table.setdefault(row["originator"], nothing)
        line["investments"] += row["count"]
        line["invested_cents"][row["currency"]] = row["cents"]
    return [table[name] for name in sorted(table)]
