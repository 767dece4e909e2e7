"""What posting asks of the ledger: the numbers of accounts, a transfer that is booked, why a limit refuses."""

from collections.abc import Sequence
from typing import Any, Final

from agents.ledger.transfers import Head

NUMBERS: Final = "SELECT name, account FROM accounts WHERE name = ANY($1::text[])"
HEAD: Final = (
    """id, kind, currency, effective, (extract(epoch FROM booked) * 1000)::bigint AS booked_ms, source, batch, position, reverses"""
)

_HEAD_OF: Final = f"SELECT {HEAD} FROM transfers WHERE number = $1"  # noqa: S608 - columns of ours
_LEGS_OF: Final = "SELECT account, amount FROM legs WHERE transfer = $1"
_OTHER_CURRENCIES: Final = "SELECT name FROM accounts WHERE name LIKE $1 || '/___' ESCAPE '' AND name <> $2 ORDER BY name"
_BEYOND: Final = """
    SELECT name, balance, amount, lowest, highest
    FROM unnest($1::bigint[], $2::bigint[]) AS given (account, amount) JOIN balances USING (account) JOIN accounts USING (account)
    WHERE balance::numeric + amount < lowest OR balance::numeric + amount > highest ORDER BY amount > 0, account LIMIT 1"""


async def booked(sql: Any, number: int) -> tuple[Head, dict[int, int]]:
    """A transfer's head, and its legs: amount by account."""
    head = await sql.fetchrow(_HEAD_OF, number)
    return Head(*head), {row["account"]: row["amount"] for row in await sql.fetch(_LEGS_OF, number)}


async def other_currencies(sql: Any, name: str) -> list[str]:
    """Accounts that are named as this one but for the currency."""
    stem = name.rpartition("/")[0]
    return [row["name"] for row in await sql.fetch(_OTHER_CURRENCIES, stem, name)]


async def beyond_limits(sql: Any, accounts: Sequence[int], amounts: Sequence[int]) -> str:
    """Why these legs cannot be booked now; empty if nothing is in their way."""
    row = await sql.fetchrow(_BEYOND, accounts, amounts)
    if row is None:
        return ""
    limit = f"not below {row['lowest']}" if row["lowest"] is not None and row["amount"] < 0 else f"not above {row['highest']}"
    return f"{row['name']} has {row['balance']}, {row['amount']:+} would leave {row['balance'] + row['amount']}; it may be {limit}"
