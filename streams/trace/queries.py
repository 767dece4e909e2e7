"""What a trace asks PostgreSQL."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import asyncpg

from schemas.asset import VERSION_END
from streams import queries
from streams.trace import difference

LIMIT: Final = 100  # of each list, unless asked for another

# As the index rejections_of_asset has it: what is longer is no asset's id.
_REJECTED: Final = "FROM rejections WHERE originator = $1 AND asset = $2 AND octet_length(asset) BETWEEN 1 AND 256"
_COUNTS: Final = f"""
    SELECT (SELECT count(*) FROM asset_versions WHERE originator = $1 AND asset = $2) AS versions,
           (SELECT count(*) FROM investments WHERE originator = $1 AND asset = $2) AS investments,
           (SELECT count(*) {_REJECTED}) AS rejections"""  # noqa: S608 - texts of ours
_INVESTED: Final = """
    SELECT version, count(*) AS count, sum(amount_cents)::bigint AS amount_cents FROM investments
    WHERE originator = $1 AND asset = $2 AND version BETWEEN $3 AND $4 GROUP BY version"""
# An investment's id is its sell offer's and its match number: within a version the longer id is the later one.
_INVESTMENTS: Final = """
    SELECT investment, sell_offer, buy_offer, originator, asset, version, investor, portfolio, bucket, currency, amount_cents, price_bp,
           rate_ppm, risk_group, originator_cents, buyer_cents, fee_cents, made_at
    FROM investments WHERE originator = $1 AND asset = $2 AND version < $3::bigint
    ORDER BY version DESC, length(investment) DESC, investment DESC LIMIT $4"""
_REJECTIONS: Final = f"""
    SELECT batch, position, field, reason, source, octet_length(document) AS document_bytes, rejected_at {_REJECTED}
    ORDER BY rejected_at DESC, topic DESC, partition DESC, record_offset DESC LIMIT $3"""
_BATCHES: Final = "SELECT * FROM batch_states WHERE batch = ANY($1)"


async def trace(pool: asyncpg.Pool, originator: str, asset: str, *, before: int = VERSION_END, limit: int = LIMIT) -> dict[str, Any] | None:
    """All that is stored of an asset, as of one moment; None if that is nothing.

    Each list has the latest `limit` of its kind, in the order in which they came about; versions and investments only of numbers below
    `before`. Its keys: originator, asset, counts (of all versions, investments, rejections), earlier (the `before` that shows earlier
    versions than these, None if there are none), versions (`difference.told`), investments (as `queries.investments`), rejections (of
    documents that named this asset: batch, position, field, reason, source, document_bytes, rejected_at), batches (by id, as
    `queries.batches`, those that versions and rejections name, as far as they are known).
    """
    of_asset = (originator, asset)
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        counts = dict(await connection.fetchrow(_COUNTS, *of_asset))
        if not any(counts.values()):
            return None
        rows = await queries.versions(connection, *of_asset, before, limit + 1)
        earlier, rows = (rows[0], rows[1:]) if len(rows) > limit else (None, rows)
        numbers = (rows[0]["version"], rows[-1]["version"]) if rows else (0, 0)
        sums = await connection.fetch(_INVESTED, *of_asset, *numbers)
        investments = await connection.fetch(_INVESTMENTS, *of_asset, before, limit)
        rejections = await connection.fetch(_REJECTIONS, *of_asset, limit)
        batches = await connection.fetch(_BATCHES, sorted({row["batch"] for row in (*rows, *rejections)}))
    invested = {row["version"]: {"count": row["count"], "amount_cents": row["amount_cents"]} for row in sums}
    return {
        "originator": originator,
        "asset": asset,
        "counts": counts,
        "earlier": numbers[0] if earlier else None,
        "versions": difference.told(rows, earlier, invested),
        "investments": _in_order(investments),
        "rejections": _in_order(rejections),
        "batches": {row["batch"]: queries.batch_of(row) for row in batches},
    }


def _in_order(newest_first: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [dict(row) for row in newest_first][::-1]
