"""Statements: reads what of the ledger counts by a day, of what was known at a moment; what is made of it is pure (`agents/ledger`)."""

from datetime import UTC, date, datetime
from typing import Any, Final, NamedTuple

import numpy as np

from agents.ledger import investor_statement, originator_statement, platform_statement
from agents.ledger.platform_statement import Fees, Sum
from agents.ledger.statements import ORIGINS, Held, Legs, Section
from streams.embedded.errors import UserError

INVESTOR: Final = "investor"
ORIGINATOR: Final = "originator"
PLATFORM: Final = "platform"
TRANSFERS: Final = (
    "currency", "transfer", "id", "kind", "effective", "booked", "account", "amount_cents", "originator", "asset",
    "source", "batch", "position",
)  # fmt: skip

# The accounts whose legs make a statement; of the platform's those that its trial balance does not only add up.
_MINE: Final = {
    INVESTOR: "accounts.investor = $1",
    ORIGINATOR: f"accounts.originator = $1 AND accounts.kind IN {originator_statement.KINDS}",
    PLATFORM: "$1 = '' AND accounts.kind = 'fees'",
}
_COUNTED: Final = "accounts JOIN legs USING (account) JOIN transfers ON number = transfer"
_UNTIL: Final = "transfers.effective <= $2 AND transfers.booked <= $3"
_ORIGIN: Final = "coalesce(array_position($4::text[], split_part(coalesce(transfers.reverses, transfers.id), '/', 1)), 0)"
_COLUMNS: Final = ", ".join(f"coalesce(array_agg({name}), '{{}}') AS {name}" for name in Legs._fields)
_LEGS: Final = {
    INVESTOR: f"""
        SELECT {_COLUMNS} FROM (
            SELECT transfer, account, amount, {_ORIGIN} AS origin, effective - date '1970-01-01' AS day
            FROM {_COUNTED} WHERE {_MINE[INVESTOR]} AND {_UNTIL}
        ) AS counted""",  # noqa: S608 - columns of ours
    # An asset's accounts may have many legs: they are added up by origin, the originator's own by day besides.
    ORIGINATOR: f"""
        SELECT {_COLUMNS} FROM (
            SELECT 0 AS transfer, account, sum(amount)::bigint AS amount, {_ORIGIN} AS origin,
                   CASE WHEN asset IS NULL THEN coalesce(first.effective, transfers.effective) - date '1970-01-01' ELSE 0 END AS day
            FROM {_COUNTED} LEFT JOIN transfers AS first ON first.id = transfers.reverses
            WHERE {_MINE[ORIGINATOR]} AND {_UNTIL} GROUP BY account, 4, 5
        ) AS counted""",  # noqa: S608
}
_BY_KIND: Final = """
    SELECT currency, kind, count(*) AS accounts, sum(balance)::bigint AS balance FROM (
        SELECT account, sum(amount) AS balance FROM legs JOIN transfers ON number = transfer WHERE effective <= $1 AND booked <= $2
        GROUP BY account HAVING sum(amount) <> 0
    ) AS each JOIN accounts USING (account) GROUP BY currency, kind"""
_FEES: Final = f"""
    SELECT accounts.currency, to_char(effective, 'YYYY-MM') AS month, sum(amount)::bigint AS cents
    FROM {_COUNTED} WHERE {_MINE[PLATFORM]} AND {_UNTIL} GROUP BY 1, 2"""  # noqa: S608
_ACCOUNTS: Final = "SELECT account, kind, currency, originator, asset, opened FROM accounts WHERE {mine} ORDER BY account"
# What income was paid on is told by what its asset carries after it.
_INCOME: Final = """
    SELECT coalesce(array_agg(transfer), '{}') AS transfers, coalesce(array_agg(account), '{}') AS accounts
    FROM accounts JOIN carried USING (originator, asset) WHERE investor = $1 AND kind = 'claim'"""
_PAID_ON: Final = """
    SELECT DISTINCT carried.transfer, originator, asset FROM accounts JOIN carried USING (originator, asset) WHERE {mine}"""
