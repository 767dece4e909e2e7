"""What each instruction does to the books, and the rule by which a bad one is refused."""

from datetime import timedelta

import pytest

from streams.ledger.audit import audit
from tests.ledger.told import (
    DAY,
    ISSUED,
    SOLD,
    balances,
    buy_back,
    deposit,
    hold,
    investor,
    ms,
    originator,
    pay_out,
    release,
    remit,
    repay,
    reverse,
    rules,
    settle,
    withdraw,
)


async def done(desk, *instructions):
    answers = await desk.take(instructions)
    assert rules(answers) == [""] * len(instructions), answers
    return answers


async def test_a_sale_pays_originator_and_platform_of_the_hold_and_makes_a_claim(desk, sql):
    await done(desk, *SOLD)
    assert await balances(sql) == {
        "bank": -100_000,
        "wallet/ann": 40_000,
        "hold/ann/h1": 9_750,
        "settlement/harbor": 50_000,
        "fees": 250,
        "principal/harbor/loan-1": -80_000,
        "unsold/harbor/loan-1": 30_000,
        "claim/harbor/loan-1/ann": 50_000,
    }


async def test_what_a_borrower_paid_is_pending_until_it_is_remitted(desk, sql):
    await done(desk, *SOLD, repay(principal_cents=8_000, interest_cents=801, late_fees_cents=3))
    found = await balances(sql)
    assert found["transit/harbor"] == -8_804
    assert (found["pending/ann/harbor"], found["retained/harbor"]) == (5_000 + 501 + 2, 3_000 + 300 + 1)
    assert (found["claim/harbor/loan-1/ann"], found["unsold/harbor/loan-1"], found["principal/harbor/loan-1"]) == (45_000, 27_000, -72_000)
    await done(desk, remit(cents=5_503))
    found = await balances(sql)
    assert (found["wallet/ann"], "pending/ann/harbor" in found, found["transit/harbor"]) == (45_503, False, -3_301)


async def test_the_last_payment_clears_every_claim(desk, sql):
    await done(desk, *SOLD, repay(principal_cents=33_333), repay("harbor/loan-1/3", principal_cents=46_667))
    assert not [name for name in await balances(sql) if "loan-1" in name]


async def test_a_buyback_takes_all_claims_with_their_interest_once(desk, sql):
    await done(desk, *SOLD, buy_back(interest_cents=77))
    found = await balances(sql)
    assert (found["pending/ann/harbor"], found["unsold/harbor/loan-1"]) == (50_077, 80_000)
    assert "claim/harbor/loan-1/ann" not in found
    again, another = await desk.take([buy_back(interest_cents=77), buy_back("harbor/loan-1/4")])
    assert [outcome.repeated for outcome in again.outcomes] == [True, True]
    assert rules([another]) == ["never_sold"]


async def test_a_correction_reverses_a_repayment_with_what_it_carried_and_it_can_be_told_anew(desk, sql):
    await done(desk, *SOLD)
    before, first = await balances(sql), repay(principal_cents=8_000, interest_cents=100)
    await done(desk, first, reverse("interest/harbor/loan-1/2"), reverse("principal/harbor/loan-1/2"))
    assert await balances(sql) == before
    assert await sql.fetchval("SELECT micro FROM carried ORDER BY transfer DESC LIMIT 1") == [0, 0]
    await done(desk, repay("harbor/loan-1/2b", principal_cents=7_000, interest_cents=90))


async def test_a_reversed_sale_gives_the_money_back_to_the_wallet_for_the_hold_has_ended(desk, sql):
    await done(desk, *SOLD, reverse("settlement/harbor/loan-1/1/1"))
    found = await balances(sql)
    assert (found["wallet/ann"], found["hold/ann/h1"], found["unsold/harbor/loan-1"]) == (90_250, 9_750, 80_000)
    assert (await audit(sql)).sound


async def test_a_withdrawal_waits_for_bids_and_never_overtakes_them(desk):
    await done(desk, *SOLD)
    (waits,) = await desk.take([withdraw(cents=45_000)])
    assert rules([waits]) == ["waits"]
    assert "9750 is on hold" in waits.outcomes[0].message
    await done(desk, release(cents=9_750), withdraw(cents=45_000))


async def test_a_hold_is_never_resolved_twice(desk):
    await done(desk, *SOLD, release(cents=9_750))
    answers = await desk.take([release("r2", cents=1), settle("harbor/loan-1/1/2", amount=100)])
    assert rules(answers) == ["limit", "limit"]


async def test_the_holders_at_the_record_date_are_paid_and_not_who_bought_later(desk, sql):
    later = DAY + timedelta(days=3)
    await done(desk, *SOLD, investor("bob"), deposit("d2", "bob"), hold("h2", "bob"))
    await done(desk, settle("harbor/loan-1/1/2", hold="h2", investor="bob", amount=20_000, effective=later))
    await done(desk, repay(interest_cents=800, effective=DAY, booked_ms=ms(later)))
    found = await balances(sql)
    assert (found["pending/ann/harbor"], found.get("pending/bob/harbor"), found["retained/harbor"]) == (500, None, 300)


