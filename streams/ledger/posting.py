"""Posting: transfers into PostgreSQL, in their order, each whole or not at all, and each once.

- **As if one after the other.** A transfer that the database refuses, by the limit of a balance, is refused alone: what comes before and
  after it in the same call goes in, as it would in calls of their own.
- **The same id again.** With the same content it is answered as the first time, and changes nothing; with other content it is refused.
- **One writer at a time.** A transaction locks the ledger first of all, so that numbers have no gap, each hash follows the one before, and
  writers wait for each other instead of locking each other out. Balances are updated in the order of their accounts.
- **All of a call is one transaction.** Names of accounts are remembered when it is committed, not before.
"""

import struct
from collections import ChainMap
from collections.abc import AsyncIterator, Container, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any, Final

import asyncpg
import msgspec
import numpy as np

from agents.ledger.accounts import Account
from agents.ledger.refusals import AMOUNT, LIMIT, OTHER_CONTENT, REVERSED, UNKNOWN_ACCOUNT, WRONG_CURRENCY
from agents.ledger.transfers import FIRST, Ints, Postings, Transfer, differences, following, postings
from streams.ledger import lookups
from streams.ledger.opening import open_accounts
from streams.ledger.running import running

LOCK: Final = 0x6C656467  # of the whole ledger; any number that nothing else in the database locks
REMEMBERED_MAX: Final = 1_000_000  # names of accounts
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_KNOWN: Final = """
    SELECT given.id, given.number, given.hash, before.hash AS before
    FROM transfers AS given LEFT JOIN transfers AS before ON before.number = given.number - 1 WHERE given.id = ANY($1::text[])"""
_LAST: Final = "SELECT number, hash FROM transfers ORDER BY number DESC LIMIT 1"
_BALANCES: Final = """
    UPDATE balances SET balance = balance + total, low = balance + least, high = balance + most
    FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[]) AS given (account, total, least, most)
    WHERE balances.account = given.account"""
_COLUMNS: Final = ("number", "id", "kind", "currency", "effective", "booked", "source", "batch", "position", "reverses", "hash")
_CARRIED: Final = ("originator", "asset", "component", "transfer", "holders", "micro")
_LEG: Final = np.dtype(
    [("fields", ">i2"), ("a", ">i4"), ("transfer", ">i8"), ("b", ">i4"), ("account", ">i8"), ("c", ">i4"), ("amount", ">i8")]
)
_COPY_HEAD: Final = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)  # PostgreSQL's documentation, COPY, binary format
_COPY_TAIL: Final = struct.pack(">h", -1)


class Outcome(msgspec.Struct, frozen=True):
    """What came of a transfer: its number, whether it was known already; or the rule that refused it, and why."""

    number: int | None
    repeated: bool = False
    rule: str = ""
    message: str = ""


@dataclass(slots=True)
class _Last:
    """The last transfer that is booked."""

    number: int
    hash: bytes