_TRANSFERS: Final = """
    SELECT transfers.currency, transfer, id, transfers.kind, effective, booked, name, amount, originator, asset, source, batch, position
    FROM {counted} WHERE {mine} AND {until} ORDER BY transfer, account"""
_FIRST: Final = "SELECT min(effective) FROM {counted} WHERE {mine} AND booked <= $2"


class Asked(NamedTuple):
    """Whose statement, as on which day, of what was known when."""

    of: str  # INVESTOR, ORIGINATOR, PLATFORM
    name: str  # "" of the platform
    effective: date
    known: datetime | None = None  # all that is booked
    transfers: bool = False  # with each leg, and where it comes from

    @property
    def until(self) -> tuple[date, datetime]:
        return self.effective, self.known or datetime.max.replace(tzinfo=UTC)


class Statement(NamedTuple):
    format: str  # what it is a statement of, and the version of its columns
    sections: list[Section]


async def statement(sql: Any, asked: Asked) -> Statement:
    """The statement, of one snapshot.

    Raises:
        UserError: nobody of that name is in the ledger, or nothing of theirs counts by then.
    """
    async with sql.transaction(isolation="repeatable_read", readonly=True):
        found = await {INVESTOR: _investor, ORIGINATOR: _originator, PLATFORM: _platform}[asked.of](sql, asked)
        if not found.sections[0].rows:
            raise UserError(await _nothing(sql, asked))
        if asked.transfers:
            found.sections.append(await _transfers(sql, asked))
        return found


async def _investor(sql: Any, asked: Asked) -> Statement:
    accounts, legs = await _legs(sql, asked)
    income = await sql.fetchrow(_INCOME, asked.name)
    paid_on = np.array(income["transfers"], np.int64), np.array(income["accounts"], np.int64)
    return Statement(investor_statement.FORMAT, investor_statement.sections(accounts, legs, paid_on, asked.effective))


async def _originator(sql: Any, asked: Asked) -> Statement:
    accounts, legs = await _legs(sql, asked)
    return Statement(originator_statement.FORMAT, originator_statement.sections(accounts, legs, asked.effective))


async def _platform(sql: Any, asked: Asked) -> Statement:
    sums = [Sum(*row) for row in await sql.fetch(_BY_KIND, *asked.until)]
    fees = [Fees(*row) for row in await sql.fetch(_FEES, asked.name, *asked.until)]
    return Statement(platform_statement.FORMAT, platform_statement.sections(sums, fees))


async def _legs(sql: Any, asked: Asked) -> tuple[list[Held], Legs]:
    accounts = [Held(*row) for row in await sql.fetch(_ACCOUNTS.format(mine=_MINE[asked.of]), asked.name)]
    if not accounts:
        raise UserError(f"there is no {asked.of} {asked.name!r} in the ledger")
    row = await sql.fetchrow(_LEGS[asked.of], asked.name, *asked.until, ORIGINS)
    return accounts, Legs(*(np.array(row[name], np.int64) for name in Legs._fields))


async def _transfers(sql: Any, asked: Asked) -> Section:
    """Every leg, with the asset that it is of, where it is of one."""
    mine = _MINE[asked.of]
    paid_on = {row["transfer"]: (row["originator"], row["asset"]) for row in await sql.fetch(_PAID_ON.format(mine=mine), asked.name)}
    query = _TRANSFERS.format(counted=_COUNTED, mine=mine, until=_UNTIL)
    rows = await sql.fetch(query, asked.name, *asked.until)
    paid_on |= {row["transfer"]: (row["originator"], row["asset"]) for row in rows if row["asset"]}
    made = [(*row[:8], *paid_on.get(row["transfer"], row[8:10]), *row[10:]) for row in rows]
    return Section("transfers", TRANSFERS, made)


async def _nothing(sql: Any, asked: Asked) -> str:
    whose = f"{asked.of} {asked.name!r}" if asked.name else "the platform"
    first = await sql.fetchval(_FIRST.format(counted=_COUNTED, mine=_MINE[asked.of]), asked.name, asked.until[1])
    begins = f"; the first transfer is on {first}" if first else ""
    return f"there is no statement of {whose} as on {asked.effective}: nothing is effective by then{begins}"
