"""Invoices for tests: a product that is in no folder of ours, and its documents."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import bson
from bson.decimal128 import Decimal128

import schemas
from schemas.catalog import Catalog, parse
from schemas.kinds import kind_of
from streams import topics

PRODUCT = Path(__file__).parent / "kinds" / "invoice-eur.yaml"
SHIPPED = Path(schemas.__file__).parent


def catalog() -> Catalog:
    """The shipped catalog, and the invoices."""
    files = {path.name: path.read_text() for path in (*(SHIPPED / "products").glob("*.yaml"), PRODUCT)}
    return parse(files, ("originators.yaml", (SHIPPED / "originators.yaml").read_text()), topics.MARKETS)


KIND = kind_of(catalog().products["invoice-eur"].document)


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def money(text: str) -> Decimal128:
    return Decimal128(text)


def invoice(asset: str = "INV1", **changed: Any) -> dict[str, Any]:
    """A valid invoice; `changed` fields replace or add, `...` leaves one out."""
    whole = {
        "originator_id": "bluebird",
        "asset_id": asset,
        "product": "invoice-eur",
        "number": "2026/1187",
        "debtor": {"name": 'Sägewerk "Nord"', "country": "DE", "rating": 2, "limit": money("25000.00")},
        "industry": "transport",
        "state": "current",
        "money": "EUR",
        "invoiced": day("2026-11-03"),
        "due": day("2027-01-02"),
        "amount": money("1200.00"),
        "open": money("1200.00"),
        "settled": money("0"),
        "days_late": 0,
    }
    return {name: value for name, value in {**whole, **changed}.items() if value is not ...}


def encoded(asset: str = "INV1", **changed: Any) -> bytes:
    """`invoice` as BSON."""
    return bson.encode(invoice(asset, **changed))
