"""Rows of intake's table, made again from PostgreSQL: what is known of an originator's assets."""

from collections.abc import Iterable
from typing import Any, Final

import pyarrow as pa

from agents.intake.versions import ABSENT, STATUSES, Latest, digests_of_terms
from schemas.asset import LOAN, Field, Kind, Status
from schemas.columns import ARROW, ATTRIBUTES
from schemas.events import DROP
from schemas.schedules import lines_of
from streams.partition import asset_key

ID_BYTES_MAX: Final = 64  # of an asset's id; a longer one, or none, is nobody's

_COLUMNS: Final = ", ".join(
    f"{f.stored} - DATE '1970-01-01'" if f.kind is Kind.DAY else f.stored for f in LOAN if f.kind is not Kind.MOMENT
)
_FIELDS: Final = tuple(f for f in LOAN if f.kind is not Kind.MOMENT)
# The newest version of each asset by an index, and the latest moment that any version gave: it may be an earlier one's. What a dropped
# batch said is forgotten where the drop has superseded it.
_NEWEST: Final = f"""
    SELECT newest.*, latest.updated_ms FROM unnest($2::text[]) AS asked(asset)
    CROSS JOIN LATERAL (
        SELECT digest, version, attributes, {_COLUMNS} FROM asset_versions
        WHERE originator = $1 AND asset = asked.asset ORDER BY version DESC LIMIT 1
    ) AS newest
    CROSS JOIN LATERAL (
        SELECT (extract(epoch FROM max(updated_at)) * 1000)::bigint AS updated_ms
        FROM asset_versions AS given WHERE originator = $1 AND asset = asked.asset AND NOT EXISTS (
            SELECT FROM asset_versions AS superseding JOIN batches USING (batch)
            WHERE superseding.originator = $1 AND superseding.asset = asked.asset AND superseding.version > given.version
                  AND way = '{DROP}' AND restart_of = given.batch
        )
    ) AS latest"""  # noqa: S608 - names of ours


async def rows(connection: Any, originator: str, assets: Iterable[bytes]) -> dict[bytes, bytes]:
    """The rows (`agents.intake.versions`) of those of `assets` that have a version, by key originator/asset.

    Raises:
        OSError, TimeoutError, asyncpg.PostgresError: the database does not answer.
    """
    asked = [text for text in map(_text, set(assets)) if text]
    found = await connection.fetch(_NEWEST, originator, asked) if asked else []
    if not found:
        return {}
    digests, versions, attributes, *values, updated = zip(*found, strict=True)
    columns = pa.RecordBatch.from_arrays(
        [*(_column(column, field) for field, column in zip(_FIELDS, values, strict=True)), pa.array(attributes, pa.string())],
        names=[*(f.column for f in _FIELDS), ATTRIBUTES.name],
    )
    by_name = dict(zip((f.column for f in _FIELDS), values, strict=True))
    numbers = zip(*(by_name[name] for name in ("outstanding", "paid_principal", "paid_interest", "paid_fees", "term_months")), strict=True)
    statuses = [STATUSES.index(Status(status)) for status in by_name["status"]]
    moments = [ABSENT if moment is None else moment for moment in updated]
    keys = [asset_key(originator.encode(), asset.encode()) for asset in by_name["asset_id"]]
    each = zip(keys, digests, versions, digests_of_terms(columns), statuses, numbers, moments, strict=True)
    return {
        key: Latest._make((digest, version, terms, status, *amounts, moment)).pack()
        for key, digest, version, terms, status, amounts, moment in each
    }


def _column(values: Iterable[Any], field: Field) -> pa.Array:
    """Values of the database as a column of LOAN."""
    if field.kind is Kind.SCHEDULE:
        values = [None if text is None else lines_of(text) for text in values]
    return pa.array(values, ARROW[field.kind])


def _text(asset: bytes) -> str:
    """An id as text of the database, empty if it can be no asset's."""
    return asset.decode("ascii", "ignore") if len(asset) <= ID_BYTES_MAX and asset.isascii() and b"\0" not in asset else ""
