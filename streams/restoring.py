"""Documents that undo what a batch did to an asset, made of what is stored of its versions. Pure.

Everything is immutable, so undoing is a version more: the one before the batch again, or, of an asset that the batch created, its recall.
A row is one of the table asset_versions, with its columns by name, as asyncpg gives them.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any

import bson
import xxhash
from bson.decimal128 import Decimal128

from schemas.asset import LOAN, Kind, Status
from streams.document import DECIMALS
from streams.supersession import Supersession


def undo(latest: Mapping[str, Any], before: Mapping[str, Any] | None, updated: datetime | None) -> tuple[bytes, Supersession] | None:
    """The document that follows `latest`, which the batch made, and what it stands for.

    `before` is the last version that the batch did not make, and `updated` the latest `updated_at` up to that. None if there is nothing to
    undo: the batch created the asset, and recalled it itself.
    """
    if before is not None:
        moment = before["updated_at"] or updated
        return document(before), Supersession(latest["version"], before["digest"], _ms(moment) if moment else None)
    if latest["status"] == Status.RECALLED:
        return None
    # It says nothing of when: what the originator sends next is newer, whatever it says.
    recall = document({**latest, "status": Status.RECALLED.value, "updated_at": None})
    return recall, Supersession(latest["version"], xxhash.xxh3_128_digest(recall), None)


def document(row: Mapping[str, Any]) -> bytes:
    """An asset document with the values of a stored version, its fields in the order of the contract."""
    whole: dict[str, Any] = {}
    for field in LOAN:
        value = row[field.stored]
        if value is None:
            continue
        *path, name = field.name.split(".")
        inner = whole
        for step in path:
            inner = inner.setdefault(step, {})
        inner[name] = _value(value, field.kind)
    return bson.encode(whole)


def _value(value: Any, kind: Kind) -> Any:
    if kind in DECIMALS:
        return Decimal128(Decimal(value).scaleb(-DECIMALS[kind]))
    return datetime.combine(value, time(), UTC) if kind is Kind.DAY else value


def _ms(moment: datetime) -> int:
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000
