"""The platform's statement: its fees, and the trial balance of all accounts by their kinds. Pure.

Every currency adds up to zero: what accounts owe their holders (credit) is what they are owed (debit).
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from agents.ledger.accounts import FEES, KINDS
from agents.ledger.statements import Section

FORMAT: Final = "platform/1"
TOTALS: Final = ("currency", "fees_cents", "debit_cents", "credit_cents", "balance_cents")
MONTHS: Final = ("currency", "month", "fees_cents")
ACCOUNTS: Final = ("currency", "kind", "accounts", "debit_cents", "credit_cents", "balance_cents")


class Sum(NamedTuple):
    """All accounts of a kind that have something."""

    currency: str
    kind: str
    accounts: int
    balance: int


class Fees(NamedTuple):
    currency: str
    month: str
    cents: int


def sections(sums: Sequence[Sum], fees: Sequence[Fees]) -> list[Section]:
    """The statement; of a kind all accounts are on one side, by their limits."""
    ordered = sorted(sums, key=lambda one: (one.currency, KINDS.index(one.kind)))
    rows = [(one.currency, one.kind, one.accounts, max(-one.balance, 0), max(one.balance, 0), one.balance) for one in ordered]
    totals = []
    for currency in sorted({one.currency for one in sums}):
        mine = [one.balance for one in sums if one.currency == currency]
        earned = sum(one.balance for one in sums if (one.currency, one.kind) == (currency, FEES))
        totals.append((currency, earned, -sum(min(one, 0) for one in mine), sum(max(one, 0) for one in mine), sum(mine)))
    return [Section("totals", TOTALS, totals), Section("accounts", ACCOUNTS, rows), Section("months", MONTHS, sorted(fees))]
