"""The demand for a book: the open money of the buy offers that would take some of it, each counted once."""

from collections import Counter
from datetime import date

import asyncpg
import msgspec
import pytest
from msgspec.structs import replace

from agents.confirmer.agent import stages as confirmers
from agents.matcher.agent import compute as match
from agents.matcher.book import Book
from agents.trader.agent import sinks, stages
from schemas import events
from schemas.catalog import Investor
from schemas.events import Bucket, Portfolio, SellOffer
from streams import topics
from streams.dry_run import demand, summary
from streams.effects import Message, Table
from tests.database import database, empty_database, feed, message, store
from tests.dry_run.system import SINKS
from tests.rows import CATALOG
from tests.wanted import attributes, wants

__all__ = ["database", "empty_database", "store"]

(TRADER,), (PORTFOLIOS,), (CONFIRMER,) = stages(CATALOG), sinks(CATALOG), confirmers(CATALOG)
USD = topics.MARKETS.index("USD")
DAY = date(2026, 3, 2)


def offer(number, group="A", cents=100_000, **rest):
    rest = {"price_bp": 10_000, "rate_ppm": 90_000, "remaining_months": 24, "days_past_due": 0, "country": "US", **rest}
    placed = SellOffer(
        f"bluebird/{number}/1", "bluebird", f"{number}", 1, "consumer-loan-usd", "USD", amount_cents=cents, risk_group=group,
        all_or_none=False, bid_cents_min=2_500, bid_cents_max=50_000, **rest,
    )  # fmt: skip
    return msgspec.structs.replace(placed, attributes=attributes(placed))


def portfolio(name, cents, *criteria, **rest):
    buckets = tuple(Bucket(f"b{n}", 100 // len(criteria), one) for n, one in enumerate(criteria))
    return Portfolio(name, "ann", rest.pop("version", 1), rest.pop("currency", "USD"), cents, buckets, 50_000, **rest)


ANY, ONLY_A, ONLY_B = wants(), wants(risk_groups=("A",)), wants(risk_groups=("B",))
PLACED = [
    portfolio("wide", 400_000, ANY, ONLY_A),
    portfolio("b", 10_000, ONLY_B),
    portfolio("rich", 300_000, wants(rate_ppm_min=100_000)),
    portfolio("poor", 1_000, ANY),
    portfolio("euro", 50_000, ANY, currency="EUR"),
    portfolio("gone", 50_000, ANY),
    portfolio("gone", 50_000, ANY, version=2, closed=True),
    portfolio("resting", 50_000, ANY),
    portfolio("resting", 50_000, ANY, version=2, paused=True),
    portfolio("old", 70_000, ANY),
    portfolio("old", 80_000, ONLY_B, version=2),
]


async def meet(dsn, offers):
    connection = await asyncpg.connect(dsn)
    async with connection.transaction(readonly=True):
        found = await demand.read(connection, 2_500)
        lines = summary.products([offers], found)
    await connection.close()
    return lines, found


def money(line):
    return line["demand"]["buy_offers"], line["demand"]["open_cents"]


async def place(store, portfolios):
    await feed(store, PORTFOLIOS, [Message("portfolios", 3, n, 0, b"ann", events.encode(one), ()) for n, one in enumerate(portfolios)])


async def test_a_buy_offer_counts_where_it_would_take_an_asset_and_once_in_all(database, store):
    await place(store, PLACED)
    (line,), _ = await meet(database, [offer(1), offer(2, "B", price_bp=9_500, cents=300_000), offer(3, "B", price_bp=9_501)])
    assert money(line) == (4, 490_000)
    a, b = line["risk_groups"]
    assert (a["risk_group"], *money(a)) == ("A", 2, 400_000)
    assert (b["risk_group"], *money(b)) == ("B", 3, 290_000)
    assert line["price_bp"] == {"lowest": 9_500, "mean": 9_600, "highest": 10_000}
    assert (b["assets"], b["amount_cents"], b["price_bp"]["mean"]) == (2, 400_000, 9_500)


async def test_what_is_open_is_what_the_matcher_has_open(database, store):
    await place(store, PLACED)
    book, log = Book(), [Message("portfolios", 3, n, 0, b"ann", events.encode(one), ()) for n, one in enumerate(PLACED)]
    offers = [record for record in TRADER.compute(Table(), log).records if record.partition == USD]
    sold = events.encode([offer(n, "B" if n % 2 else "A", cents=30_000) for n in range(10, 16)])
    inputs = [Message("offers", USD, n, 0, None, value, ()) for n, value in enumerate([*(record.value for record in offers), sold])]
    effects = match(book, inputs)
    book.apply(effects.rows)
    proposed = [message(topics.PROPOSED, record.value, n) for n, record in enumerate(effects.records)]
    made = [message(topics.INVESTMENTS, record.value, n) for n, record in enumerate(CONFIRMER.compute(Table(), proposed).records)]
    assert len(made) > 5
    await feed(store, SINKS[topics.INVESTMENTS], made)
    (line,), found = await meet(database, [offer(n, group, rate_ppm=200_000, cents=3_000_000) for n, group in enumerate("AB")])
    buys = book.buys
    takers = [int(buys.open[slot]) for slot in buys.slots.values() if min(buys.open[slot], buys.most[slot]) >= 2_500]
    assert money(line) == (len(takers), sum(takers))
    assert found.unexamined == 0


async def test_money_that_may_not_buy_for_want_of_an_agreement_does_not_count(database, store):
    (bound,) = sinks(replace(CATALOG, investors={"ben": Investor("ben", agreements={"risk": DAY, "kyc": DAY})}))
    await feed(store, bound, [Message("portfolios", 3, 0, 0, b"ann", events.encode(portfolio("free", 100_000, ANY)), ())])
    his = replace(portfolio("bound", 300_000, ANY), investor="ben")
    await feed(store, bound, [Message("portfolios", 3, 1, 0, b"ben", events.encode(his), ())])
    for needed, expected in (((), (2, 400_000)), (("risk",), (1, 300_000)), (("risk", "other"), (0, 0))):
        (line,), _ = await meet(database, [offer(1, agreements=needed)])
        assert money(line) == expected, needed


async def test_buy_offers_beyond_the_limit_are_counted(database, store, monkeypatch):
    monkeypatch.setattr(demand, "KINDS_MAX", 1)
    await place(store, PLACED)
    (line,), found = await meet(database, [offer(1, rate_ppm=200_000)])
    assert (*money(line), found.unexamined) == (1, 300_000, 6)


@pytest.mark.parametrize(
    ("cents", "expected"), [({10_000: 1, 10_001: 1}, 10_001), ({9_000: 3, 10_000: 1}, 9_250), ({10_000: 10**14}, 10_000)]
)
def test_the_mean_price_is_weighted_by_amount_and_rounded_half_up(cents, expected):
    assert summary.mean(Counter(cents)) == expected
