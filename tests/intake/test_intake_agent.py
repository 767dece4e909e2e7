"""Messages in, records and rows out."""

import struct

import pytest
from bson.decimal128 import Decimal128

from agents.intake.agent import take_in
from schemas import columns
from schemas.events import decode_batch, decode_rejected, decode_repayment
from streams import topics
from streams.effects import Message, Table
from streams.partition import partition_of
from streams.settings import load
from tests.loans import encoded, paid

CATALOG = load({}).load_catalog()
HEADERS = (("originator", b"bluebird"), ("batch", b"bluebird.1"))
HOME = partition_of(b"bluebird/LC1", 8)
TIME_MS = 1_795_392_000_000  # 2026-11-23


def take(table, value, headers=HEADERS, partition=HOME):
    effects = take_in(CATALOG, table, [Message("assets.ingest", partition, 7, TIME_MS, None, value, headers)])
    table.apply(effects.rows)
    return effects


def of(effects, topic):
    return [record for record in effects.records if record.topic is topic]


def test_a_new_asset_goes_to_assets_changed_with_batch_and_position():
    positions = struct.pack("<Q", 4711)
    effects = take(Table(), encoded(), (*HEADERS, ("positions", positions)))
    (record,) = of(effects, topics.CHANGED)
    (row,) = columns.decode(record.value, columns.CHANGED).to_pylist()
    assert record.partition == HOME
    assert (row["batch"], row["position"], row["version"], row["change"]) == ("bluebird.1", 4711, 1, "created")
    (progress,) = of(effects, topics.BATCHES)
    assert decode_batch(progress.value).counts == {"created": 1}


def test_a_repayment_is_reported_for_the_ledger():
    table = Table()
    take(table, encoded())
    (record,) = of(take(table, encoded(paid=paid("984.14", "1300.00"))), topics.REPAYMENTS)
    event = decode_repayment(record.value)
    assert (event.principal_cents, event.interest_cents, event.version, event.batch) == (0, 28481, 2, "bluebird.1")
    assert record.key == b"bluebird/LC1"


def test_a_refused_document_is_quarantined_with_its_bytes_place_and_reason():
    bad = encoded(days_past_due=-1)
    (record,) = of(take(Table(), bad), topics.REJECTED)
    event = decode_rejected(record.value)
    assert (event.document, event.source, event.field, event.asset) == (bad, f"assets.ingest-{HOME}-7", "days_past_due", "LC1")


def test_a_damaged_end_rejects_the_rest_and_keeps_what_came_before():
    good = encoded()
    effects = take(Table(), good + b"\x99\x99\x99\x99 what is this")
    assert len(of(effects, topics.CHANGED)) == 1
    (record,) = of(effects, topics.REJECTED)
    assert decode_rejected(record.value).position == len(good)
    (progress,) = of(effects, topics.BATCHES)
    assert decode_batch(progress.value).counts == {"created": 1, "rejected": 1}


def test_a_message_of_nobody_is_quarantined_whole():
    for headers in ((), (("originator", b"nobody"),)):
        effects = take(Table(), encoded(), headers)
        assert [record.topic for record in effects.records] == [topics.REJECTED]
        assert effects.rows == {}


def test_messages_without_a_batch_belong_to_the_batch_of_their_day():
    (progress,) = of(take(Table(), encoded(), HEADERS[:1]), topics.BATCHES)
    assert decode_batch(progress.value).batch == "bluebird.direct-20261123"


def test_an_asset_in_a_foreign_partition_is_sent_to_its_own_with_its_batch_and_position():
    effects = take(Table(), encoded("LC2") + encoded("LC1"), partition=(HOME + 1) % 8)
    forwarded = {record.key: record for record in of(effects, topics.INGEST)}
    record = forwarded[b"bluebird/LC1"]
    assert record.partition == HOME
    arrived = take(Table(), record.value, record.headers)
    (row,) = columns.decode(of(arrived, topics.CHANGED)[0].value, columns.CHANGED).to_pylist()
    assert (row["asset_id"], row["batch"], row["position"]) == ("LC1", "bluebird.1", len(encoded("LC2")))


def test_nobody_adds_to_a_batch_of_another_originator():
    headers = (("originator", b"bluebird"), ("batch", b"harbor.1"))
    (progress,) = of(take(Table(), encoded(), headers), topics.BATCHES)
    assert decode_batch(progress.value).batch == "bluebird.harbor.1"


def test_headers_and_values_that_are_null_stop_nothing():
    effects = take(Table(), encoded(), (("originator", None), ("batch", None)))
    assert [record.topic for record in effects.records] == [topics.REJECTED]
    effects = take(Table(), encoded(), (("originator", b"bluebird"), ("batch", None), ("positions", None)))
    assert len(of(effects, topics.CHANGED)) == 1


def test_a_document_too_large_is_refused_where_it_arrives_and_never_forwarded():
    effects = take(Table(), encoded(extra="x" * 1_000_000), partition=(HOME + 1) % 8)
    (record,) = of(effects, topics.REJECTED)
    assert len(record.value) < topics.MESSAGE_BYTES_MAX
    assert of(effects, topics.INGEST) == []


def test_a_correction_of_what_is_outstanding_alone_is_reported_too():
    table = Table()
    take(table, encoded())
    (record,) = of(take(table, encoded(outstanding=Decimal128("27000.00"))), topics.REPAYMENTS)
    event = decode_repayment(record.value)
    assert (event.principal_cents, event.interest_cents, event.fees_cents, event.outstanding_cents) == (0, 0, 0, 2_700_000)


@pytest.mark.parametrize("positions", [b"", b"x", struct.pack("<Q", 7), struct.pack("<2Q", 0, 2**63), bytes(15)])
def test_positions_that_cannot_be_are_those_within_the_message(positions):
    value = encoded() + encoded("LC1", days_past_due=-1)
    effects = take(Table(), value, (*HEADERS, ("positions", positions)))
    (changed,), (rejected,) = of(effects, topics.CHANGED), of(effects, topics.REJECTED)
    assert columns.decode(changed.value, columns.CHANGED)["position"].to_pylist() == [0]
    assert decode_rejected(rejected.value).position == len(encoded())


@pytest.mark.parametrize("timestamp_ms", [-(2**63), 2**63 - 1])
def test_a_message_of_no_day_goes_to_quarantine_whole(timestamp_ms):
    message = Message("assets.ingest", HOME, 7, timestamp_ms, None, encoded(), (("originator", b"bluebird"),))
    (record,) = take_in(CATALOG, Table(), [message]).records
    assert "of no day" in decode_rejected(record.value).reason
