"""Current demand: the open money of the buy offers that would take some of the sell offers of a dry run.

Open is what a buy offer has not invested. What it holds in an all-or-none offer that is not full yet counts as open: the database does not
know of it.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from agents.matcher import rules
from schemas.criteria import Criteria
from schemas.events import BuyOffer, SellOffer, decode_market
from streams.dry_run.asked import Asked

KINDS_MAX: Final = 5_000  # of buy offers that are compared with every sell offer, those with the most money
PORTFOLIOS: Final = 500  # that are read at a time

_PORTFOLIOS: Final = "SELECT offers FROM portfolios WHERE octet_length(offers) > 2"
_INVESTED: Final = (
    "SELECT buy_offer, sum(amount_cents)::bigint AS cents FROM investments WHERE buy_offer = ANY($1::text[]) GROUP BY buy_offer"
)


class Kind(NamedTuple):
    """What decides which sell offers a buy offer would take; `affordable_cents` stops where more makes no difference."""

    currency: str
    criteria: Criteria
    agreements: tuple[str, ...]
    affordable_cents: int


class Money(NamedTuple):
    buy_offers: int = 0
    open_cents: int = 0

    def and_(self, more: "Money") -> "Money":
        return Money(self.buy_offers + more.buy_offers, self.open_cents + more.open_cents)


class Demand:
    """The buy offers by kind; `unexamined` are those beyond KINDS_MAX."""

    def __init__(self, kinds: dict[Kind, Money]) -> None:
        ordered = sorted(kinds.items(), key=lambda item: -item[1].open_cents)
        self._kinds = ordered[:KINDS_MAX]
        self.unexamined = sum(money.buy_offers for _, money in ordered[KINDS_MAX:])
        self._taken: defaultdict[tuple[str, str], set[Kind]] = defaultdict(set)  # (product, risk group)

    def meet(self, offers: Sequence[SellOffer]) -> None:
        """Note who would take any of these sell offers, each as a whole: what was invested in an asset before is not looked at."""
        by_market: defaultdict[str, list[SellOffer]] = defaultdict(list)
        for offer in offers:
            by_market[offer.currency].append(offer)
        for market, some in by_market.items():
            groups = list(dict.fromkeys((offer.product, offer.risk_group) for offer in some))
            codes = np.array([groups.index((offer.product, offer.risk_group)) for offer in some], np.int64)
            asked = Asked([offer.attributes for offer in some])
            least = rules.least_bids(np.array([o.amount_cents for o in some]), np.array([o.bid_cents_min for o in some]))
            needed = list(dict.fromkeys(offer.agreements for offer in some))
            needs = np.array([needed.index(offer.agreements) for offer in some], np.int64)
            for kind, _ in self._kinds:
                if kind.currency == market:
                    signed = np.array([set(names) <= set(kind.agreements) for names in needed])[needs]
                    taken = signed & (least <= kind.affordable_cents) & asked.taken(kind.criteria)
                    for code in np.flatnonzero(np.bincount(codes[taken], minlength=len(groups))).tolist():
                        self._taken[groups[code]].add(kind)

    def money(self, chosen: Callable[[str, str], bool]) -> Money:
        """Of the buy offers that would take some asset of the chosen (product, risk group), each counted once."""
        takers = set().union(*(kinds for group, kinds in self._taken.items() if chosen(*group)))
        total = Money()
        for kind, money in self._kinds:
            total = total.and_(money) if kind in takers else total
        return total


async def read(connection: Any, bid_cents_min: int) -> Demand:
    """All open buy offers, in a transaction of `connection`; `bid_cents_min` is the largest of any product.

    Raises:
        OSError, TimeoutError, asyncpg.PostgresError: the database does not answer.
    """
    kinds: dict[Kind, Money] = {}
    cursor = await connection.cursor(_PORTFOLIOS)
    while rows := await cursor.fetch(PORTFOLIOS):
        offers = [offer for row in rows for offer in decode_market(row["offers"]) if isinstance(offer, BuyOffer)]
        invested = {row["buy_offer"]: row["cents"] for row in await connection.fetch(_INVESTED, [offer.offer for offer in offers])}
        _add(kinds, offers, Counter(invested), 2 * bid_cents_min)
    return Demand(kinds)


def _add(kinds: dict[Kind, Money], offers: Iterable[BuyOffer], invested: Counter[str], enough_cents: int) -> None:
    """Count offers by kind. No least bid (rule 2 of the match) is above `enough_cents`."""
    for offer in offers:
        left = offer.amount_cents - invested[offer.offer]
        if left > 0 and not rules.fault(offer, offer.currency):
            kind = Kind(offer.currency, offer.criteria, offer.agreements, min(left, offer.bid_cents_max, enough_cents))
            kinds[kind] = kinds.get(kind, Money()).and_(Money(1, left))
