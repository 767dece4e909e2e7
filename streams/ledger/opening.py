"""Opening accounts: numbered without a gap, each bound to the one before by its hash, with the limits of its kind."""

from collections.abc import Sequence
from typing import Any, Final

from agents.ledger.accounts import Account, hashes
from agents.ledger.transfers import FIRST
from streams.ledger.lookups import NUMBERS

_COLUMNS: Final = ("account", *Account._fields, "hash")
_LAST: Final = "SELECT account, hash FROM accounts ORDER BY account DESC LIMIT 1"
_BALANCES: Final = """
    INSERT INTO balances (account, lowest, highest)
    SELECT account, lowest, highest FROM accounts JOIN account_kinds USING (kind) WHERE account > $1 ORDER BY account"""


async def open_accounts(sql: Any, accounts: Sequence[Account]) -> dict[str, int]:
    """Open those that are not open yet, in the caller's transaction, which has locked the ledger; the numbers of all of them by name."""
    if not accounts:
        return {}
    numbers = {row["name"]: row["account"] for row in await sql.fetch(NUMBERS, [one.name for one in accounts])}
    fresh = list({one.name: one for one in accounts if one.name not in numbers}.values())
    if fresh:
        last, before = await sql.fetchrow(_LAST) or (0, FIRST)
        made = hashes(before, last + 1, fresh)
        records = [(number, *one, made_hash) for number, (one, made_hash) in enumerate(zip(fresh, made, strict=True), last + 1)]
        await sql.copy_records_to_table("accounts", records=records, columns=_COLUMNS)
        await sql.execute(_BALANCES, last)
        numbers |= {one.name: number for number, one in enumerate(fresh, last + 1)}
    return numbers
