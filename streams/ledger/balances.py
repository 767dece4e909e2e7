"""Balances at any day, as known at any moment: what counted by then, of what was booked by then."""

from datetime import date, datetime
from typing import Any, Final, NamedTuple

# Of one holder the legs of their accounts are looked up; of all, every leg is read once.
_OF_HOLDER: Final = """
    SELECT name, kind, currency, sum(amount)::bigint AS cents FROM accounts
    JOIN LATERAL (SELECT amount FROM legs JOIN transfers ON number = transfer
                  WHERE legs.account = accounts.account AND effective <= $1 AND booked <= $2) AS counted ON true
    WHERE {holder} = $3 GROUP BY name, kind, currency HAVING sum(amount) <> 0 ORDER BY name"""
_OF_ALL: Final = """
    SELECT name, accounts.kind, accounts.currency, sum(amount)::bigint AS cents
    FROM legs JOIN transfers ON number = transfer JOIN accounts USING (account) WHERE effective <= $1 AND booked <= $2
    GROUP BY name, accounts.kind, accounts.currency HAVING sum(amount) <> 0 ORDER BY name"""


class Balance(NamedTuple):
    """One account that has something, in minor units of its currency."""

    account: str
    kind: str
    currency: str
    cents: int


async def balances(sql: Any, effective: date, known: datetime, investor: str | None = None, originator: str | None = None) -> list[Balance]:
    """Of everybody, or of one investor or originator, in order of the accounts' names."""
    if investor is None and originator is None:
        rows = await sql.fetch(_OF_ALL, effective, known)
    else:
        holder = "investor" if investor is not None else "originator"
        rows = await sql.fetch(_OF_HOLDER.format(holder=holder), effective, known, investor if investor is not None else originator)
    return [Balance(*row) for row in rows]
