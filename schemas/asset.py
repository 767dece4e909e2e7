"""The asset document: what an originator sends, field by field.

A document is BSON. Money is Decimal128 in the currency's major unit with at most two decimals ("1234.50"), a rate is a Decimal128
fraction a year with at most six decimals ("0.1407" is 14.07 %), a day is a BSON date. Inside Tranche money is int64 cents and
rates are int64 parts per million: never a float. `schemas/asset.md` is the same for people, `schemas/examples/` has one.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

DOCUMENT_BYTES_MAX: Final = 64 * 1024  # a larger document is rejected alone
FRAME_BYTES_MAX: Final = 16 * 1024 * 1024  # BSON's own limit: a larger length prefix is a lie and ends the batch
FRAME_BYTES_MIN: Final = 5  # the empty document
DEPTH_MAX: Final = 8  # documents within documents
CENTS_MAX: Final = 10**14  # a trillion major units: every sum over a book still fits int64
VERSION_END: Final = 2**31  # every version's number is below
LINES_MAX: Final = 800  # of a schedule: about as many as a document has room for


class Kind(enum.StrEnum):
    """How the values of a field are written in BSON, and what column they become."""

    TEXT = "text"  # string -> Arrow string
    MONEY = "money"  # Decimal128, 2 decimals -> int64 cents
    RATE = "rate"  # Decimal128, 6 decimals -> int64 parts per million
    WHOLE = "whole"  # int32 or int64 -> int64
    DAY = "day"  # BSON date at midnight UTC -> int64 days since 1970-01-01
    MOMENT = "moment"  # BSON date -> int64 ms since 1970-01-01 UTC
    SCHEDULE = "schedule"  # array of documents with the fields LINE -> list of structs of their columns


class Status(enum.StrEnum):
    CURRENT = "current"
    LATE = "late"
    DEFAULTED = "defaulted"
    REPAID = "repaid"
    RECALLED = "recalled"


class Sale(enum.StrEnum):
    PARTIAL = "partial"
    ALL_OR_NONE = "all_or_none"


class Change(enum.StrEnum):
    """What happened between two versions of an asset; the first that applies, in this order."""

    CREATED = "created"
    RECALLED = "recalled"
    DEFAULTED = "defaulted"
    REPAID = "repaid"
    RETURNED = "returned"
    EXTENDED = "extended"
    TERMS_CHANGED = "terms_changed"
    REPAYMENT_REPORTED = "repayment_reported"
    STATUS_CHANGED = "status_changed"


UNCHANGED, STALE, REJECTED = "unchanged", "stale", "rejected"  # what becomes of a document that is no new version
OUTCOMES: Final = (*(change.value for change in Change), UNCHANGED, STALE, REJECTED)


def changed(counts: Mapping[str, int]) -> int:
    """How many of the documents that were counted by outcome are a later version of an asset."""
    return sum(counts[change] for change in Change) - counts[Change.CREATED]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the document.

    `name` is its path, dots between the levels; the column has the same name with underscores. `low` and `high` bound a number in its
    column's unit, both included; `choices` lists what a text may be; `length` bounds a text in bytes. A field that is not
    `required` may be absent or null: its column then has a null.
    """

    name: str
    kind: Kind
    required: bool = True
    low: int = 0
    high: int = CENTS_MAX
    choices: tuple[str, ...] = ()
    length: int = 64
    term: bool = False  # part of what was agreed with the borrower: a change of it is a change of terms

    @property
    def column(self) -> str:
        return self.name.replace(".", "_")

    @property
    def stored(self) -> str:
        """Its column in the table asset_versions: the unit stands last in a name, and the design's words are used."""
        return _STORED.get(self.name, self.column + _UNITS.get(self.kind, ""))


_UNITS: Final = {Kind.MONEY: "_cents", Kind.RATE: "_ppm"}
_STORED: Final = {"originator_id": "originator", "asset_id": "asset", "instalment": "stated_instalment_cents"}


LINE: Final = (  # one instalment of a schedule
    Field("due", Kind.DAY, low=-(2**15), high=2**16),
    Field("principal", Kind.MONEY),
    Field("interest", Kind.MONEY),
)

LOAN: Final = (
    Field("originator_id", Kind.TEXT),
    Field("asset_id", Kind.TEXT),
    Field("product", Kind.TEXT, term=True),
    Field("status", Kind.TEXT, choices=tuple(Status)),
    Field("currency", Kind.TEXT, length=3, term=True),
    Field("country", Kind.TEXT, length=2, term=True),
    Field("sale", Kind.TEXT, choices=tuple(Sale), term=True),
    Field("issued", Kind.DAY, low=-(2**15), high=2**16, term=True),  # 1880 … 2149
    Field("term_months", Kind.WHOLE, low=1, high=600, term=True),
    Field("rate", Kind.RATE, high=2_000_000, term=True),
    Field("principal", Kind.MONEY, low=1, term=True),
    Field("outstanding", Kind.MONEY),
    Field("paid.principal", Kind.MONEY),
    Field("paid.interest", Kind.MONEY),
    Field("paid.fees", Kind.MONEY),
    Field("days_past_due", Kind.WHOLE, high=36_500),
    Field("updated_at", Kind.MOMENT, required=False, high=2**16 * 86_400_000),  # … 2149
    Field("instalment", Kind.MONEY, required=False, term=True),
    Field("purpose", Kind.TEXT, required=False, term=True),
    Field("grade", Kind.TEXT, required=False, term=True),
    Field("borrower.region", Kind.TEXT, required=False, term=True),
    Field("borrower.home", Kind.TEXT, required=False, term=True),
    Field("borrower.income", Kind.MONEY, required=False, term=True),
    Field("borrower.employment_years", Kind.WHOLE, required=False, high=100, term=True),
    Field("borrower.debt_ratio", Kind.RATE, required=False, high=1_000_000_000, term=True),
    Field("borrower.delinquencies_2y", Kind.WHOLE, required=False, high=10_000, term=True),
    Field("borrower.inquiries_12m", Kind.WHOLE, required=False, high=10_000, term=True),
    Field("first_due", Kind.DAY, required=False, low=-(2**15), high=2**16, term=True),
    Field("maturity", Kind.DAY, required=False, low=-(2**15), high=2**16, term=True),
    Field("schedule_convention", Kind.TEXT, required=False, term=True),
    Field("schedule", Kind.SCHEDULE, required=False, term=True),
)

PAYMENTS: Final = ("outstanding", "paid_principal", "paid_interest", "paid_fees")  # columns, cumulative, in cents
