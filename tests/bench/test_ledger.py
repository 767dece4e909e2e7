"""What `ledger` compares is the same work: both have the same balances in the end, and what is not booked is no measurement."""

import pytest

from streams.ledger.audit import audit
from streams.ledger.posting import Ledger, Outcome
from tests.bench import ledger as bench
from tests.bench.peers import row_by_row
from tests.bench.process import RunError
from tests.ledger.conftest import ledger_database, sql

__all__ = ["ledger_database", "sql"]


async def test_row_by_row_the_balances_are_those_of_the_ledger(sql, monkeypatch):
    monkeypatch.setattr(bench, "INVESTORS", 20)
    ledger, peer = Ledger(sql), await row_by_row.opened(sql)
    names = await bench._investors(sql, ledger, peer)
    made = bench._made("a", names, 200)
    assert len(await bench._post(ledger, made, 60)) == 4
    await peer.post(made)
    both = await sql.fetch("""
        SELECT name, ours.balance AS ours, theirs.balance AS theirs
        FROM accounts JOIN balances AS ours USING (account) JOIN row_by_row.accounts AS theirs USING (name)""")
    await sql.execute("DROP SCHEMA row_by_row CASCADE")
    assert len(both) == 21
    assert len({row["ours"] for row in both}) > 10
    assert [row for row in both if row["ours"] != row["theirs"]] == []


async def test_a_repayment_run_is_booked_whole_and_stated(sql, monkeypatch):
    for name, small in {"INVESTORS": 20, "LOANS": 5, "HOLDERS": 7, "LOANS_TOGETHER": 2}.items():
        monkeypatch.setattr(bench, name, small)
    ledger, peer = Ledger(sql), await row_by_row.opened(sql)
    await bench._investors(sql, ledger, peer)
    await sql.execute("DROP SCHEMA row_by_row CASCADE")
    _, legs = await bench._repayments(sql, ledger)
    assert legs == 5 * (2 * 8 + 2 + 9) + 9  # principal: payees, holders and two; interest: payees and one; late fees of one loan
    assert (await audit(sql)).sound
    assert len(await bench._statements(sql)) == bench.STATEMENTS
    monkeypatch.setattr(bench, "LOANS", 6)
    with pytest.raises(RunError, match="of 5 claims, not of 6"):
        await bench._statements(sql)


def test_what_is_refused_or_was_there_is_no_measurement():
    bench._booked([Outcome(1)])
    for outcome in (Outcome(None, rule="limit", message="why"), Outcome(1, repeated=True)):
        with pytest.raises(RunError, match="not booked"):
            bench._booked([outcome])
