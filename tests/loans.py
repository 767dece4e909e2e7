"""Asset documents for tests: a valid loan, and what is changed of it."""

import datetime
from typing import Any

import bson
from bson.decimal128 import Decimal128

DAY = datetime.datetime(2018, 3, 1, tzinfo=datetime.UTC)


def loan(asset: str = "LC1", originator: str = "bluebird", **changed: Any) -> dict[str, Any]:
    """A valid loan document; `changed` fields replace or add, `...` leaves one out. Money may be given as text."""
    whole = {
        "originator_id": originator,
        "asset_id": asset,
        "product": "consumer-loan-usd",
        "status": "current",
        "currency": "USD",
        "country": "US",
        "sale": "partial",
        "issued": DAY,
        "term_months": 36,
        "rate": Decimal128("0.1407"),
        "principal": Decimal128("28000.00"),
        "outstanding": Decimal128("27015.86"),
        "paid": {"principal": Decimal128("984.14"), "interest": Decimal128("1015.19"), "fees": Decimal128("0")},
        "days_past_due": 0,
        "borrower": {"region": "NJ", "income": Decimal128("90000"), "employment_years": 3, "debt_ratio": Decimal128("0.1801")},
    }
    return {name: value for name, value in {**whole, **changed}.items() if value is not ...}


def encoded(asset: str = "LC1", originator: str = "bluebird", **changed: Any) -> bytes:
    """`loan` as BSON."""
    return bson.encode(loan(asset, originator, **changed))


def schedule(months: int, cents: int, interest: int = 100) -> list[dict[str, Any]]:
    """A schedule of `loan`, for so many months of 30.4375 days: equal principal of `cents` in all, and so much interest each."""
    parts = [*[cents // months] * (months - 1), cents - cents // months * (months - 1)]
    return [
        {
            "due": DAY + datetime.timedelta(int(30.4375 * month)),
            "principal": Decimal128(f"{part}E-2"),
            "interest": Decimal128(f"{interest}E-2"),
        }
        for month, part in enumerate(parts, 1)
    ]


def paid(principal: str, interest: str, fees: str = "0") -> dict[str, Decimal128]:
    """The sub-document `paid`."""
    return {"principal": Decimal128(principal), "interest": Decimal128(interest), "fees": Decimal128(fees)}
