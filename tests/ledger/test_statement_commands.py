"""`tranche ledger statement`, as a person types it."""

import csv
import json
import re
from datetime import timedelta
from pathlib import Path

import pytest

import schemas
from agents.ledger import investor_statement, originator_statement, platform_statement
from streams.ledger.statements import TRANSFERS
from tests.ledger.told import DAY, SOLD, deposit, ms, remit, repay, reverse

PAID = repay(principal_cents=800, interest_cents=80, late_fees_cents=16, effective=DAY + timedelta(days=30), batch="b-7", position=374)
END = str(DAY + timedelta(days=40))
ANN = ("ledger", "statement", "investor", "ann", "--date", END)


def table(text: str) -> list[dict]:
    return list(csv.DictReader(text.splitlines()))


async def test_an_investor_sees_cash_months_claims_and_the_return(desk, sql, tranche):
    await desk.take([*SOLD, PAID, remit(cents=510, effective=DAY + timedelta(days=35))])
    told = json.loads(tranche(*ANN, "--format", "json").stdout)
    assert (told["statement"], told["investor"], told["effective"], told["known"]) == ("investor/1", "ann", END, None)
    (total,) = told["totals"]
    assert total | {"xirr_ppm": 0} == {
        "currency": "EUR", "wallet_cents": 40_510, "hold_cents": 9_750, "pending_cents": 50, "held_cents": 49_500,
        "deposited_cents": 100_000, "withdrawn_cents": 0, "paid_cents": 50_250, "principal_cents": 500, "interest_cents": 50,
        "late_fees_cents": 10, "other_cents": 0,
        "xirr_ppm": 0,
    }  # fmt: skip
    assert [(one["month"], one["paid_cents"], one["interest_cents"], one["remitted_cents"]) for one in told["months"]] == [
        ("2026-11", 50_250, 0, 0),
        ("2026-12", 0, 50, 510),
    ]
    assert told["claims"] == [
        {
            "currency": "EUR", "originator": "harbor", "asset": "loan-1", "issued": "2026-10-01", "held_cents": 49_500,
            "invested_cents": 50_000, "paid_cents": 50_250, "principal_cents": 500, "interest_cents": 50, "late_fees_cents": 10,
        }
    ]  # fmt: skip
    shown = tranche(*ANN).stdout
    assert "Statement of investor ann as on 2026-12-12" in shown
    assert re.search(r"wallet +405\.10 ", shown)
    assert re.search(r"harbor +loan-1 +2026-10-01 +495\.00 +500\.00 +502\.50 +5\.00 +0\.50 +0\.10", shown)
    assert f"{total['xirr_ppm'] / 10_000} %" in shown


async def test_each_cent_leads_back_to_its_message_batch_and_byte(desk, sql, tranche):
    await desk.take([*SOLD, PAID])
    rows = table(tranche(*ANN, "--format", "csv", "--transfers").stdout)
    assert {row["statement"] for row in rows} == {"investor/1"}
    legs = [row for row in rows if row["section"] == "transfers" and row["batch"] == "b-7"]
    assert [(leg["id"], leg["account"], leg["amount_cents"]) for leg in legs] == [
        ("principal/harbor/loan-1/2", "claim/harbor/loan-1/ann/EUR", "-500"),
        ("principal/harbor/loan-1/2", "pending/ann/harbor/EUR", "500"),
        ("interest/harbor/loan-1/2", "pending/ann/harbor/EUR", "50"),
        ("late_fees/harbor/loan-1/2", "pending/ann/harbor/EUR", "10"),
    ]
    assert {(leg["originator"], leg["asset"], leg["source"], leg["position"]) for leg in legs} == {("harbor", "loan-1", "holds-0-1", "374")}
    assert {leg["booked"] for leg in legs} == {"2026-12-02T12:00:00Z"}
    fees = table(tranche("ledger", "statement", "platform", "--date", END, "--format", "csv", "--transfers").stdout)
    assert [(one["id"], one["amount_cents"]) for one in fees if one["section"] == "transfers"] == [("settlement/harbor/loan-1/1/1", "250")]
    (of,) = [one for one in fees if one["section"] == "totals"]
    assert (of["fees_cents"], of["debit_cents"], of["credit_cents"], of["balance_cents"]) == ("250", "180096", "180096", "0")


@pytest.mark.parametrize("form", ["table", "json", "csv"])
async def test_a_statement_is_the_same_to_the_byte_whatever_is_booked_later(desk, sql, tranche, form):
    await desk.take([*SOLD, PAID])
    asked = "ledger", "statement", "originator", "harbor", "--date", END, "--known", f"{END}T13:00:00", "--format", form, "--transfers"
    before = tranche(*asked)
    assert (before.returncode, before.stderr) == (0, "")
    late = {"effective": DAY + timedelta(days=31), "booked_ms": ms(DAY + timedelta(days=90))}
    await desk.take([reverse("late_fees/harbor/loan-1/2", **late), deposit("d2", **late), remit(**{**late, "cents": 3})])
    assert tranche(*asked).stdout == before.stdout
    assert tranche(*asked[:6], "--format", form, "--transfers").stdout != before.stdout


async def test_what_cannot_be_stated_says_why(desk, sql, tranche):
    await desk.take(SOLD)
    for arguments, why in {
        ("investor", "zoe", "--date", END): "there is no investor 'zoe' in the ledger",
        ("originator", "ann", "--date", END): "there is no originator 'ann' in the ledger",
        ("investor", "ann", "--date", "2026-11-01"): "nothing is effective by then; the first transfer is on 2026-11-02",
        ("platform", "--date", END, "--known", "2026-01-01"): "no statement of the platform as on 2026-12-12: nothing is effective by then",
        ("investor", "ann", "--date", "30.11.2026"): "'30.11.2026' does not match the format '%Y-%m-%d'",
        ("investor", "ann"): "Missing option '--date'",
    }.items():
        done = tranche("ledger", "statement", *arguments)
        assert (done.returncode, done.stdout) == (2, ""), arguments
        assert why in done.stderr


def test_the_documented_columns_are_those_of_the_statements():
    said, of = {}, ""
    for line in (Path(schemas.__file__).parent / "ledger.md").read_text().splitlines():
        if cells := re.fullmatch(r"\| (.*?) ?\| `(\w+)` \| .* \| (.*) \|", line):
            of = cells[1].strip("`") or of
            said[of, cells[2]] = tuple(re.findall(r"`(\w+)`", cells[3]))
    modules = (investor_statement, ("totals", "months", "claims")), (originator_statement, ("totals", "assets"))
    modules += ((platform_statement, ("totals", "accounts", "months")),)
    columns = {(one.FORMAT, name): getattr(one, name.upper()) for one, names in modules for name in names}
    assert {key: names for key, names in said.items() if key[1] in {name for _, name in columns} | {"transfers"}} == columns | {
        ("each, with `--transfers", "transfers"): TRANSFERS
    }
