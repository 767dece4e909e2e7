"""What a stored version of an asset says, in the words and units of the asset document, and how it differs from the version before. Pure.

A row is one of the table asset_versions by column name. Values are written as `schemas/values.py` says; absent fields are None.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from types import NoneType
from typing import Any, Final

import msgspec

from schemas import values
from schemas.asset import LOAN, Kind, Status
from schemas.columns import BUILT_IN

Value = str | int | None
Row = Mapping[str, Any]

FOR_SALE: Final = (Status.CURRENT, Status.LATE)
_MONEY: Final = ("instalment", "last_instalment", "residual", "interest")  # of an assessment, each a column in cents
_PARTS: Final = ("principal", "interest")  # of a schedule's line, in cents
_EXPECTED: Final = ("expected_loss", "expected_return")  # each a column in parts per million; null where there is none


def document(row: Row) -> dict[str, Value]:
    """The fields of the asset document (`schemas/asset.py`, LOAN), in its order and by its names, dots between the levels.

    Behind them each line of a schedule, as `schedule.17.due`; and the attributes of an asset that is no loan, by the names of its document.
    """
    attributes = row["attributes"]
    return {
        **{field.name: _written(field.kind, row[field.stored]) for field in LOAN if field.kind is not Kind.SCHEDULE},
        **_lines(row["schedule"]),
        **(msgspec.json.decode(attributes) if attributes else {}),
    }


def _lines(schedule: str | None) -> dict[str, Value]:
    lines = msgspec.json.decode(schedule) if schedule else ()
    return {f"schedule.{number}.{name}": value for number, line in enumerate(lines) for name, value in line.items()}


def assessment(row: Row) -> dict[str, Value]:
    """What the assessor found; the prices and what is expected are fractions, of the amount and of what is outstanding; 1 is par."""
    return {
        "risk_group": row["risk_group"],
        "score": row["score"],
        "reasons": row["reasons"],
        "price": values.fraction(row["price_bp"], 4),
        "buyer_price": None if row["buyer_price_bp"] is None else values.fraction(row["buyer_price_bp"], 4),
        "remaining_months": row["remaining_months"],
        **{name: _written(Kind.MONEY, row[f"{name}_cents"]) for name in _MONEY},
        **{name: None if row[f"{name}_ppm"] is None else values.fraction(row[f"{name}_ppm"], 6) for name in _EXPECTED},
        "duration_days": row["duration_days"],
        "product_version": row["product_version"],
        "model": row["model"],
    }


def differences(before: Mapping[str, Value], after: Mapping[str, Value]) -> list[dict[str, Value]]:
    """The fields of two documents, or of two assessments, that have another value: {field, before, after}, in their order."""
    return [
        {"field": name, "before": before.get(name), "after": after.get(name)}
        for name in (*after, *(name for name in before if name not in after))
        if before.get(name) != after.get(name)
    ]


def _proof(differences: str | None) -> list[dict[str, Value]] | None:
    if differences is None:
        return None
    return [{"line": one["line"], **{name: values.money(one[name]) for name in _PARTS}} for one in msgspec.json.decode(differences)]


def proof(version: Mapping[str, Any]) -> str:
    """What its schedule is off by, in a few words; empty if it was not proved."""
    differences, convention = version["schedule_differences"], version["document"]["schedule_convention"]
    if differences is None:
        return ""
    lines = [" ".join([f"line {one['line']}", *(f"{name} {one[name]}" for name in _PARTS if one[name] != "0.00")]) for one in differences]
    return f"schedule as by {convention}" + (f", but for {', '.join(lines)}" if lines else "")


def payments(assessment: Mapping[str, Value]) -> str:
    """What is to be paid, in a few words, and what rounding leaves to the last."""
    if assessment["instalment"] == "0.00":
        return f"one payment of {assessment['last_instalment']}, {assessment['remaining_months']} months at most"
    residual = assessment["residual"]
    last = f", the last {assessment['last_instalment']} with {residual} of rounding" if residual not in (None, "0.00") else ""
    return f"{assessment['remaining_months']} instalments of {assessment['instalment']}{last}"


def prices(assessment: Mapping[str, Value]) -> str:
    """What it costs, in a few words, and by which version of its product, as far as they were told then."""
    buyer = f", buyer's price {assessment['buyer_price']}" if assessment["buyer_price"] else ""
    by = f", by version {assessment['product_version']} of the product" if assessment["product_version"] else ""
    return f"price {assessment['price']}{buyer}{by}"


def by_model(assessment: Mapping[str, Value]) -> str:
    """Whose model it is by, in a few words; empty if it is the built-in one."""
    return "" if assessment["model"] in {None, BUILT_IN} else f", by {assessment['model']}"


def reasons(assessment: Mapping[str, Value]) -> str:
    """Why the score is no better, in a few words; empty if it could not be, or of a version from before that was told."""
    return f"points below the best: {assessment['reasons']}" if assessment["reasons"] else ""


def expectations(assessment: Mapping[str, Value]) -> str:
    """What an investor may expect, in a few words; empty of a version from before there was such a prediction."""
    if assessment["expected_loss"] is None:
        return ""
    loss = f"expected loss {assessment['expected_loss']}"
    if assessment["expected_return"] is None:
        return f"{loss}, no expected return"
    return f"{loss}, expected return {assessment['expected_return']} a year, duration {assessment['duration_days']} days"


def offered(row: Row, *, invested: bool) -> bool | None:
    """Whether a version was put up for sale; None if what is stored does not tell.

    The rule is the router's (`schemas/asset.md`, "What Tranche finds"). How late an asset may be is its product's business, and what the
    product said at that time is not stored; but what was invested in was for sale.
    """
    if invested:
        return True
    if row["status"] not in FOR_SALE or row["outstanding_cents"] <= 0 or row["remaining_months"] < 1:
        return False
    return True if row["days_past_due"] == 0 else None


def told(rows: Sequence[Row], earlier: Row | None, invested: Mapping[int, Row]) -> list[dict[str, Any]]:
    """Consecutive versions, each with its place of origin, what it says, and its differences to the one before.

    Args:
        rows: in the order of their numbers.
        earlier: the version before the first of `rows`; None if that is the asset's first, which differs from nothing.
        invested: {count, amount_cents} of the investments in a version, by its number.
    """
    befores = [earlier, *rows]
    return [_told(row, before, invested.get(row["version"])) for row, before in zip(rows, befores, strict=False)]


def _told(row: Row, before: Row | None, invested: Row | None) -> dict[str, Any]:
    said, found = document(row), assessment(row)
    was_offered = offered(row, invested=invested is not None)
    return {
        "version": row["version"],
        "change": row["change"],
        "batch": row["batch"],
        "position": row["position"],
        "digest": row["digest"],
        "source": f"assets.assessed-{row['source_partition']}-{row['source_offset']}",
        "document": said,
        "differences": differences(document(before), said) if before else [],
        "schedule_differences": _proof(row["schedule_differences"]),
        "assessment": found,
        "reassessed": differences(assessment(before), found) if before else [],
        "offered": was_offered,
        "sell_offer": f"{row['originator']}/{row['asset']}/{row['version']}" if was_offered else None,
        "investments": {"count": 0, "amount_cents": 0} if invested is None else dict(invested),
    }


def _written(kind: Kind, value: Any) -> Value:
    if isinstance(value, (date, NoneType)):
        return None if value is None else value.isoformat().replace("+00:00", "Z")
    return values.written(kind, value)
