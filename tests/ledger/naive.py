"""The ledger as one would write it first: a dictionary of balances, one instruction after the other, everything looked up."""

from collections import defaultdict

from agents.ledger import instructions as told

MICRO = 1_000_000


def largest(rests: list[int], count: int) -> list[int]:
    """The places of the `count` largest, the first of equal ones."""
    return sorted(range(len(rests)), key=lambda place: (-rests[place], place))[:count]


def share(amount: int, weights: list[int], carried: list[int]) -> tuple[list[int], list[int]]:
    """Parts and what is carried, by holder."""
    total = sum(weights)
    micro = [amount * MICRO * weight // total for weight in weights]
    for place in largest([amount * MICRO * weight % total for weight in weights], amount * MICRO - sum(micro)):
        micro[place] += 1
    due = [one + left for one, left in zip(micro, carried, strict=True)]
    parts = [max(one // MICRO, 0) for one in due]
    while sum(parts) < amount:
        parts[largest([one - part * MICRO for one, part in zip(due, parts, strict=True)], 1)[0]] += 1
    while sum(parts) > amount:
        over = [part * MICRO - one if part else -(2**70) for one, part in zip(due, parts, strict=True)]
        parts[largest(over, 1)[0]] -= 1
    return parts, [one - part * MICRO for one, part in zip(due, parts, strict=True)]


class Naive:
    """Balances by account, without the currency; `take` gives the rule that refuses, or an empty text."""

    def __init__(self) -> None:
        self.has: defaultdict[str, int] = defaultdict(int)
        self.holders: dict[str, list[str]] = {}  # by asset the accounts of those who have or had a part, in order
        self.carried: dict[tuple[str, str], dict[str, int]] = {}
        self.booked: dict[str, tuple[dict[str, int], tuple]] = {}  # legs; asset, component and change of what is carried
        self.reversed: set[str] = set()

    def take(self, one: told.Any) -> str:
        return getattr(self, type(one).__struct_config__.tag)(one)

    def move(self, id_: str, legs: dict[str, int], carried: tuple = ()) -> str:
        if any(self.has[name] + cents < 0 for name, cents in legs.items() if name.split("/")[0] not in {"bank", "transit", "principal"}):
            return "limit"
        if any(self.has[name] + cents > 0 for name, cents in legs.items() if name.split("/")[0] in {"bank", "transit", "principal"}):
            return "limit"
        for name, cents in legs.items():
            self.has[name] += cents
        self.booked[id_] = legs, carried
        return ""

    def deposit(self, one: told.Deposit) -> str:
        return self.move(f"deposit/{one.name}", {"bank": -one.cents, f"wallet/{one.investor}": one.cents})

    def withdraw(self, one: told.Withdraw) -> str:
        rule = self.move(f"withdrawal/{one.name}", {"bank": one.cents, f"wallet/{one.investor}": -one.cents})
        held = sum(cents for name, cents in self.has.items() if name.startswith(f"hold/{one.investor}/"))
        return "waits" if rule and held else rule

    def hold(self, one: told.Hold) -> str:
        return self.move(f"hold/{one.name}", {f"wallet/{one.investor}": -one.cents, f"hold/{one.investor}/{one.name}": one.cents})

    def release(self, one: told.Release) -> str:
        return self.move(f"release/{one.name}", {f"hold/{one.investor}/{one.hold}": -one.cents, f"wallet/{one.investor}": one.cents})

    def settle(self, one: told.Settle) -> str:
        asset = f"{one.originator}/{one.asset}"
        unsold, claim = f"unsold/{asset}", f"claim/{asset}/{one.investor}"
        if asset not in self.holders:
            self.move(f"issue/{asset}/{one.currency}", {f"principal/{asset}": -one.outstanding_cents, unsold: one.outstanding_cents})
            self.holders[asset] = [unsold]
        if claim not in self.holders[asset]:
            self.holders[asset].append(claim)
        cash = {f"hold/{one.investor}/{one.hold}": -one.buyer_cents, f"settlement/{one.originator}": one.originator_cents}
        fee = {"fees": one.buyer_cents - one.originator_cents}
        return self.move(f"settlement/{one.name}", {**cash, **fee, unsold: -one.amount_cents, claim: one.amount_cents})

    def pay_out(self, one: told.PayOut) -> str:
        return self.move(f"payout/{one.name}", {f"settlement/{one.originator}": -one.cents, "bank": one.cents})

    def remit(self, one: told.Remit) -> str:
        pending = {name: cents for name, cents in self.has.items() if name.startswith("pending/") and cents}
        if one.cents > sum(pending.values()):
            return "more_than_owed"
        names = sorted(pending, key=self.opened.index)
        parts, _ = share(one.cents, [pending[name] for name in names], [0] * len(names))
        legs = {"bank": -one.cents, f"transit/{one.originator}": one.cents}
        for name, part in zip(names, parts, strict=True):
            legs |= {name: -part, f"wallet/{name.split('/')[1]}": part}
        return self.move(f"remittance/{one.name}", legs)

    @property
    def opened(self) -> list[str]:
        """The accounts of what is pending, in the order of opening."""
        claims = [id_ for id_, (legs, _) in self.settled.items() for id_ in legs if id_.startswith("claim/")]
        return [f"pending/{name.split('/')[3]}/{name.split('/')[1]}" for name in claims]

    @property
    def settled(self) -> dict[str, tuple]:
        return {id_: booked for id_, booked in self.booked.items() if id_.startswith("settlement/")}

    def pay(self, one: told.Repay | told.BuyBack, kind: str, component: str, cents: int, sold_only: bool) -> None:
        asset = f"{one.originator}/{one.asset}"
        holders = self.holders[asset]
        weights = [0 if sold_only and name.startswith("unsold/") else self.weights[name] for name in holders]
        carries = component != "principal"
        before = self.carried.get((asset, component), {}) if carries else {}
        parts, after = share(cents, weights, [before.get(name, 0) for name in holders])
        legs = {f"transit/{one.originator}": -cents}
        for name, part in zip(holders, parts, strict=True):
            payee = f"retained/{one.originator}" if name.startswith("unsold/") else f"pending/{name.split('/')[3]}/{one.originator}"
            legs[payee] = part
            if not carries:
                legs[name] = -part
        if not carries:
            against = f"unsold/{asset}" if sold_only else f"principal/{asset}"
            legs[against] = legs.get(against, 0) + cents
        change = {name: left - before.get(name, 0) for name, left in zip(holders, after, strict=True)}
        if carries:
            self.carried[asset, component] = dict(zip(holders, after, strict=True))
        assert self.move(f"{kind}/{one.name}", legs, (asset, component, change) if carries else ()) == ""

    def repay(self, one: told.Repay) -> str:
        asset = f"{one.originator}/{one.asset}"
        if asset not in self.holders:
            return "never_sold"
        self.weights = {name: self.has[name] for name in self.holders[asset]}
        if one.principal_cents > sum(self.weights.values()) or not any(self.weights.values()):
            return "more_than_owed"
        amounts = {"principal": one.principal_cents, "interest": one.interest_cents, "late_fees": one.late_fees_cents}
        for component, cents in amounts.items():
            if cents:
                self.pay(one, component, component, cents, sold_only=False)
        return ""

    def buy_back(self, one: told.BuyBack) -> str:
        asset = f"{one.originator}/{one.asset}"
        self.weights = {name: self.has[name] for name in self.holders.get(asset, ())}
        claims = sum(cents for name, cents in self.weights.items() if name.startswith("claim/"))
        if not claims:
            return "never_sold"
        self.pay(one, "buyback", "principal", claims, sold_only=True)
        if one.interest_cents:
            self.pay(one, "buyback_interest", "interest", one.interest_cents, sold_only=True)
        return ""

    def reverse(self, one: told.Reverse) -> str:
        if one.name not in self.booked or one.name in self.reversed or one.name.startswith("release/"):
            return "reversed"
        legs, carried = self.booked[one.name]
        back: defaultdict[str, int] = defaultdict(int)
        for name, cents in legs.items():
            to_wallet = name.startswith("hold/") and cents < 0
            back[f"wallet/{name.split('/')[1]}" if to_wallet else name] -= cents
        rule = self.move(f"reversal/{one.name}", back)
        if not rule:
            self.reversed.add(one.name)
            if carried:
                asset, component, change = carried
                for name, micro in change.items():
                    self.carried[asset, component][name] -= micro
        return rule
