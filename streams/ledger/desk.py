"""The ledger's desk: takes instructions in order, looks up what their plans need, and posts.

Each answer has an outcome for every transfer of its instruction, or the rule that refused the instruction. Where a plan depends on what the
ledger holds, an id that is known is answered by what was told, not by what would be planned now.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from itertools import chain, groupby
from typing import Any, Final, NamedTuple

from agents.ledger import instructions as told
from agents.ledger import plans
from agents.ledger import repayments as runs
from agents.ledger.accounts import BANK, TRANSIT, named
from agents.ledger.plans import Plan
from agents.ledger.refusals import LIMIT, OTHER_CONTENT, REVERSED, WAITS, RefusedError
from agents.ledger.repayments import Reported
from agents.ledger.transfers import Head, differences
from streams.ledger import reading
from streams.ledger.lookups import HEAD
from streams.ledger.posting import Ledger, Outcome

RUN_ASSETS: Final = 100  # of one transaction: bounds its memory, and how long others wait (streams/store.py, LOCK_S)

_ASSETS: Final = "SELECT originator, asset, currency FROM accounts WHERE kind = 'unsold' AND name = ANY($1::text[])"
_BOOKED: Final = f"""
    SELECT given.name, number, {HEAD},
           (SELECT abs(amount) FROM legs JOIN accounts USING (account) WHERE legs.transfer = number AND accounts.name = given.name) AS cents
    FROM unnest($1::text[], $2::text[]) AS given (id, name) JOIN transfers USING (id)"""  # noqa: S608 - columns of ours


class Answer(NamedTuple):
    name: str
    outcomes: list[Outcome]


class _Expected(NamedTuple):
    """A transfer that is to be, and how much goes through an account of it; None: as much as there is."""

    head: Head
    account: str
    cents: int | None


class Desk:
    """Instructions for one ledger."""

    def __init__(self, sql: Any) -> None:
        self._sql, self._ledger = sql, Ledger(sql)

    async def take(self, given: Sequence[told.Any]) -> list[Answer]:
        """The answers, in order. What follows each other and is of one way is posted together.

        Raises:
            OSError, asyncpg.PostgresError: the database cannot be reached; what was answered before is booked.
        """
        answers: list[Answer] = []
        for way, group in groupby(given, _way):
            some = list(group)
            if way == "run":
                for run in _runs(some):
                    answers += await self._run(run)
            elif way == "alone":
                answers += await self._post(some)
            else:
                answers += [await self._single(one) for one in some if isinstance(one, (told.Remit, told.Reverse))]
        return answers

    async def _post(self, some: Sequence[Any]) -> list[Answer]:
        sales = [one for one in some if isinstance(one, told.Settle)]
        async with self._ledger.locked() if sales else nullcontext():
            known = await self._known_assets(sales)
            planned: list[Plan | RefusedError] = []
            for one in some:
                try:
                    planned.append(_settled(one, known) if isinstance(one, told.Settle) else told.plan(one))
                except RefusedError as fault:
                    planned.append(fault)
            good = [plan for plan in planned if isinstance(plan, Plan)]
            accounts = list(chain.from_iterable(plan.accounts for plan in good))
            found = iter(await self._ledger.post(accounts, list(chain.from_iterable(plan.transfers for plan in good))))
        answers = [
            Answer(one.name, [next(found) for _ in plan.transfers] if isinstance(plan, Plan) else [_refusal(plan)])
            for one, plan in zip(some, planned, strict=True)
        ]
        return [await self._waiting(one, answer) for one, answer in zip(some, answers, strict=True)]

    async def _waiting(self, one: Any, answer: Answer) -> Answer:
        """A withdrawal of money that is in bids is not refused for good."""
        if not isinstance(one, told.Withdraw) or answer.outcomes[0].rule != LIMIT:
            return answer
        held = await reading.held(self._sql, one.investor, one.currency)
        why = f"{answer.outcomes[0].message}; {held} is on hold: when that is released, ask again"
        return Answer(one.name, [Outcome(None, rule=WAITS, message=why)]) if held else answer

    async def _known_assets(self, sales: Sequence[told.Settle]) -> set[tuple[str, str, str]]:
        names = [named("unsold", one.originator, one.asset, currency=one.currency) for one in sales]
        return {tuple(row) for row in await self._sql.fetch(_ASSETS, names)} if names else set()

    async def _single(self, one: told.Remit | told.Reverse) -> Answer:
        async with self._ledger.locked():
            try:
                if isinstance(one, told.Remit):
                    expected = _Expected(
                        plans.head(one.name, plans.REMITTANCE, one.currency, one.cause), named(BANK, currency=one.currency), one.cents
                    )
                else:
                    expected = _Expected(plans.head(one.name, plans.REVERSAL, one.currency, one.cause, reverses=one.name), "", None)
                if answer := (await self._again([[expected]]))[0]:
                    return Answer(one.name, answer)
                plan = await (self._remit(one) if isinstance(one, told.Remit) else self._reverse(one))
            except RefusedError as fault:
                return Answer(one.name, [_refusal(fault)])
            return Answer(one.name, await self._ledger.post(plan.accounts, plan.transfers))

    async def _remit(self, one: told.Remit) -> Plan:
        pending = await reading.pending(self._sql, one.originator, one.currency)
        return plans.remittance(one.name, one.originator, one.currency, one.cents, pending, one.cause)

    async def _reverse(self, one: told.Reverse) -> Plan:
        found = await reading.transfer(self._sql, one.name)
        if found is None:
            raise RefusedError(REVERSED, f"there is no transfer {one.name}")
        return plans.reversal(*found, one.cause)

    async def _run(self, some: Sequence[told.Repay | told.BuyBack]) -> list[Answer]:
        """Repayments or buybacks of one currency and record date, each of another asset."""
        buyback = isinstance(some[0], told.BuyBack)
        async with self._ledger.locked():
            again = await self._again([_expected(one) for one in some])
            outcomes: list[list[Outcome]] = [found or [] for found in again]
            assets = [(one.originator, one.asset) for one in some]
            held = await reading.holdings(self._sql, assets, some[0].currency, some[0].effective)
            reports = _reports(some, held)
            refused = runs.refuse(reports, held, buyback=buyback)
            for place, fault in refused.items():
                outcomes[place] = outcomes[place] or [_refusal(fault)]
            new = [place for place in range(len(some)) if not outcomes[place]]
            if new and len(new) < len(some):
                held = await reading.holdings(self._sql, [assets[place] for place in new], some[0].currency, some[0].effective)
            if new:
                made = (runs.buybacks if buyback else runs.repayments)([reports[place] for place in new], held)
                by_id = {head.id: outcome for head, outcome in zip(made.heads, await self._ledger.post_columns(made), strict=True)}
                for place in new:
                    outcomes[place] = [by_id[one.head.id] for one in _expected(some[place]) if one.head.id in by_id]
        return [Answer(one.name, found) for one, found in zip(some, outcomes, strict=True)]

    async def _again(self, expected: Sequence[Sequence[_Expected]]) -> list[list[Outcome] | None]:
        """Of each group of transfers the outcomes, if any of them is booked already; else None."""
        every = [one for group in expected for one in group]
        rows = await self._sql.fetch(_BOOKED, [one.head.id for one in every], [one.account for one in every])
        booked = {row["id"]: row for row in rows}
        return [
            [_compared(one, booked.get(one.head.id)) for one in group if one.cents != 0 or one.head.id in booked]
            if any(one.head.id in booked for one in group)
            else None
            for group in expected
        ]


def _way(one: told.Any) -> str:
    if isinstance(one, (told.Repay, told.BuyBack)):
        return "run"
    return "single" if isinstance(one, (told.Remit, told.Reverse)) else "alone"


def _runs(some: Sequence[Any]) -> list[list[Any]]:
    """What can be distributed at once: of one kind, currency and day, no asset twice."""
    found: list[list[Any]] = []
    seen: set[tuple[str, str]] = set()
    for one in some:
        asset = one.originator, one.asset
        alike = found and (type(one), one.currency, one.effective) == (type(found[-1][0]), found[-1][0].currency, found[-1][0].effective)
        if not alike or asset in seen or len(found[-1]) == RUN_ASSETS:
            found.append([])
            seen = set()
        found[-1].append(one)
        seen.add(asset)
    return found


def _settled(one: told.Settle, known: set[tuple[str, str, str]]) -> Plan:
    asset = one.originator, one.asset, one.currency
    plan = told.settlement(one, known=asset in known)
    known.add(asset)
    return plan


def _reports(some: Sequence[told.Repay | told.BuyBack], held: runs.Holdings) -> list[Reported]:
    sold = runs.sold(held)
    return [
        told.reported(one, one.principal_cents if isinstance(one, told.Repay) else sold.get((one.originator, one.asset), 0)) for one in some
    ]


def _expected(one: told.Repay | told.BuyBack) -> list[_Expected]:
    if isinstance(one, told.Repay):
        parts: list[tuple[str, int | None]] = [
            (plans.PRINCIPAL, one.principal_cents),
            (plans.INTEREST, one.interest_cents),
            (plans.LATE_FEES, one.late_fees_cents),
        ]
    else:
        parts = [(plans.BUYBACK, None), (plans.BUYBACK_INTEREST, one.interest_cents)]
    transit = named(TRANSIT, one.originator, currency=one.currency)
    return [_Expected(plans.head(one.name, kind, one.currency, one.cause), transit, cents) for kind, cents in parts]


def _compared(one: _Expected, row: Any) -> Outcome:
    if row is None:
        return Outcome(None, rule=OTHER_CONTENT, message=f"{one.head.id}: not booked, while the rest of it is")
    there = Head(*(row[name] for name in Head.__struct_fields__))
    fields = differences(there, one.head)
    if one.cents is not None and one.cents != row["cents"]:
        fields.append(f"amount {row['cents']} and now {one.cents}")
    if not fields:
        return Outcome(row["number"], repeated=True)
    return Outcome(
        None, rule=OTHER_CONTENT, message=f"{one.head.id}: booked as transfer {row['number']} with other content: {'; '.join(fields)}"
    )


def _refusal(fault: RefusedError) -> Outcome:
    return Outcome(None, rule=fault.rule, message=str(fault))
