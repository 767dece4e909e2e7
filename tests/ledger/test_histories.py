"""Random histories on the real PostgreSQL, each step compared with a naive ledger; the invariants hold after every one."""

import asyncio
import itertools
from collections import defaultdict
from typing import ClassVar

import asyncpg
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from agents.ledger.plans import REVERSAL
from streams.ledger.audit import audit
from streams.ledger.desk import Desk
from tests.ledger import told
from tests.ledger.naive import Naive

CENTS = st.one_of(st.integers(1, 200), st.integers(1, 100_000))
INVESTOR = st.sampled_from(["ann", "bob", "cyd"])
ASSET = st.sampled_from(["loan-1", "loan-2"])
CURRENCIES = map("".join, itertools.product("ABCDEFGHIJKLMNOPQRSTUVWXYZ", repeat=3))


class Histories(RuleBasedStateMachine):
    """One history is one currency: what is booked in another is another ledger."""

    loop: ClassVar[asyncio.AbstractEventLoop]
    sql: ClassVar[asyncpg.Connection]

    def __init__(self) -> None:
        super().__init__()
        self.currency, self.naive, self.desk = next(CURRENCIES), Naive(), Desk(self.sql)
        self.history, self.numbers, self.holds = [], itertools.count(1), {}

    def take(self, make, name=None, **fields):
        one = make(name or f"{self.currency}-{next(self.numbers)}", currency=self.currency, **fields)
        (answer,) = self.loop.run_until_complete(self.desk.take([one]))
        if one.name not in {"ann", "bob", "cyd", "harbor"}:
            expected = self.naive.take(one)
            assert told.rules([answer]) == [expected], (one, answer)
            if not expected:
                self.history.append(one)
        return one, told.rules([answer])[0]

    @initialize()
    def opened(self) -> None:
        for investor in ("ann", "bob", "cyd"):
            self.take(told.investor, investor)
        self.take(told.originator, "harbor")

    @rule(investor=INVESTOR, cents=CENTS)
    def deposit(self, investor, cents) -> None:
        self.take(told.deposit, investor=investor, cents=cents)

    @rule(investor=INVESTOR, cents=CENTS)
    def hold(self, investor, cents) -> None:
        cents = min(cents, self.naive.has[f"wallet/{investor}"] + 3)  # sometimes too much
        one, refused = self.take(told.hold, investor=investor, cents=cents)
        if not refused:
            self.holds[one.name] = investor

    @precondition(lambda self: self.holds)
    @rule(data=st.data(), cents=CENTS, whole=st.booleans())
    def release(self, data, cents, whole) -> None:
        hold = data.draw(st.sampled_from(sorted(self.holds)))
        investor = self.holds[hold]
        cents = (self.naive.has[f"hold/{investor}/{hold}"] if whole else 0) or cents
        self.take(told.release, hold=hold, investor=investor, cents=cents)

    @precondition(lambda self: self.holds)
    @rule(data=st.data(), asset=ASSET, cents=CENTS, fee=st.integers(0, 30))
    def settle(self, data, asset, cents, fee) -> None:
        hold = data.draw(st.sampled_from(sorted(self.holds)))
        investor = self.holds[hold]
        cents = max(1, min(cents, self.naive.has[f"hold/{investor}/{hold}"] - fee + 1))
        self.take(told.settle, asset=asset, hold=hold, investor=investor, amount=cents, fee=fee, outstanding_cents=30_000)

    @rule(asset=ASSET, principal=st.integers(0, 9_000), interest=st.integers(0, 50), late_fees=st.integers(0, 3), last=st.booleans())
    def repay(self, asset, principal, interest, late_fees, last) -> None:
        principal = (-self.naive.has[f"principal/harbor/{asset}"] if last else 0) or principal
        fields = {"principal_cents": principal, "interest_cents": interest, "late_fees_cents": late_fees}
        self.take(told.repay, asset=asset, **(fields if any(fields.values()) else {"interest_cents": 1}))

    @rule(asset=ASSET, interest=st.integers(0, 50))
    def buy_back(self, asset, interest) -> None:
        self.take(told.buy_back, asset=asset, interest_cents=interest)

    @rule(cents=CENTS, whole=st.booleans())
    def remit(self, cents, whole) -> None:
        pending = sum(has for name, has in self.naive.has.items() if name.startswith("pending/"))
        self.take(told.remit, cents=(pending if whole else 0) or cents)

    @rule(cents=CENTS)
    def pay_out(self, cents) -> None:
        self.take(told.pay_out, cents=cents)

    @rule(investor=INVESTOR, cents=CENTS)
    def withdraw(self, investor, cents) -> None:
        self.take(told.withdraw, investor=investor, cents=min(cents, self.naive.has[f"wallet/{investor}"] + 3))

    @precondition(lambda self: self.naive.booked)
    @rule(data=st.data())
    def correct(self, data) -> None:
        booked = sorted(id_ for id_ in self.naive.booked if not id_.startswith((REVERSAL, "issue/")) and id_ not in self.naive.reversed)
        if booked:
            self.take(told.reverse, data.draw(st.sampled_from(booked)))

    @precondition(lambda self: len(self.history) > 3)
    @rule(data=st.data())
    def tell_again(self, data) -> None:
        one = data.draw(st.sampled_from(self.history))
        (answer,) = self.loop.run_until_complete(self.desk.take([one]))
        assert all(outcome.repeated for outcome in answer.outcomes), answer

    @invariant()
    def the_books_are_those_of_the_naive_ledger(self) -> None:
        query = "SELECT name, kind, asset, balance FROM accounts JOIN balances USING (account) WHERE currency = $1"
        rows = self.loop.run_until_complete(self.sql.fetch(query, self.currency))
        has = {row["name"].removesuffix(f"/{self.currency}"): row["balance"] for row in rows if row["balance"]}
        assert has == {name: cents for name, cents in self.naive.has.items() if cents}
        kinds, assets = defaultdict(int), defaultdict(int)
        for row in rows:
            kinds[row["kind"]] += row["balance"]
            assets[row["asset"]] += row["balance"]
            assert (row["balance"] <= 0) if row["kind"] in {"bank", "transit", "principal"} else (row["balance"] >= 0)
        assert sum(kinds.values()) == 0
        assert -kinds["bank"] == kinds["wallet"] + kinds["hold"] + kinds["settlement"] + kinds["fees"]
        assert -kinds["transit"] == kinds["pending"] + kinds["retained"]
        assert not any(off for asset, off in assets.items() if asset)

    def teardown(self) -> None:
        report = self.loop.run_until_complete(audit(self.sql))
        assert report.sound, [check for check in report.checks if check.wrong]


def test_random_histories_are_those_of_a_naive_ledger(sql_apart):
    Histories.loop, Histories.sql = sql_apart
    few = settings(max_examples=20, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(Histories, settings=few)
