"""The audit: every invariant over the whole ledger, each with the first transfer, or the account, that breaks it.

It reads one snapshot of the database and computes everything anew; the hashes by the code that made them, from what the tables say now. So
whatever was changed behind the ledger's back is found, but for one who can write all of the chain anew: against that stands a hash that
was noted elsewhere (`anchor`).
"""

from collections.abc import AsyncIterator
from typing import Any, Final, NamedTuple

import numpy as np

from agents.ledger.accounts import Account, account, hashes
from agents.ledger.transfers import FIRST, Carried, Head, following, postings
from streams.ledger.lookups import HEAD

CHUNK: Final = 20_000  # transfers, or accounts


class Check(NamedTuple):
    """One invariant: what is wrong first, by transfer where there is one; empty if nothing is."""

    invariant: str
    wrong: str = ""
    transfer: int | None = None
    id: str | None = None


class Report(NamedTuple):
    accounts: int
    transfers: int
    hash: str  # of the last transfer: noted elsewhere, it is an anchor
    checks: list[Check]

    @property
    def sound(self) -> bool:
        return not any(check.wrong for check in self.checks)


# Each gives the first that is wrong: the transfer's number and id, null of an account, and the words.
_SQL: Final = {
    "every transfer's legs add up to zero, in one currency": """
        SELECT legs.transfer, max(transfers.id) AS id,
               format('%s legs add up to %s, of principal and claims to %s', count(*), sum(amount),
                      coalesce(sum(amount) FILTER (WHERE accounts.asset IS NOT NULL), 0))
               || CASE WHEN count(*) <> count(transfers.number) THEN '; there is no such transfer' ELSE '' END
               || CASE WHEN count(*) <> count(accounts.account) THEN '; an account is not open' ELSE '' END
               || CASE WHEN bool_or(accounts.currency <> transfers.currency) THEN '; an account is of another currency' ELSE '' END AS wrong
        FROM legs LEFT JOIN transfers ON transfers.number = legs.transfer LEFT JOIN accounts USING (account) GROUP BY legs.transfer
        HAVING sum(amount) <> 0 OR count(*) < 2 OR sum(amount) FILTER (WHERE accounts.asset IS NOT NULL) <> 0
               OR count(*) <> count(transfers.number)
               OR count(*) <> count(accounts.account) OR bool_or(accounts.currency <> transfers.currency)
        ORDER BY legs.transfer LIMIT 1""",
    "every transfer has its legs": """
        SELECT number AS transfer, id, 'it has none' AS wrong FROM transfers
        WHERE NOT EXISTS (SELECT FROM legs WHERE legs.transfer = number) ORDER BY number LIMIT 1""",
    "no account was ever beyond its limit": """
        SELECT transfer, id, format('it left %s with %s', name, running) AS wrong FROM (
            SELECT transfer, account, sum(amount) OVER (PARTITION BY account ORDER BY transfer) AS running FROM legs
        ) AS each JOIN accounts USING (account) JOIN account_kinds USING (kind) LEFT JOIN transfers ON number = transfer
        WHERE running < lowest OR running > highest ORDER BY transfer LIMIT 1""",
    "every balance is the sum of its legs": """
        SELECT NULL::bigint AS transfer, NULL AS id, format('%s has %s, its legs %s', name, balance, coalesce(total, 0)) AS wrong
        FROM accounts LEFT JOIN balances USING (account)
        LEFT JOIN (SELECT account, sum(amount) AS total FROM legs GROUP BY account) AS legs USING (account)
        WHERE balance IS DISTINCT FROM coalesce(total, 0) ORDER BY account LIMIT 1""",
    "every balance has the limits of its kind": """
        SELECT NULL::bigint AS transfer, NULL AS id, format('%s has the limits %s … %s', name, balances.lowest, balances.highest) AS wrong
        FROM balances JOIN accounts USING (account) JOIN account_kinds USING (kind)
        WHERE (balances.lowest, balances.highest) IS DISTINCT FROM (account_kinds.lowest, account_kinds.highest)
        ORDER BY account LIMIT 1""",
    "a hold is made once, and resolved once": """
        SELECT transfer, id, format('it puts %s into %s', amount, name) AS wrong FROM (
            SELECT legs.transfer, amount, name, row_number() OVER (PARTITION BY account ORDER BY transfer) AS place
            FROM accounts JOIN legs USING (account) WHERE kind = 'hold' AND amount > 0
        ) AS put LEFT JOIN transfers ON number = transfer WHERE place > 1 OR transfers.kind IS DISTINCT FROM 'hold'
        ORDER BY transfer LIMIT 1""",
    "claims and what is unsold are what is outstanding": """
        SELECT NULL::bigint AS transfer, NULL AS id, format('%s/%s in %s is off by %s', originator, asset, currency, sum(balance)) AS wrong
        FROM accounts JOIN balances USING (account) WHERE asset IS NOT NULL GROUP BY originator, asset, currency HAVING sum(balance) <> 0
        ORDER BY min(account) LIMIT 1""",
    "clients' cash at the bank is in wallets, holds and settlement": """
        SELECT NULL::bigint AS transfer, NULL AS id, format('%s is off by %s', currency, sum(balance)) AS wrong
        FROM accounts JOIN balances USING (account) WHERE kind IN ('bank', 'wallet', 'hold', 'settlement', 'fees')
        GROUP BY currency HAVING sum(balance) <> 0 ORDER BY currency LIMIT 1""",
    "what is in transit is pending or retained": """
        SELECT NULL::bigint AS transfer, NULL AS id, format('%s in %s is off by %s', originator, currency, sum(balance)) AS wrong
        FROM accounts JOIN balances USING (account) WHERE kind IN ('transit', 'pending', 'retained')
        GROUP BY originator, currency HAVING sum(balance) <> 0 ORDER BY originator, currency LIMIT 1""",
    "what is carried adds up to zero": """
        SELECT transfer, id, format('of %s/%s it adds up to %s', originator, asset, total) AS wrong
        FROM carried CROSS JOIN LATERAL (SELECT sum(one) AS total FROM unnest(micro) AS one) AS added
        LEFT JOIN transfers ON number = transfer
        WHERE total <> 0 ORDER BY transfer LIMIT 1""",
}
_TRANSFERS: Final = f"SELECT number, hash, {HEAD} FROM transfers WHERE number >= $1 AND number < $2 ORDER BY number"  # noqa: S608 - ours
_LEGS: Final = "SELECT transfer, account, amount FROM legs WHERE transfer >= $1 AND transfer < $2 ORDER BY transfer, account"
_CARRIED: Final = "SELECT transfer, originator, asset, component, holders, micro FROM carried WHERE transfer = ANY($1::bigint[])"
_ACCOUNTS: Final = "SELECT * FROM accounts WHERE account >= $1 AND account < $2 ORDER BY account"


