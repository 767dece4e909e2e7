"""Statements of random histories, compared with what one finds leg by leg, and with the balances of the same day."""

from collections import defaultdict
from datetime import timedelta

import pytest
import pyxirr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.ledger.balances import balances
from streams.ledger.desk import Desk
from streams.ledger.statements import Asked, statement
from tests.ledger import statement_by_hand as by_hand
from tests.ledger import told
from tests.ledger.conftest import EMPTY
from tests.ledger.told import DAY


def rows(found, section: str, keys: int) -> dict:
    """By the first columns of a section what the others have, without what is zero or none."""
    one = next(one for one in found.sections if one.name == section)
    assert len({row[:keys] for row in one.rows}) == len(one.rows)
    return {
        tuple(map(str, row[:keys])): {
            name.removesuffix("_cents"): value for name, value in zip(one.columns[keys:], row[keys:], strict=True) if value
        }
        for row in one.rows
    }


def some(by_key: dict) -> dict:
    return {key if isinstance(key, tuple) else (key,): {n: v for n, v in row.items() if v} for key, row in by_key.items()}


@given(seed=st.integers(0, 2**32), days=st.integers(20, 110), later=st.integers(0, 9))
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
def test_statements_are_what_one_finds_leg_by_leg(sql_apart, seed, days, later):
    loop, sql = sql_apart
    effective = DAY + timedelta(days=days)
    loop.run_until_complete(_stated(sql, seed, effective, by_hand.moment(effective + timedelta(days=later))))


async def _stated(sql, seed: int, effective, known) -> None:
    await sql.execute(f"{EMPTY}; SET synchronous_commit = off")
    assets = await by_hand.Random(seed).book(Desk(sql))
    legs = await sql.fetch(by_hand.LEGS, effective, known)
    has = {one.account: one.cents for one in await balances(sql, effective, known)}
    for name in {leg["name"].split("/")[1] for leg in legs if leg["kind"] == "wallet"}:
        found = await statement(sql, Asked("investor", name, effective, known, transfers=True))
        compare(found, effective, *by_hand.investor(legs, name, assets))
        own = await balances(sql, effective, known, investor=name)
        for (currency,), row in rows(found, "totals", 1).items():
            for kind, column in {"wallet": "wallet", "hold": "hold", "pending": "pending", "claim": "held"}.items():
                assert row.get(column, 0) == sum(one.cents for one in own if (one.kind, one.currency) == (kind, currency))
        traced(found)
    if any(leg["kind"] in {"settlement", "principal"} for leg in legs):
        owed(await statement(sql, Asked("originator", "harbor", effective, known)), effective, legs, has)
    if legs:
        balanced(await statement(sql, Asked("platform", "", effective, known)), await balances(sql, effective, known))


def compare(found, effective, totals, months, claims, dated) -> None:
    stated = rows(found, "totals", 1)
    returns = {currency: row.pop("xirr_ppm", None) for (currency,), row in stated.items()}
    assert stated == some(totals)
    assert rows(found, "months", 2) == some(months)
    assert {key[:3]: row for key, row in rows(found, "claims", 4).items()} == some(claims)
    for currency, flows in dated.items():
        worthless(returns[currency], flows | {effective: flows.get(effective, 0) + totals[currency]["held"]})
    for row in stated.values():
        left = (
            sum(row.get(name, 0) for name in ("deposited", "principal", "interest", "late_fees"))
            - row.get("withdrawn", 0)
            - row.get("paid", 0)
        )
        assert left == sum(row.get(name, 0) for name in ("wallet", "hold", "pending"))
        assert "other" not in row


def worthless(ppm: int | None, flows: dict) -> None:
    """At this rate, to half a millionth, the flows add up to nothing."""
    if ppm is None:
        return
    below, above = (pyxirr.xnpv((ppm + half) / 1e6, list(flows), list(flows.values())) for half in (-0.5, 0.5))
    assert below * above <= 0 or min(abs(below), abs(above)) < 1e-6


def traced(found) -> None:
    """Each figure of a claim is that of its legs."""
    legs = [dict(zip(found.sections[-1].columns, row, strict=True)) for row in found.sections[-1].rows]
    for (currency, originator, asset, _), row in rows(found, "claims", 4).items():
        mine = [leg for leg in legs if (leg["currency"], leg["originator"], leg["asset"]) == (currency, originator, asset)]
        for name, kinds in {"interest": ("interest", "buyback_interest"), "late_fees": ("late_fees",), "paid": ("settlement",)}.items():
            of = [leg for leg in mine if not leg["account"].startswith("claim/")]
            cents = sum(leg["amount_cents"] for leg in of if leg["id"].removeprefix("reversal/").split("/")[0] in kinds)
            assert abs(cents) == abs(row.get(name, 0))
        assert all(leg["source"] == "holds-0-1" for leg in mine)