@pytest.mark.parametrize(
    ("bad", "rule"),
    [
        (deposit("x", "nobody"), "unknown_account"),
        (deposit("x", currency="USD"), "wrong_currency"),
        (deposit("x", cents=0), "amount"),
        (deposit("x", cents=-5), "amount"),
        (deposit("x", cents=2**63), "amount"),
        (deposit("x", cents=2**63 - 1), "amount"),  # the balance would be beyond 64 bits
        (deposit(cents=99), "other_content"),
        (hold("x", cents=41_006), "limit"),
        (pay_out(cents=50_001), "limit"),
        (withdraw(cents=2**40), "waits"),
        (repay(asset="loan-2", principal_cents=1), "never_sold"),
        (repay(principal_cents=80_001), "more_than_owed"),
        (repay(), "amount"),
        (repay(principal_cents=10, interest_cents=-1), "amount"),
        (repay(principal_cents=1, booked_ms=ms(DAY - timedelta(days=1))), "future"),
        (repay(principal_cents=1, effective=ISSUED - timedelta(days=1)), "before_issue"),
        (settle("x", effective=ISSUED - timedelta(days=1), amount=10), "before_issue"),
        (settle("x", amount=30_001, originator_cents=1, buyer_cents=1), "limit"),
        (buy_back(asset="loan-2"), "never_sold"),
        (remit(cents=1), "more_than_owed"),
        (deposit("x", booked_ms=ms(DAY - timedelta(days=1))), "future"),
        (reverse("deposit/none"), "reversed"),
        (reverse("release/r0"), "reversed"),
        (reverse("deposit/d1"), "limit"),  # the money is not in the wallet any more
    ],
)
async def test_bad_input_is_refused_by_its_rule_and_its_neighbours_go_through(desk, sql, bad, rule):
    await done(desk, *SOLD, release("r0"))
    before = await balances(sql)
    answers = await desk.take([deposit("n1", cents=5), bad, deposit("n2", cents=7)])
    assert rules(answers) == ["", rule, ""]
    assert answers[1].outcomes[0].message
    assert await balances(sql) == {**before, "bank": before["bank"] - 12, "wallet/ann": before["wallet/ann"] + 12}
    assert (await audit(sql)).sound


async def test_everything_told_again_is_answered_as_the_first_time_and_changes_nothing(desk, sql):
    story = [
        *SOLD,
        repay(principal_cents=8_000, interest_cents=801),
        remit(cents=1_000),
        pay_out(),
        release(),
        withdraw(),
        repay("harbor/loan-1/9", interest_cents=5),
        reverse("interest/harbor/loan-1/9"),
        buy_back(interest_cents=3),
    ]
    first, before = await done(desk, *story), await balances(sql)
    again = await done(desk, *story)
    for one, two in zip(first, again, strict=True):  # a sale that was not the asset's first has no issue
        assert [outcome.number for outcome in two.outcomes] == [outcome.number for outcome in one.outcomes][-len(two.outcomes) :]
    assert all(outcome.repeated for answer in again for outcome in answer.outcomes)
    assert await balances(sql) == before


@pytest.mark.parametrize(
    ("first", "other", "said"),
    [
        (repay(principal_cents=100), repay(principal_cents=101), "amount 100 and now 101"),
        (repay(principal_cents=100), repay(principal_cents=100, batch="b2"), "batch  and now b2"),
        (repay(principal_cents=100), repay(principal_cents=100, interest_cents=1), "not booked, while the rest of it is"),
        (deposit("d9", cents=5), deposit("d9", cents=6), "its legs"),
    ],
)
async def test_an_id_with_other_content_is_refused_and_what_differs_is_told(desk, sql, first, other, said):
    await done(desk, *SOLD, first)
    before = await balances(sql)
    (answer,) = await desk.take([other])
    assert "other_content" in {outcome.rule for outcome in answer.outcomes}
    assert any(said in outcome.message for outcome in answer.outcomes)
    assert await balances(sql) == before


async def test_one_call_is_as_many_calls_a_limit_holds_after_every_transfer(desk, sql):
    await done(desk, investor(), deposit(cents=10))
    answers = await desk.take([hold(cents=30), deposit("d2", cents=40), hold("h2", cents=50), hold("h3", cents=1)])
    assert rules(answers) == ["limit", "", "", "limit"]
    assert answers[0].outcomes[0].message == "hold/h1: wallet/ann/EUR has 10, -30 would leave -20; it may be not below 0"


async def test_another_currency_is_another_asset_book(desk, sql):
    await done(desk, *SOLD, repay(interest_cents=7))
    for one in (repay("x", currency="USD", interest_cents=5), repay("y", currency="USD", principal_cents=5)):
        assert rules(await desk.take([one])) == ["never_sold"]
    abroad = {"currency": "USD", "investor": "bob"}
    await done(desk, investor("bob"), investor("bob", currency="USD"), originator(currency="USD"))
    await done(desk, deposit("d2", **abroad), hold("h2", **abroad), settle("harbor/loan-1/7/1", hold="h2", **abroad))
    await done(desk, repay("z", currency="USD", interest_cents=11), reverse("interest/z"))
    assert (await balances(sql))["pending/ann/harbor"] == 4


async def test_opening_again_opens_nothing(desk, sql):
    await done(desk, investor(), originator())
    count = await sql.fetchval("SELECT count(*) FROM accounts")
    await done(desk, investor(effective=DAY + timedelta(days=1)), originator())
    assert await sql.fetchval("SELECT count(*) FROM accounts") == count