async def audit(sql: Any, anchor: tuple[int, str] | None = None) -> Report:
    """Check everything; `anchor` is the number and the hexadecimal hash of a transfer, as an earlier audit told them."""
    async with sql.transaction(isolation="repeatable_read", readonly=True):
        chain = await _chain(sql, anchor)
        checks = [await _accounts(sql), *chain]
        for invariant, query in _SQL.items():
            row = await sql.fetchrow(query)
            checks.append(Check(invariant, row["wrong"], row["transfer"], row["id"]) if row else Check(invariant))
        last = await sql.fetchrow("SELECT number, hash FROM transfers ORDER BY number DESC LIMIT 1") or (0, FIRST)
        return Report(await sql.fetchval("SELECT count(*) FROM accounts"), last[0], last[1].hex(), checks)


async def _chain(sql: Any, anchor: tuple[int, str] | None) -> list[Check]:
    unbroken, anchored = "the hash of every transfer follows the one before", "the anchor is in the chain"
    found, seen = Check(unbroken), Check(anchored, "there is no such transfer", anchor[0]) if anchor else Check(anchored)
    expected, before = 1, FIRST
    async for rows in _chunks(sql, "transfers", _TRANSFERS):
        made = await _hashes(sql, rows, before)
        for row, hash_ in zip(rows, made, strict=True):
            if not found.wrong and row["number"] != expected:
                found = Check(unbroken, f"transfer {expected} is missing", row["number"], row["id"])
            if not found.wrong and row["hash"] != hash_:
                found = Check(unbroken, "it is not what was booked, or one before it is missing", row["number"], row["id"])
            if anchor and row["number"] == anchor[0]:
                seen = Check(
                    anchored, "" if row["hash"].hex() == anchor[1] else f"its hash is {row['hash'].hex()}", row["number"], row["id"]
                )
            expected, before = row["number"] + 1, row["hash"]
    return [found, seen] if anchor else [found]


async def _hashes(sql: Any, rows: list[Any], before: bytes) -> list[bytes]:
    """What the hashes should be, each by the one that is stored before it."""
    numbers = np.array([row["number"] for row in rows], np.int64)
    legs = await sql.fetch(_LEGS, rows[0]["number"], rows[-1]["number"] + 1)
    places = np.searchsorted(numbers, np.array([leg["transfer"] for leg in legs], np.int64))
    counts = np.bincount(places, minlength=len(rows))[: len(rows)]
    known = [leg for leg, place in zip(legs, places.tolist(), strict=True) if place < len(rows) and numbers[place] == leg["transfer"]]
    accounts = np.array([leg["account"] for leg in known], np.int64)
    amounts = np.array([leg["amount"] for leg in known], np.int64)
    carried = {int(np.searchsorted(numbers, row["transfer"])): _carried(row) for row in await sql.fetch(_CARRIED, numbers.tolist())}
    heads = [Head(*(row[name] for name in Head.__struct_fields__)) for row in rows]
    given = postings(heads, counts, accounts, amounts, carried)
    stored = [before, *(row["hash"] for row in rows[:-1])]
    return list(map(following, stored, given.contents()))


def _carried(row: Any) -> Carried:
    holders, micro = (np.array(row[name], np.int64) for name in ("holders", "micro"))
    return Carried(row["originator"], row["asset"], row["component"], holders, micro)


async def _accounts(sql: Any) -> Check:
    invariant = "the hash of every account follows the one before"
    expected, before = 1, FIRST
    async for rows in _chunks(sql, "accounts", _ACCOUNTS):
        for row in rows:
            stored = Account(*(row[name] for name in Account._fields))
            if row["account"] != expected:
                return Check(invariant, f"account {expected} is missing")
            if row["hash"] != hashes(before, expected, [stored])[0] or stored != account(stored.name, stored.opened):
                return Check(invariant, f"account {expected}, {stored.name}, is not what was opened, or one before it is missing")
            expected, before = expected + 1, row["hash"]
    return Check(invariant)


async def _chunks(sql: Any, table: str, query: str) -> AsyncIterator[list[Any]]:
    column = "number" if table == "transfers" else "account"
    last = await sql.fetchval(f"SELECT max({column}) FROM {table}") or 0  # noqa: S608 - names of ours
    for first in range(1, last + 1, CHUNK):
        if rows := await sql.fetch(query, first, first + CHUNK):
            yield rows
