"""Documents that undo what a batch did to an asset, made of what is stored of its versions. Pure.

Everything is immutable, so undoing is a version more: the one before the batch again, or, of an asset that the batch created, its recall.
A row is one of the table asset_versions, with its columns by name, as asyncpg gives them; its kind is that of its product.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final

import bson
import msgspec
import xxhash
from bson.decimal128 import Decimal128

from schemas.asset import LINE, LOAN, Kind, Status
from schemas.kinds import AssetKind
from schemas.schedules import lines_of
from schemas.values import value_of
from streams.document import DECIMALS
from streams.supersession import Supersession

_PLACES: Final = {field.column: field for field in LOAN}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def undo(
    kind: AssetKind, latest: Mapping[str, Any], before: Mapping[str, Any] | None, updated: datetime | None
) -> tuple[bytes, Supersession] | None:
    """The document that follows `latest`, which the batch made, and what it stands for.

    `before` is the last version that the batch did not make, and `updated` the latest `updated_at` up to that. None if there is nothing to
    undo: the batch created the asset, and recalled it itself, or documents of its kind cannot say that it is recalled.
    """
    if before is not None:
        moment = before["updated_at"] or updated
        return document(kind, before), Supersession(latest["version"], before["digest"], _ms(moment) if moment else None)
    status = kind.sources.get("status")
    if latest["status"] == Status.RECALLED or status is None or Status.RECALLED not in status.choices:
        return None
    # It says nothing of when: what the originator sends next is newer, whatever it says.
    recall = document(kind, {**latest, "status": Status.RECALLED.value, "updated_at": None})
    return recall, Supersession(latest["version"], xxhash.xxh3_128_digest(recall), None)


def document(kind: AssetKind, row: Mapping[str, Any]) -> bytes:
    """An asset document of a kind with the values of a stored version, its fields in the order of the contract."""
    whole: dict[str, Any] = {}
    places = {field.name: _PLACES[column] for column, field in kind.sources.items()}
    attributes = msgspec.json.decode(row["attributes"] or "{}")
    for field in kind.fields:
        value = row[places[field.name].stored] if field.name in places else value_of(field.kind, attributes.get(field.name))
        if value is None:
            continue
        *path, name = field.name.split(".")
        inner = whole
        for step in path:
            inner = inner.setdefault(step, {})
        inner[name] = _value(value, field.kind)
    return bson.encode(whole)


def _value(value: Any, kind: Kind) -> Any:
    """A value as BSON has it; a day or a moment is a number in an attribute or a schedule, and what asyncpg gives in a column."""
    if kind is Kind.SCHEDULE:
        return [{field.name: _value(line[field.column], field.kind) for field in LINE} for line in lines_of(value)]
    if kind in DECIMALS:
        return Decimal128(Decimal(value).scaleb(-DECIMALS[kind]))
    if kind is Kind.DAY:
        return _EPOCH + timedelta(days=value) if isinstance(value, int) else datetime.combine(value, time(), UTC)
    return _EPOCH + timedelta(milliseconds=value) if kind is Kind.MOMENT and isinstance(value, int) else value


def _ms(moment: datetime) -> int:
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000
