"""Instructions to test with, in EUR on an ordinary day, and what came of them."""

from datetime import UTC, date, datetime

from agents.ledger import instructions as told

DAY = date(2026, 11, 2)
ISSUED = date(2026, 10, 1)


def ms(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp() * 1000)


def make(kind: type, name: str, **fields) -> told.Any:
    day = fields.pop("effective", DAY)
    return kind(**{"name": name, "currency": "EUR", "effective": day, "booked_ms": ms(day), "source": "holds-0-1", **fields})


def investor(name="ann", **fields):
    return make(told.OpenInvestor, name, **fields)


def originator(name="harbor", **fields):
    return make(told.OpenOriginator, name, **fields)


def deposit(name="d1", investor="ann", cents=100_000, **fields):
    return make(told.Deposit, name, investor=investor, cents=cents, **fields)


def withdraw(name="w1", investor="ann", cents=1_000, **fields):
    return make(told.Withdraw, name, investor=investor, cents=cents, **fields)


def hold(name="h1", investor="ann", cents=60_000, **fields):
    return make(told.Hold, name, investor=investor, cents=cents, **fields)


def release(name="r1", hold="h1", investor="ann", cents=1_000, **fields):
    return make(told.Release, name, hold=hold, investor=investor, cents=cents, **fields)


def settle(name="harbor/loan-1/1/1", asset="loan-1", amount=50_000, fee=250, **fields):
    given = {"hold": "h1", "investor": "ann", "originator": "harbor", "issued": ISSUED, "outstanding_cents": 80_000}
    prices = {"originator_cents": amount, "buyer_cents": amount + fee}
    return make(told.Settle, name, asset=asset, amount_cents=amount, **{**given, **prices, **fields})


def repay(name="harbor/loan-1/2", asset="loan-1", originator="harbor", **fields):
    return make(told.Repay, name, originator=originator, asset=asset, **fields)


def buy_back(name="harbor/loan-1/3", asset="loan-1", originator="harbor", **fields):
    return make(told.BuyBack, name, originator=originator, asset=asset, **fields)


def remit(name="m1", originator="harbor", cents=1_000, **fields):
    return make(told.Remit, name, originator=originator, cents=cents, **fields)


def pay_out(name="p1", originator="harbor", cents=1_000, **fields):
    return make(told.PayOut, name, originator=originator, cents=cents, **fields)


def reverse(name, **fields):
    return make(told.Reverse, name, **fields)


SOLD = (investor(), originator(), deposit(), hold(), settle())  # ann holds 50,000 of 80,000


def rules(answers) -> list[str]:
    """By answer the rule that refused it; empty if none did."""
    return [next((outcome.rule for outcome in answer.outcomes if outcome.rule), "") for answer in answers]


async def balances(sql) -> dict[str, int]:
    """Of every account that has something."""
    rows = await sql.fetch("SELECT name, balance FROM accounts JOIN balances USING (account) WHERE balance <> 0 ORDER BY name")
    return {row["name"].removesuffix("/EUR"): row["balance"] for row in rows}
