"""A schedule from its document to the database, to a trace, and back: to intake's table and to a document."""

import pyarrow as pa
import pytest

from agents.assessor.assessment import Assessor
from agents.intake.diff import Document, difference
from agents.merger.agent import sinks
from schemas import columns
from schemas.asset import LOAN
from schemas.kinds import LOAN_KIND
from streams import queries, restoring, topics
from streams.decode import decode
from streams.dry_run import known
from streams.trace import queries as traces
from tests.database import feed, message
from tests.schedules import CATALOG, encoded, money, own

LINES = own()["schedule"]
PAID = {"principal": money(0), "interest": money(1), "fees": money(0)}
OFF = [*LINES[:6], {**LINES[6], "interest": money(int(LINES[6]["interest"].to_decimal() * 100) - 1)}, *LINES[7:]]
BOOK = (encoded(), encoded(schedule=OFF), encoded(schedule=OFF, paid=PAID), encoded(schedule=LINES, schedule_convention=None, paid=PAID))


@pytest.fixture
async def table(store):
    """Intake's table after the book's versions of one loan, which are in the database."""
    table, assessor = {}, Assessor(CATALOG.products)
    for number, data in enumerate(BOOK):
        found = difference([Document(data, b"bluebird", 0, 0)], table, 0, 1, CATALOG.products)
        assert found.refusals == []
        table |= found.rows
        arrays = list(found.columns.columns)
        arrays[columns.CHANGED.get_field_index("batch")] = pa.array(["b"])
        rows = assessor.assess(pa.RecordBatch.from_arrays(arrays, schema=columns.CHANGED))
        await feed(store, sinks(CATALOG)[0], [message(topics.ASSESSED, columns.encode(rows), number)])
    return table


async def test_a_trace_tells_each_line_what_it_is_off_by_and_what_changed_of_it(store, table):
    assert table
    whole = await traces.trace(await store.pool(), "bluebird", "LC1")
    first, moved, paid, alone = whole["versions"]
    assert (first["document"]["schedule.0.due"], first["document"]["first_due"]) == ("2026-10-15", "2026-10-15")
    assert (first["document"]["schedule.0.principal"], first["document"]["schedule.0.interest"]) == ("922.07", "131.27")
    assert "schedule.11.interest" in first["document"]
    assert "schedule.12.due" not in first["document"]
    assert first["schedule_differences"] == []
    assert first["assessment"]["residual"] is None
    assert (moved["change"], moved["schedule_differences"]) == ("terms_changed", [{"line": 6, "principal": "0.00", "interest": "-0.01"}])
    assert moved["differences"] == [{"field": "schedule.6.interest", "before": "47.44", "after": "47.43"}]
    assert paid["change"] == "repayment_reported"
    assert alone["schedule_differences"] is None


async def test_intakes_row_made_again_from_the_database_is_intakes(store, table):
    pool = await store.pool()
    assert await known.rows(pool, "bluebird", [b"LC1"]) == table


async def test_a_document_made_again_from_the_database_says_the_same(store, table):
    assert table
    rows = await queries.versions(await store.pool(), "bluebird", "LC1")
    again = [restoring.document(LOAN_KIND, row) for row in rows]
    assert decode(again, LOAN).columns.equals(decode(BOOK, LOAN).columns)