def owed(found, effective, legs: list, has: dict) -> None:
    """What an originator has is its balances, and its assets' are those of their claims."""
    assets = rows(found, "assets", 3)
    for (currency,), row in rows(found, "totals", 1).items():
        assert row.get("owed", 0) == has.get(f"settlement/harbor/{currency}", 0) == row.get("proceeds", 0) - row.get("paid_out", 0)
        assert row.get("retained", 0) == has.get(f"retained/harbor/{currency}", 0)
        cents, oldest = by_hand.in_transit(legs, currency)
        assert row.get("in_transit", 0) == cents == -has.get(f"transit/harbor/{currency}", 0) - row.get("retained", 0)
        assert cents == row.get("reported", 0) - row.get("remitted", 0)
        assert (row.get("oldest"), row.get("days", 0)) == (oldest, (effective - oldest).days if oldest else 0)
        for name in ("issue", "repaid", "outstanding", "sold", "bought_back", "held", "unsold"):
            assert row.get(name, 0) == sum(one.get(name, 0) for (each, *_), one in assets.items() if each == currency)
    assert {key[:2] for key in assets} == {(leg["currency"], leg["name"].split("/")[2]) for leg in legs if leg["kind"] == "principal"}
    for (currency, asset, issued), row in assets.items():
        assert issued == str(told.ISSUED)
        assert row.get("outstanding", 0) == -has.get(f"principal/harbor/{asset}/{currency}", 0) == row["issue"] - row.get("repaid", 0)
        assert row.get("unsold", 0) == has.get(f"unsold/harbor/{asset}/{currency}", 0)
        claims = [leg for leg in legs if leg["name"].startswith(f"claim/harbor/{asset}/") and leg["currency"] == currency]
        assert row.get("held", 0) == sum(leg["amount"] for leg in claims)
        for name, origin, sign in (("sold", "settlement", 1), ("bought_back", "buyback", -1)):
            assert row.get(name, 0) == sign * sum(leg["amount"] for leg in claims if leg["root"].startswith(f"{origin}/"))


def balanced(found, all_balances: list) -> None:
    """The trial balance has all balances, and every currency adds up to zero."""
    cents, count = defaultdict(int), defaultdict(int)
    for one in all_balances:
        cents[one.currency, one.kind] += one.cents
        count[one.currency, one.kind] += 1
    kinds = rows(found, "accounts", 2)
    assert {key: (row["balance"], row["accounts"]) for key, row in kinds.items()} == {key: (cents[key], count[key]) for key in cents}
    months = rows(found, "months", 2)
    for (currency,), row in rows(found, "totals", 1).items():
        assert "balance" not in row
        assert row["debit"] == row["credit"] > 0
        fees = sum(month.get("fees", 0) for (each, _), month in months.items() if each == currency)
        assert row.get("fees", 0) == cents[currency, "fees"] == fees


async def test_the_oldest_in_transit_is_what_remittances_have_not_reached(desk, sql):
    day = [DAY + timedelta(days=number) for number in range(40)]
    first = told.repay("r1", interest_cents=800, effective=day[3])
    await desk.take([*told.SOLD, first, told.repay("r2", interest_cents=1_600, effective=day[9])])  # 500 and 1,000 are ann's

    async def transit(on) -> dict:
        row = rows(await statement(sql, Asked("originator", "harbor", on)), "totals", 1)["EUR",]
        return {name: row.get(name) for name in ("in_transit", "oldest", "days", "retained")}

    assert await transit(day[2]) == {"in_transit": None, "oldest": None, "days": None, "retained": None}
    assert await transit(day[20]) == {"in_transit": 1_500, "oldest": day[3], "days": 17, "retained": 900}
    await desk.take([told.remit("m1", cents=499, effective=day[21])])
    assert (await transit(day[21]))["oldest"] == day[3]
    await desk.take([told.remit("m2", cents=1, effective=day[22])])
    assert await transit(day[22]) == {"in_transit": 1_000, "oldest": day[9], "days": 13, "retained": 900}
    assert (await transit(day[20]))["oldest"] == day[3]
    await desk.take([told.reverse("interest/r2", effective=day[30])])
    assert (await transit(day[30]))["oldest"] is None
    await desk.take([told.reverse("remittance/m1", effective=day[31])])
    assert await transit(day[31]) == {"in_transit": 499, "oldest": day[3], "days": 28, "retained": 300}


@pytest.mark.parametrize("of", ["investor", "originator"])
async def test_what_is_booked_later_changes_nothing_that_was_known(desk, sql, of):
    effective = DAY + timedelta(days=60)
    await by_hand.Random(7).book(desk)
    asked = Asked(of, {"investor": "ann", "originator": "harbor"}[of], effective, by_hand.moment(DAY + timedelta(days=70)), transfers=True)
    await sql.execute("SET synchronous_commit = off")
    before = await statement(sql, asked)
    late = {"booked_ms": told.ms(DAY + timedelta(days=200)), "effective": DAY + timedelta(days=1)}
    booked = [row["id"] for row in await sql.fetch("SELECT id FROM transfers WHERE kind NOT IN ('reversal', 'issue') ORDER BY number DESC")]
    answers = await desk.take([told.deposit("late", cents=5, **late), *(told.reverse(id_, **late) for id_ in booked)])
    assert told.rules(answers).count("") > 10
    assert await statement(sql, asked) == before
    assert await statement(sql, asked._replace(known=None)) != before
