"""Agents do not see where their table is: in memory and in RocksDB they find the same rows and do the same."""

from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.events import Bucket, Portfolio, encode
from streams import topics
from streams.app import discover
from streams.changelog import Place
from streams.effects import Message, Table
from streams.partition import asset_key, partition_of
from streams.rocks import RocksTables
from tests.loans import encoded, paid
from tests.rows import CATALOG
from tests.tables.keeping import rows

STAGES = {stage.name: stage for stage in discover(CATALOG)[0]}
TIME_MS = 1_795_392_000_000  # 2026-11-23
ASSETS = [f"A{n}" for n in range(200) if partition_of(asset_key(b"bluebird", b"A%d" % n), topics.ASSET_PARTITIONS) == 0]
ROWS = st.dictionaries(st.binary(min_size=1, max_size=3), st.none() | st.binary(max_size=80), max_size=8)


def opened(folder, topic=topics.INTAKE_TABLE):
    return RocksTables(Path(folder), "worker-1").open("test.agent.0", topic)


@given(st.lists(ROWS, max_size=12), st.sets(st.binary(min_size=1, max_size=3), max_size=30))
@settings(max_examples=60)
def test_both_tables_have_the_same_rows_after_the_same_steps(steps, others):
    keys = {key for step in steps for key in step} | others
    with TemporaryDirectory() as folder:
        memory, place = Table(), None
        with closing(opened(folder)) as kept:
            for n, step in enumerate(steps):
                place = Place(n, TIME_MS + n, b"%d 0" % n)
                memory.apply(step)
                kept.keep(step, place)
                assert [kept.get(key) for key in keys] == [memory.get(key) for key in keys]
                assert [key in kept for key in keys] == [key in memory for key in keys]
        with closing(opened(folder)) as again:
            assert again.place == place
            assert {key: value for key, value in rows(again).items() if key != b"\0offset"} == memory


def deliveries():
    """Three messages of documents: new ones, the same and changed ones, changed and some for the second time in one message."""
    for number in range(3):
        documents = [
            encoded(asset, status="late" if number and n % 3 == 0 else "current", paid=paid(f"{100 * (number * (n % 2))}.00", "5.00"))
            for n, asset in enumerate(ASSETS)
        ]
        yield b"".join([*documents, encoded(ASSETS[number], days_past_due=number), encoded(ASSETS[5], days_past_due=-1)])


def portfolios():
    for version in (1, 2, 2, 3):
        yield encode(Portfolio("main", "ann", version, "USD", 1_000_00 * version, (Bucket("a", 60), Bucket("b", 40)), 90_00))


def run(stage, table, apply, values, headers=()):
    """The effects of each of `values`, one Step after the other."""
    effects = []
    for offset, value in enumerate(values):
        effects.append(stage.compute(table, [Message(stage.source.name, 0, offset, TIME_MS, b"ann", value, headers)]))
        apply(effects[-1].rows, Place(offset, TIME_MS, b"%d 0" % offset))
    return effects


def sent(effects, topic):
    return [record.value for one in effects for record in one.records if record.topic is topic]


def inputs():
    """Stage -> the messages that it is tried with, each the output of the stage before it."""
    headers = (("originator", b"bluebird"), ("batch", b"bluebird.1"))
    changed = run(STAGES["intake"], table := Table(), lambda rows, _: table.apply(rows), deliveries(), headers)
    assessed = run(STAGES["assessor"], Table(), lambda *_: None, sent(changed, topics.CHANGED))
    return {"intake": (list(deliveries()), headers), "router": (sent(assessed, topics.ASSESSED), ()), "trader": (list(portfolios()), ())}


@pytest.mark.parametrize("name", ["intake", "router", "trader"])
def test_an_agent_does_the_same_with_both(name, tmp_path):
    values, headers = inputs()[name]
    memory = Table()
    expected = run(STAGES[name], memory, lambda rows, _: memory.apply(rows), values, headers)
    with closing(opened(tmp_path)) as kept:
        assert run(STAGES[name], kept, kept.keep, values, headers) == expected
        assert {key: value for key, value in rows(kept).items() if key != b"\0offset"} == memory
    assert memory
    assert len(expected) >= 3
