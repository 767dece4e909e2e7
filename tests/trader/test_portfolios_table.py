"""The table of portfolios has what the trader has placed of each, in PostgreSQL."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.trader.agent import sinks, stages
from schemas import events
from schemas.events import Bucket, BuyOffer, Portfolio
from streams import topics
from streams.effects import Message, Table
from streams.settings import load
from tests.database import database, empty_database, feed, sql, store
from tests.wanted import wants

__all__ = ["database", "empty_database", "sql", "store"]

CATALOG = load({}).load_catalog()
(STAGE,), (SINK,) = stages(CATALOG), sinks(CATALOG)


def portfolio(version, name="p", **rest):
    return Portfolio(name, "ann", version, "USD", 1_000, (Bucket("a", 70, wants(risk_groups=("A\0",))), Bucket("b", 30)), 500, **rest)


def message(value, offset, key=b"ann"):
    return Message("portfolios", 3, offset, 0, key, value if isinstance(value, bytes) else events.encode(value), ())


def newest(messages):
    """(investor, portfolio) -> version and offers, after the sink's statement."""
    rows = {}
    for statement in SINK.compute(messages):
        for investor, name, version, offers in statement.arguments:
            if version > rows.get((investor, name), (0, b""))[0]:
                rows[investor, name] = version, offers
    return rows


odd = st.sampled_from([b"", b"[]", message(portfolio(1), 0).value[:-1]])
placed = st.builds(portfolio, st.integers(1, 4), st.sampled_from("pq"), closed=st.booleans(), paused=st.booleans())


@given(told=st.lists(placed | odd, max_size=12), key=st.sampled_from([b"ann", b"bob"]))
def test_it_has_the_offers_that_the_trader_has_not_withdrawn(told, key):
    log = [message(value, n, key) for n, value in enumerate(told)]
    effects = STAGE.compute(Table(), log)
    open_offers = {}
    for record in effects.records:
        if record.topic is topics.OFFERS:
            for event in events.decode_market(record.value):
                open_offers.pop(event.offer, None)
                if isinstance(event, BuyOffer):
                    open_offers[event.offer] = event
    stored = [offer for _, offers in newest(log).values() for offer in events.decode_market(offers)]
    assert {offer.offer: offer for offer in stored} == open_offers


@pytest.mark.parametrize("cut", [1, 2, 5])
async def test_only_a_newer_version_replaces_one(store, sql, cut):
    log = [message(portfolio(version, closed=version == 3), n) for n, version in enumerate([2, 1, 2, 2**70, 3])]
    for start in range(0, len(log), cut):
        await feed(store, SINK, log[start : start + cut])
    (row,) = await sql.fetch("SELECT * FROM portfolios")
    assert (row["investor"], row["portfolio"], row["version"]) == ("ann", "p", 2**70)
    assert [offer.amount_cents for offer in events.decode_market(row["offers"])] == [700, 300]