class Ledger:
    """One connection's posting. It opens its own transactions, and nothing else may use the connection meanwhile."""

    def __init__(self, connection: Any) -> None:
        self._sql = connection
        self._numbers: dict[str, int] = {}

    async def post(self, accounts: Sequence[Account], transfers: Sequence[Transfer]) -> list[Outcome]:
        """Open the accounts that are not open yet, then post: an outcome for each transfer, in order.

        Raises:
            OSError, asyncpg.PostgresError: the database cannot be reached, or refuses for no rule of the ledger's; nothing was done.
        """
        flat: list[Any] = list(chain.from_iterable(chain.from_iterable(one.legs for one in transfers)))
        names, amounts = flat[::2], np.array(flat[1::2], np.int64)
        within = self._sql.is_in_transaction()  # that may not be committed
        async with self.locked():
            fresh = await open_accounts(self._sql, accounts)
            missing = {name for name in names if name not in self._numbers and name not in fresh}
            fresh |= {row["name"]: row["account"] for row in await self._sql.fetch(lookups.NUMBERS, list(missing))} if missing else {}
            numbers = np.array([self._numbers.get(name) or fresh.get(name, 0) for name in names], np.int64)
            outcomes = {} if numbers.all() else await self._unknown(transfers, ChainMap(fresh, self._numbers))
            found = iter(await self._book(_columns(transfers, numbers, amounts, outcomes)))
        if not within:
            self._remember(fresh)
        return [outcomes.get(place) or next(found) for place in range(len(transfers))] if outcomes else list(found)

    async def post_columns(self, given: Postings) -> list[Outcome]:
        """Post transfers whose accounts are numbers, as `streams/ledger/reading.py` tells them; as `post` otherwise."""
        async with self.locked():
            return await self._book(given)

    @asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        """A transaction with the ledger to itself: what is read in it is so when it posts. Posting within it is part of it."""
        async with self._sql.transaction():
            await self._sql.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
            yield

    def _remember(self, numbers: Mapping[str, int]) -> None:
        if len(self._numbers) + len(numbers) > REMEMBERED_MAX:
            self._numbers.clear()
        self._numbers |= numbers

    async def _unknown(self, transfers: Sequence[Transfer], known: Mapping[str, int]) -> dict[int, Outcome]:
        """By place: the refusals of those with an account that is not open."""
        found: dict[int, Outcome] = {}
        for place, transfer in enumerate(transfers):
            if name := next((leg.account for leg in transfer.legs if leg.account not in known), ""):
                others = await lookups.other_currencies(self._sql, name)
                rule, why = (WRONG_CURRENCY, f"; there is {', '.join(others)}") if others else (UNKNOWN_ACCOUNT, "")
                found[place] = Outcome(None, rule=rule, message=f"{transfer.head.id}: no account {name}{why}")
        return found

    async def _book(self, given: Postings) -> list[Outcome]:
        """Book in order; an id that is there twice begins a new part."""
        outcomes: list[Outcome] = []
        first, seen = 0, set[str]()
        last = _Last(*(await self._sql.fetchrow(_LAST) or (0, FIRST)))
        for place, head in enumerate(given.heads):
            if head.id in seen:
                outcomes += await self._book_new(given.part(first, place), last)
                first, seen = place, set()
            seen.add(head.id)
        return outcomes + await self._book_new(given.part(first, len(given.heads)), last)

    async def _book_new(self, given: Postings, last: _Last) -> list[Outcome]:
        """Answer the ids that are known, book the others."""
        rows = await self._sql.fetch(_KNOWN, [head.id for head in given.heads])
        if not rows:
            return await self._book_rows(given, last)
        known = {row["id"]: row for row in rows}
        outcomes: list[Outcome] = []
        first = 0
        for place, head in enumerate(given.heads):
            if (row := known.get(head.id)) is not None:
                outcomes += await self._book_rows(given.part(first, place), last)
                outcomes.append(await self._again(given.part(place, place + 1), row))
                first = place + 1
        return outcomes + await self._book_rows(given.part(first, len(given.heads)), last)

    async def _again(self, given: Postings, row: Any) -> Outcome:
        if following(row["before"] or FIRST, next(given.contents())) == row["hash"]:
            return Outcome(row["number"], repeated=True)
        head = given.heads[0]
        there, legs = await lookups.booked(self._sql, row["number"])
        fields = differences(there, head)
        if legs != dict(zip(given.accounts.tolist(), given.amounts.tolist(), strict=True)):
            fields.append("its legs")
        what = "; ".join(fields) or "what is carried"
        return Outcome(None, rule=OTHER_CONTENT, message=f"{head.id}: booked as transfer {row['number']} with other content: {what}")

    async def _book_rows(self, given: Postings, last: _Last) -> list[Outcome]:
        """All of them at once; if one is refused, each half by itself, the first one first."""
        count = len(given.heads)
        if not count:
            return []
        try:
            async with self._sql.transaction():
                reached = await self._write(given, last)
        except (asyncpg.CheckViolationError, asyncpg.NumericValueOutOfRangeError, asyncpg.UniqueViolationError, OverflowError) as fault:
            if count == 1:
                return [await self._refused(given, fault)]
            half = count // 2
            return await self._book_rows(given.part(0, half), last) + await self._book_rows(given.part(half, count), last)
        first = last.number + 1
        last.number, last.hash = reached.number, reached.hash
        return [Outcome(number) for number in range(first, first + count)]

    async def _write(self, given: Postings, last: _Last) -> _Last:
        """Write everything; the last transfer then."""
        reached, counts = replace(last), np.diff(given.starts)
        numbers = np.arange(last.number + 1, last.number + 1 + len(counts))
        await self._sql.copy_records_to_table("transfers", records=_records(given, reached), columns=_COLUMNS)
        order = np.argsort(given.accounts, kind="stable")
        accounts, amounts = given.accounts[order], given.amounts[order]
        changes = running(accounts, amounts)
        legs = np.empty(len(order), _LEG)
        legs["fields"], legs["a"], legs["b"], legs["c"] = 3, 8, 8, 8
        legs["transfer"], legs["account"], legs["amount"] = np.repeat(numbers, counts)[order], accounts, amounts
        source = memoryview(_COPY_HEAD + legs.tobytes() + _COPY_TAIL)
        await self._sql.copy_to_table("legs", source=source, columns=("transfer", "account", "amount"), format="binary")
        done = await self._sql.execute(_BALANCES, *(column.tolist() for column in changes))
        if done != f"UPDATE {len(changes.accounts)}":
            raise asyncpg.DataError(f"{done} of {len(changes.accounts)} accounts: there are legs of accounts that are not open")
        if given.carried:
            rows = [
                (one.originator, one.asset, one.component, int(numbers[place]), one.holders.tolist(), one.micro.tolist())
                for place, one in given.carried.items()
            ]
            await self._sql.copy_records_to_table("carried", records=rows, columns=_CARRIED)
        return reached

    async def _refused(self, given: Postings, fault: Exception) -> Outcome:
        head = given.heads[0]
        if isinstance(fault, asyncpg.UniqueViolationError):
            return Outcome(None, rule=REVERSED, message=f"{head.id}: {head.reverses} was reversed before")
        if isinstance(fault, (asyncpg.NumericValueOutOfRangeError, OverflowError)):
            return Outcome(None, rule=AMOUNT, message=f"{head.id}: a balance would be beyond 64 bits")
        why = await lookups.beyond_limits(self._sql, given.accounts.tolist(), given.amounts.tolist())
        if not why:
            raise fault  # no rule of the ledger's: whoever made these legs is at fault
        return Outcome(None, rule=LIMIT, message=f"{head.id}: {why}")


def _records(given: Postings, last: _Last) -> Iterator[tuple[Any, ...]]:
    """Rows of transfers, made while the server takes in those before; `last` moves along."""
    times = {ms: EPOCH + timedelta(milliseconds=ms) for ms in {head.booked_ms for head in given.heads}}
    for h, content in zip(given.heads, given.contents(), strict=True):
        last.number, last.hash = last.number + 1, following(last.hash, content)
        known = times[h.booked_ms]
        yield last.number, h.id, h.kind, h.currency, h.effective, known, h.source, h.batch, h.position, h.reverses, last.hash


def _columns(transfers: Sequence[Transfer], accounts: Ints, amounts: Ints, without: Container[int]) -> Postings:
    """The transfers but those `without`."""
    counts = np.array([len(one.legs) for one in transfers], np.int64)
    if without:
        kept = np.array([place not in without for place in range(len(transfers))])
        legs = np.repeat(kept, counts)
        transfers, counts = [transfers[place] for place in np.flatnonzero(kept).tolist()], counts[kept]
        accounts, amounts = accounts[legs], amounts[legs]
    carried = {place: one.carried for place, one in enumerate(transfers) if one.carried}
    return postings([one.head for one in transfers], counts, accounts, amounts, carried)
