"""What plans have to know of the ledger: who holds what, what is pending, what a transfer was."""

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from agents.ledger.plans import INTEREST, LATE_FEES
from agents.ledger.repayments import Holdings
from agents.ledger.transfers import Carried, Head, Leg
from streams.ledger import lookups

Ints = NDArray[np.int64]

# The balances of now, less what was effective after the record date.
_HOLDINGS: Final = """
    WITH later AS MATERIALIZED (
        SELECT legs.account, sum(amount)::bigint AS amount FROM transfers JOIN legs ON legs.transfer = transfers.number
        WHERE transfers.effective > $4 GROUP BY legs.account
    ), held AS (
        SELECT given.originator, given.asset, account, kind, investor, opened, balance - coalesce(later.amount, 0) AS cents
        FROM unnest($1::text[], $2::text[]) AS given (originator, asset) JOIN accounts USING (originator, asset)
        JOIN balances USING (account) LEFT JOIN later USING (account) WHERE currency = $3
    )
    SELECT held.originator, held.asset, min(held.opened) AS issued, max(held.account) FILTER (WHERE held.kind = 'principal') AS principal,
           max(held.account) FILTER (WHERE held.kind = 'unsold') AS unsold,
           array_agg(held.account ORDER BY held.account) FILTER (WHERE held.kind <> 'principal') AS holders,
           array_agg(payee.account ORDER BY held.account) FILTER (WHERE held.kind <> 'principal') AS payees,
           array_agg(held.cents ORDER BY held.account) FILTER (WHERE held.kind <> 'principal') AS cents
    FROM held LEFT JOIN accounts AS payee ON payee.name = CASE held.kind
        WHEN 'claim' THEN 'pending/' || held.investor || '/' || held.originator || '/' || $3
        WHEN 'unsold' THEN 'retained/' || held.originator || '/' || $3 END
    GROUP BY held.originator, held.asset"""
_TRANSIT: Final = "SELECT originator, account FROM accounts WHERE kind = 'transit' AND currency = $1 AND originator = ANY($2::text[])"
_CARRIED: Final = """
    SELECT holders, micro FROM unnest($1::text[], $2::text[]) AS given (originator, asset)
    CROSS JOIN LATERAL (SELECT holders, micro FROM carried JOIN transfers ON number = transfer AND currency = $4
                        WHERE carried.originator = given.originator AND carried.asset = given.asset AND component = $3
                        ORDER BY transfer DESC LIMIT 1) AS latest"""
_PENDING: Final = """
    SELECT investor, balance FROM accounts JOIN balances USING (account)
    WHERE kind = 'pending' AND originator = $1 AND currency = $2 AND balance > 0 ORDER BY account"""
_NUMBER: Final = "SELECT number FROM transfers WHERE id = $1"
_LEGS: Final = "SELECT name, amount FROM legs JOIN accounts USING (account) WHERE transfer = $1 ORDER BY account"
_CARRIED_BY: Final = "SELECT originator, asset, component, holders, micro FROM carried WHERE transfer = $1"
_CARRIED_BEFORE: Final = """
    SELECT holders, micro FROM carried JOIN transfers ON number = transfer AND currency = $4
    WHERE originator = $1 AND asset = $2 AND component = $3 AND transfer < $5 ORDER BY transfer DESC LIMIT 1"""
_HELD: Final = """
    SELECT coalesce(sum(balance), 0)::bigint FROM accounts JOIN balances USING (account)
    WHERE kind = 'hold' AND investor = $1 AND currency = $2"""


async def holdings(sql: Any, assets: Sequence[tuple[str, str]], currency: str, record_date: date) -> Holdings:
    """Who held what of `assets` (originator, asset) at the end of a day; of those that are in the ledger, in the order of `assets`."""
    originators, names = [originator for originator, _ in assets], [asset for _, asset in assets]
    rows = {(row["originator"], row["asset"]): row for row in await sql.fetch(_HOLDINGS, originators, names, currency, record_date)}
    found = [rows[asset] for asset in assets if asset in rows]
    transit = {row["originator"]: row["account"] for row in await sql.fetch(_TRANSIT, currency, list(set(originators)))}
    starts = np.zeros(len(found) + 1, np.int64)
    np.cumsum([len(row["holders"]) for row in found], out=starts[1:])
    holders = _together(found, "holders")
    carried = [_aligned(holders, await sql.fetch(_CARRIED, originators, names, component, currency)) for component in (INTEREST, LATE_FEES)]
    return Holdings(
        [(row["originator"], row["asset"]) for row in found],
        [row["issued"] for row in found],
        np.array([row["principal"] for row in found], np.int64),
        np.array([transit[row["originator"]] for row in found], np.int64),
        np.array([row["unsold"] for row in found], np.int64),
        starts,
        holders,
        _together(found, "payees"),
        _together(found, "cents"),
        (carried[0], carried[1]),
    )


def _together(rows: Sequence[Any], name: str) -> Ints:
    return np.array([one for row in rows for one in row[name]], np.int64)


def _aligned(holders: Ints, rows: Sequence[Any]) -> Ints:
    """What is carried of each of `holders`, which are all that `rows` name and more."""
    found = np.zeros(len(holders), np.int64)
    order = np.argsort(holders)
    found[order[np.searchsorted(holders, _together(rows, "holders"), sorter=order)]] = _together(rows, "micro")
    return found


async def pending(sql: Any, originator: str, currency: str) -> dict[str, int]:
    """What of an originator's money in transit is each investor's; those who have some."""
    return {row["investor"]: row["balance"] for row in await sql.fetch(_PENDING, originator, currency)}


async def held(sql: Any, investor: str, currency: str) -> int:
    """What of an investor's money is on hold."""
    return await sql.fetchval(_HELD, investor, currency)  # type: ignore[no-any-return]


async def transfer(sql: Any, id_: str) -> tuple[Head, list[Leg], Carried | None] | None:
    """A transfer that is booked, and what its asset carries if that is taken back; None if there is none of that id."""
    number = await sql.fetchval(_NUMBER, id_)
    if number is None:
        return None
    head, _ = await lookups.booked(sql, number)
    legs = [Leg(row["name"], row["amount"]) for row in await sql.fetch(_LEGS, number)]
    row = await sql.fetchrow(_CARRIED_BY, number)
    return head, legs, None if row is None else await _without(sql, row, number, head.currency)


async def _without(sql: Any, row: Any, number: int, currency: str) -> Carried:
    """What is carried now, less what this transfer changed."""
    whose = row["originator"], row["asset"], row["component"]
    before = await sql.fetchrow(_CARRIED_BEFORE, *whose, currency, number)
    now = await sql.fetchrow(_CARRIED_BEFORE, *whose, currency, 2**62)
    changed = dict(zip(row["holders"], row["micro"], strict=True))
    for holder, micro in zip(before["holders"], before["micro"], strict=True) if before else ():
        changed[holder] -= micro
    left = {holder: micro - changed.get(holder, 0) for holder, micro in zip(now["holders"], now["micro"], strict=True)}
    return Carried(*whose, np.array(list(left), np.int64), np.array(list(left.values()), np.int64))
