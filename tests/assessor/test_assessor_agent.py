import pyarrow as pa
import pytest
from assessor_rows import ROW, changed, message

from agents.assessor.agent import stages
from schemas import events
from schemas.asset import LOAN, Kind
from schemas.columns import ASSESSED, decode
from streams import topics
from streams.effects import Table
from tests.rows import CATALOG

STAGE, _ = stages(CATALOG)


def numbered(start, count, **more):
    return changed(*({"asset_id": f"L{n}", "position": n, **more} for n in range(start, start + count)))


def compute(*messages):
    effects = STAGE.compute(Table(), messages)
    assert effects.rows == {}
    return effects.records, [decode(record.value, ASSESSED) for record in effects.records]


def test_it_reads_changed_assets_and_keeps_only_its_offset():
    assert (STAGE.name, STAGE.source, STAGE.table) == ("assessor", topics.CHANGED, topics.ASSESSOR_TABLE)


def test_one_message_becomes_one_record_in_its_partition_with_its_rows_in_order():
    records, batches = compute(message(numbered(0, 500), partition=5))
    assert [(record.topic, record.key, record.partition) for record in records] == [(topics.ASSESSED, None, 5)]
    assert batches[0]["position"].to_pylist() == list(range(500))


@pytest.mark.parametrize(
    ("sizes", "expected"), [((1,) * 300, [300]), ((600, 400, 1), [1000, 1]), ((600, 500), [600, 500]), ((1200, 3), [1200, 3])]
)
def test_small_messages_share_a_record_of_at_most_a_thousand_rows(sizes, expected):
    starts = [sum(sizes[:n]) for n in range(len(sizes))]
    _, batches = compute(*(message(numbered(start, size)) for start, size in zip(starts, sizes, strict=True)))
    assert [batch.num_rows for batch in batches] == expected
    assert [place for batch in batches for place in batch["position"].to_pylist()] == list(range(sum(sizes)))


def test_messages_that_are_large_keep_a_record_each():
    _, batches = compute(*(message(numbered(start, 2, batch="x" * 150_000)) for start in (0, 2, 4)))
    assert [batch.num_rows for batch in batches] == [2, 2, 2]


def test_an_assessment_that_outgrows_a_record_is_halved():
    records, batches = compute(message(numbered(0, 4, batch="x" * 300_000)))
    assert [batch.num_rows for batch in batches] == [2, 2]
    assert max(len(record.value) for record in records) < topics.MESSAGE_BYTES_MAX
    assert [place for batch in batches for place in batch["position"].to_pylist()] == [0, 1, 2, 3]


def test_partitions_are_never_mixed():
    records, _ = compute(message(numbered(0, 1), partition=1), message(numbered(1, 1), partition=2))
    assert [record.partition for record in records] == [1, 2]


def test_a_thousand_assets_with_all_texts_at_their_longest_fit_their_records():
    longest = {field.column: "é" * (field.length // 2) for field in LOAN if field.kind is Kind.TEXT and field.column not in ROW}
    records, batches = compute(*(message(numbered(start, 250, **longest)) for start in (0, 250, 500, 750)))
    assert sum(batch.num_rows for batch in batches) == 1000
    assert max(len(record.value) for record in records) <= topics.MESSAGE_BYTES_MAX


def test_a_message_that_cannot_be_read_is_quarantined_and_its_neighbours_are_assessed():
    other = message(pa.RecordBatch.from_pylist([{"asset_id": "L1"}]))
    bad = [other, other._replace(value=b"no Arrow at all"), other._replace(value=b"")]
    effects = STAGE.compute(Table(), [*bad, message(changed({}))])
    assert effects.poison == 3
    assert [record.topic for record in effects.records] == [topics.REJECTED] * 3 + [topics.ASSESSED]
    assert "columns differ" in events.decode_rejected(effects.records[0].value).reason
