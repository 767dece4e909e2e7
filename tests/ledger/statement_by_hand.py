"""Statements as one would write them first: one leg after the other, into dictionaries. And random histories to state."""

import random
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta

from agents.ledger import instructions as told
from tests.ledger import told as make
from tests.ledger.told import DAY, ms

INVESTORS = ("ann", "bob", "cyd")
ASSETS = ("loan-1", "loan-2", "loan-3")
CURRENCIES = ("EUR", "EUR", "USD")
KINDS = [told.Deposit, told.Withdraw, told.Hold, told.Hold, told.Release, *3 * [told.Settle], *3 * [told.Repay], told.Remit, told.Remit]
KINDS += [told.BuyBack, told.PayOut, told.Reverse]
IDS = {told.Repay: ("principal", "interest"), told.Settle: ("settlement",), told.BuyBack: ("buyback", "buyback_interest")}
IDS |= {told.Remit: ("remittance",), told.PayOut: ("payout",), told.Withdraw: ("withdrawal",)}
FLOWS = {"deposit": "deposited", "withdrawal": "withdrawn", "settlement": "paid", "principal": "principal", "buyback": "principal"}
FLOWS |= {"interest": "interest", "buyback_interest": "interest", "late_fees": "late_fees"}
LEGS = """
    SELECT transfers.id, coalesce(reverses, id) AS root, effective, name, kinds.kind, kinds.currency, amount, transfer
    FROM legs JOIN transfers ON number = transfer JOIN accounts AS kinds USING (account)
    WHERE effective <= $1 AND booked <= $2 ORDER BY transfer, account"""


class Random:
    """Instructions of the days from DAY on, one a day, in two currencies; some are known later, some take back what was booked."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.holds: list[tuple[str, str, str]] = []
        self.booked: list[str] = []
        self.assets: dict[str, str] = {}  # of what was booked, by name

    async def book(self, desk, days: int = 100) -> dict[str, str]:
        """Book; the assets by the names of the instructions that are of them."""
        for currency in ("EUR", "USD"):
            await desk.take([*(make.investor(name, currency=currency) for name in INVESTORS), make.originator(currency=currency)])
        for number in range(days):
            one = self.told(f"n{number}", DAY + timedelta(days=number))
            (answer,) = await desk.take([one])
            if not make.rules([answer])[0]:
                self.remember(one)
        return self.assets

    def remember(self, one) -> None:
        self.assets[one.name] = getattr(one, "asset", "")
        if isinstance(one, told.Hold):
            self.holds.append((one.name, one.investor, one.currency))
        self.booked += [f"{kind}/{one.name}" for kind in IDS.get(type(one), (type(one).__struct_config__.tag,))]

    def told(self, name: str, day: date) -> told.Any:
        cents, choice = self.chance.randint, self.chance.choice
        currency, investor, asset = choice(CURRENCIES), choice(INVESTORS), choice(ASSETS)
        when = {"effective": day, "booked_ms": ms(day + timedelta(days=choice((0, 0, 0, 1, 9))))}
        held, holder, of = choice(self.holds) if self.holds else ("none", "ann", "EUR")
        when_held, when = {**when, "currency": of}, {**when, "currency": currency}
        match choice(KINDS):
            case told.Deposit:
                return make.deposit(name, investor, cents(1, 900_000), **when)
            case told.Withdraw:
                return make.withdraw(name, investor, cents(1, 20_000), **when)
            case told.Hold:
                return make.hold(name, investor, cents(1, 90_000), **when)
            case told.Release:
                return make.release(name, held, holder, cents(1, 900), **when_held)
            case told.Settle:
                return make.settle(name, asset, cents(1, 30_000), cents(0, 90), hold=held, investor=holder, **when_held)
            case told.Repay:
                paid = {"principal_cents": cents(0, 9_000), "interest_cents": cents(0, 99), "late_fees_cents": cents(0, 2)}
                return make.repay(name, asset, **paid, **when)
            case told.BuyBack:
                return make.buy_back(name, asset, interest_cents=cents(0, 60), **when)
            case told.Remit:
                return make.remit(name, cents=cents(1, 9_000), **when)
            case told.PayOut:
                return make.pay_out(name, cents=cents(1, 20_000), **when)
        return make.reverse(choice(self.booked or ["none"]), **when)


def investor(legs: list, name: str, assets: dict[str, str]) -> tuple[dict, dict, dict, dict]:
    """By currency balances and flows; flows by month; what each claim has and brought; by currency and day what claims cost and brought."""
    totals, months, claims, dated = (defaultdict(lambda: defaultdict(int)) for _ in range(4))
    for leg in legs:
        kind, *ids, currency = leg["name"].split("/")
        mine = ids[2:3] == [name] if kind == "claim" else ids[:1] == [name] and kind in {"wallet", "hold", "pending"}
        if not mine:
            continue
        origin, _, cause = leg["root"].partition("/")
        asset, month, amount = assets.get(cause, ""), leg["effective"].strftime("%Y-%m"), leg["amount"]
        claim = claims[currency, "harbor", asset] if asset else defaultdict(int)
        totals[currency][{"claim": "held"}.get(kind, kind)] += amount
        if kind == "claim":
            claim["held"] += amount
            claim["invested"] += amount if origin == "settlement" else 0
            continue
        if origin == "remittance" and kind == "pending":
            months[currency, month]["remitted"] -= amount
        flow = FLOWS.get(origin, "other")
        amount = -amount if flow in {"withdrawn", "paid"} else amount
        for row in (totals[currency], months[currency, month], claim):
            row[flow] += amount
        if asset:
            dated[currency][leg["effective"]] += leg["amount"]
    return totals, months, claims, dated


def in_transit(legs: list, currency: str) -> tuple[int, date | None]:
    """What of investors' money an originator has not remitted, and the day of the oldest: a queue of reports, which remittances empty."""
    own = [leg for leg in legs if leg["kind"] in {"transit", "retained"} and leg["currency"] == currency]
    days = {leg["id"]: leg["effective"] for leg in own}
    reported, remitted = defaultdict(int), 0
    for leg in own:
        if leg["root"].startswith("remittance/"):
            remitted += leg["amount"]
        else:
            reported[days[leg["root"]]] -= leg["amount"]
    total = sum(reported.values()) - remitted
    queue = sorted(reported.items())
    while queue and remitted >= queue[0][1]:
        remitted -= queue.pop(0)[1]
    return total, queue[0][0] if total else None


def moment(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 18, tzinfo=UTC)
