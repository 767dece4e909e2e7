from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st
from router_rows import assessed, message

from agents.router import agent
from agents.router.agent import stages
from schemas.events import decode_market
from streams import topics
from streams.effects import Table
from tests.rows import CATALOG

(STAGE,) = stages(CATALOG)
EUROS = {"currency": "EUR", "product": "consumer-loan-eur"}


def numbered(count, start=0, **more):
    return assessed(*({"asset_id": f"L{n}", **more} for n in range(start, start + count)))


def compute(table, *batches):
    effects = STAGE.compute(table, [message(batch, offset) for offset, batch in enumerate(batches)])
    return effects, [decode_market(record.value) for record in effects.records]


def test_it_reads_assessed_assets_and_remembers_offers():
    assert (STAGE.name, STAGE.source, STAGE.table) == ("router", topics.ASSESSED, topics.ROUTER_TABLE)


def test_a_market_is_the_partition_of_its_currency():
    assert CATALOG.markets == topics.MARKETS
    effects, events = compute(Table(), numbered(2, **EUROS), numbered(3, start=2), numbered(1, start=5, **EUROS))
    assert [(record.topic, record.key, record.partition) for record in effects.records] == [
        (topics.OFFERS, None, 0),
        (topics.OFFERS, None, 1),
    ]
    assert [[event.asset for event in found] for found in events] == [["L0", "L1", "L5"], ["L2", "L3", "L4"]]


@pytest.mark.parametrize(("count", "expected"), [(100, [100]), (101, [100, 1]), (240, [100, 100, 40])])
def test_a_record_carries_at_most_100_events(count, expected):
    _, events = compute(Table(), numbered(count))
    assert [len(found) for found in events] == expected
    assert [event.asset for found in events for event in found] == [f"L{n}" for n in range(count)]


def test_events_that_are_large_are_spread_over_more_records():
    effects, events = compute(Table(), numbered(7, country="x" * 200_000))
    assert max(len(record.value) for record in effects.records) <= agent.BYTES_MAX
    assert [event.asset for found in events for event in found] == [f"L{n}" for n in range(7)]


def test_messages_of_one_step_see_what_the_earlier_ones_did():
    effects, (events,) = compute(Table(), assessed({}), assessed({"version": 2}), assessed({"version": 2}))
    assert [(event.version, event.updated) for event in events] == [(1, False), (2, True)]
    assert list(effects.rows) == [b"bluebird/L1"]


def test_the_committed_table_goes_on_where_a_step_ended():
    table = Table()
    table.apply(compute(table, assessed({}))[0].rows)
    assert compute(table, assessed({})) == (agent.Effects(), [])
    _, (events,) = compute(table, assessed({"version": 2}))
    assert [event.updated for event in events] == [True]


def test_nothing_for_sale_writes_nothing():
    assert compute(Table(), numbered(3, status="repaid"))[0] == agent.Effects()


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 3), st.booleans()), min_size=1, max_size=12))
def test_one_step_of_many_messages_does_what_many_steps_do(rows):
    batches = [
        assessed({"asset_id": asset, "version": version, "status": "current" if well else "recalled"}) for asset, version, well in rows
    ]
    once = Table()
    effects, events = compute(once, *batches)
    once.apply(effects.rows)
    table, apart = Table(), []
    for batch in batches:
        effects, found = compute(table, batch)
        table.apply(effects.rows)
        apart += found
    assert ([*chain(*events)], once) == ([*chain(*apart)], table)
