"""The way one would book first: a transaction for each transfer, a statement for each row, the same tables' columns and limits."""

import time
from collections.abc import Sequence
from typing import Any, Final, Self

from agents.ledger.transfers import Transfer

_TABLES: Final = """
    CREATE SCHEMA row_by_row;
    CREATE TABLE row_by_row.accounts (name text COLLATE "C" PRIMARY KEY, balance bigint NOT NULL, lowest bigint, CHECK (balance >= lowest));
    CREATE TABLE row_by_row.transfers (
        id text COLLATE "C" PRIMARY KEY, kind text, currency text, effective date, booked_ms bigint,
        source text, batch text, position bigint
    );
    CREATE TABLE row_by_row.legs (transfer text COLLATE "C" REFERENCES row_by_row.transfers,
                                  account text COLLATE "C" REFERENCES row_by_row.accounts, amount bigint NOT NULL CHECK (amount <> 0));
    CREATE INDEX ON row_by_row.legs (account, transfer)"""
_TRANSFER: Final = "INSERT INTO row_by_row.transfers VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
_LEG: Final = "INSERT INTO row_by_row.legs VALUES ($1, $2, $3)"
_BALANCE: Final = "UPDATE row_by_row.accounts SET balance = balance + $2 WHERE name = $1"


class RowByRow:
    """Books on one connection."""

    def __init__(self, sql: Any) -> None:
        self._sql = sql

    async def take_over(self) -> Self:
        """The accounts and balances that the ledger has."""
        await self._sql.execute(
            "INSERT INTO row_by_row.accounts SELECT name, balance, lowest FROM accounts JOIN balances USING (account) ORDER BY account"
        )
        return self

    async def post(self, made: Sequence[Transfer]) -> float:
        """Seconds."""
        started = time.perf_counter()
        for head, legs, _ in made:
            async with self._sql.transaction():
                fields = head.id, head.kind, head.currency, head.effective, head.booked_ms, head.source, head.batch, head.position
                await self._sql.execute(_TRANSFER, *fields)
                for name, cents in sorted(legs):
                    await self._sql.execute(_LEG, head.id, name, cents)
                    await self._sql.execute(_BALANCE, name, cents)
        return time.perf_counter() - started


async def opened(sql: Any) -> RowByRow:
    """With tables of its own."""
    await sql.execute(_TABLES)
    return RowByRow(sql)
