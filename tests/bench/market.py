"""The market that `match` is about: criteria of seven predicates, buy offers that share them, sell offers. Seeded: always the same.

The larger the market, the more originators it has, so a sell offer finds as many criteria that take it in a small one as in a large one.
"""

import random
from collections.abc import Iterator
from typing import Final

import msgspec

from schemas.criteria import Criteria, Predicate
from schemas.events import BuyOffer, SellOffer

SEED: Final = 20_261_130
CRITERIA_EACH: Final = 10  # buy offers of equal criteria
GROUPS: Final = "ABCDEFG"
COUNTRIES: Final = tuple(f"C{n}" for n in range(20))
BIDS: Final = 30  # about so many fill a sell offer
LARGEST_CENTS: Final = 10_000  # of a bid; the least a sell offer takes is 1,000


def criteria(count: int) -> list[Criteria]:
    """So many, all different."""
    chance = random.Random(SEED)
    found: dict[Criteria, None] = {}
    while len(found) < count:
        found[_criteria(chance, _originators(count))] = None
    return list(found)


def _originators(count: int) -> list[str]:
    return [f"originator-{n}" for n in range(max(6, count // 300))]


def _criteria(chance: random.Random, originators: list[str]) -> Criteria:
    rate, amount = chance.randrange(40, 160) * 1_000, chance.randrange(0, 60) * 10_000
    some = [
        Predicate("amount", low=amount, high=amount + chance.randrange(20, 80) * 10_000),
        Predicate("country", tuple(sorted(chance.sample(COUNTRIES, chance.randrange(2, 8)))), excluded=chance.random() < 0.1),
        Predicate("days_past_due", high=chance.choice([0, 0, 5, 15, 30])),
        Predicate("originator", tuple(sorted(chance.sample(originators, 5)))),
        Predicate("rate", low=rate, high=rate + chance.randrange(20, 100) * 1_000),
        Predicate("remaining_months", high=chance.choice([24, 36, 48, 60, 84])),
        Predicate("risk_group", tuple(sorted(chance.sample(GROUPS, chance.randrange(2, 6))))),
    ]
    return Criteria((tuple(some),))


def buy_offers(wanted: list[Criteria]) -> Iterator[BuyOffer]:
    """CRITERIA_EACH of each criteria, in a random order; an investor has about three. None is used up by what is measured."""
    chance = random.Random(SEED + 1)
    order = list(range(len(wanted))) * CRITERIA_EACH
    chance.shuffle(order)
    for n, which in enumerate(order):
        investor = f"investor-{chance.randrange(len(order) // 3 + 1)}"
        offer = f"{investor}/growth/{n + 1}/main"
        most = chance.randrange(LARGEST_CENTS // 2, LARGEST_CENTS)
        yield BuyOffer(offer, investor, "growth", n + 1, "main", "EUR", 100 * LARGEST_CENTS, most, wanted[which])


def sell_offers(count: int, market: int, *, all_or_none: bool = False, seed: int = 2) -> list[SellOffer]:
    """So many for a market of `market` criteria; about BIDS bids fill one; an all-or-none one takes all there are, and is never full."""
    chance = random.Random(SEED + seed)
    originators = _originators(market)
    return [_sell_offer(chance, f"asset-{seed}-{n}", chance.choice(originators), all_or_none=all_or_none) for n in range(count)]


def _sell_offer(chance: random.Random, asset: str, originator: str, *, all_or_none: bool) -> SellOffer:
    amount = BIDS * 3 * LARGEST_CENTS // 4 + chance.randrange(-20, 20) * 1_000
    if all_or_none:
        amount *= 1_000
    attributes = {
        "amount": chance.randrange(0, 1_000_000), "country": chance.choice(COUNTRIES), "days_past_due": chance.choice([0, 0, 0, 3, 20]),
        "originator": originator, "product": "loan", "rate": chance.randrange(60_000, 200_000),
        "remaining_months": chance.randrange(6, 60), "risk_group": chance.choice(GROUPS),
    }  # fmt: skip
    return SellOffer(
        f"{originator}/{asset}/1", originator, asset, 1, "loan", "EUR", str(attributes["country"]), amount, 10_000, 100_000, 36, 0,
        str(attributes["risk_group"]), all_or_none, 1_000, LARGEST_CENTS, attributes=attributes,
    )  # fmt: skip


def later(offer: SellOffer) -> SellOffer:
    """The next version of it, the same but for that."""
    version = offer.version + 1
    return msgspec.structs.replace(offer, version=version, offer=f"{offer.originator}/{offer.asset}/{version}")
