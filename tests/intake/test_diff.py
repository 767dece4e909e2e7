"""What intake finds when it compares a loan book with the latest versions."""

from datetime import UTC, datetime
from itertools import pairwise

import bson
import pytest
from bson.decimal128 import Decimal128
from hypothesis import given
from hypothesis import strategies as st

from agents.intake.diff import Document, difference
from agents.intake.versions import unpack
from schemas.asset import Change
from streams.effects import Table
from streams.partition import partition_of
from streams.settings import load
from tests.loans import encoded, paid

PRODUCTS = load({}).load_catalog().products


def compare(table, *docs, partition=None):
    documents = [Document(doc, b"bluebird", 0, 100 * i) for i, doc in enumerate(docs)]
    home = partition_of(b"bluebird/LC1", 8) if partition is None else partition
    found = difference(documents, table, home, 8, PRODUCTS)
    table.apply(found.rows)
    return found


def changes(found):
    return [(v.latest.version, v.change) for v in found.versions]


def test_an_asset_never_seen_is_created_as_version_1():
    found = compare(Table(), encoded())
    assert changes(found) == [(1, Change.CREATED)]
    assert found.columns["outstanding"].to_pylist() == [2701586]
    assert found.outcomes == {(0, "created"): 1}


def test_the_same_bytes_again_change_nothing():
    table = Table()
    compare(table, encoded())
    found = compare(table, encoded())
    assert (found.versions, found.rows, found.outcomes) == ([], {}, {(0, "unchanged"): 1})


def test_a_duplicate_within_one_step_is_unchanged_too():
    found = compare(Table(), encoded(), encoded())
    assert found.outcomes == {(0, "created"): 1, (0, "unchanged"): 1}


def test_versions_of_one_asset_within_one_step_follow_each_other():
    found = compare(Table(), encoded(), encoded(days_past_due=3), encoded(term_months=48), encoded())
    assert changes(found) == [(1, "created"), (2, "status_changed"), (3, "extended"), (4, "terms_changed")]


REPAID = {"outstanding": Decimal128("26000.00"), "paid": paid("2000.00", "1300.00", "5.00")}


@pytest.mark.parametrize(
    ("changed", "change"),
    [
        ({"rate": Decimal128("0.1500")}, Change.TERMS_CHANGED),
        ({"purpose": "car"}, Change.TERMS_CHANGED),
        ({"borrower": ...}, Change.TERMS_CHANGED),
        (REPAID, Change.REPAYMENT_REPORTED),
        ({**REPAID, "term_months": 48}, Change.EXTENDED),
        ({"rate": Decimal128("0.1500"), "term_months": 24}, Change.TERMS_CHANGED),
        ({"status": "late", "days_past_due": 20}, Change.STATUS_CHANGED),
        ({"status": "recalled"}, Change.RECALLED),
        ({**REPAID, "status": "defaulted"}, Change.DEFAULTED),
        ({**REPAID, "status": "repaid"}, Change.REPAID),
    ],
)
def test_a_change_is_named_by_the_first_kind_that_applies(changed, change):
    table = Table()
    compare(table, encoded())
    assert changes(compare(table, encoded(**changed))) == [(2, change)]


@pytest.mark.parametrize("end", ["recalled", "defaulted", "repaid"])
@pytest.mark.parametrize("again", ["current", "late"])
def test_a_loan_that_was_at_an_end_and_goes_on_has_returned(end, again):
    table = Table()
    compare(table, encoded(status=end))
    assert changes(compare(table, encoded(status=again, term_months=48, **REPAID))) == [(2, Change.RETURNED)]


def test_from_one_end_to_another_is_no_return():
    table = Table()
    compare(table, encoded(status="defaulted"))
    assert changes(compare(table, encoded(status="recalled"))) == [(2, Change.RECALLED)]


def at(minute, **changed):
    return encoded(updated_at=datetime(2026, 11, 23, 8, minute, tzinfo=UTC), **changed)


def test_a_document_older_than_what_is_known_is_stale_and_changes_nothing():
    table = Table()
    compare(table, at(30, days_past_due=3))
    before = dict(table)
    found = compare(table, at(29))
    assert (found.versions, found.refusals, found.outcomes, table) == ([], [], {(0, "stale"): 1}, before)


def test_a_document_of_the_same_moment_or_of_none_is_newer_and_the_latest_moment_stays():
    table = Table()
    found = compare(table, at(30), at(30, days_past_due=1), encoded(days_past_due=2), at(29, days_past_due=3), at(31, days_past_due=4))
    assert [v.latest.version for v in found.versions] == [1, 2, 3, 4]
    assert found.outcomes[0, "stale"] == 1
    assert unpack(table[b"bluebird/LC1"]).updated_ms == 1_795_422_660_000


@given(st.permutations(range(6)))
def test_in_whatever_order_documents_come_the_newest_is_the_latest_version(order):
    table = Table()
    outcomes = compare(table, *(at(minute, days_past_due=minute) for minute in order)).outcomes
    newest = compare(table, at(5, days_past_due=5))
    assert newest.outcomes == {(0, "unchanged"): 1}
    assert sum(outcomes.values()) == 6


def test_repayments_are_deltas_and_a_correction_downwards_is_negative():
    table = Table()
    compare(table, encoded())
    (up,) = compare(table, encoded(**REPAID)).versions
    (down,) = compare(table, encoded()).versions
    assert up.deltas == (101586, 28481, 500, -101586)
    assert down.deltas == (-101586, -28481, -500, 101586)


def test_a_document_of_another_originator_is_refused_even_where_its_bytes_are_known():
    table = Table()
    compare(table, encoded())
    (refusal,) = compare(table, encoded(originator="harbor")).refusals
    assert (refusal.field, refusal.asset) == ("originator_id", "LC1")


def test_an_unknown_product_or_another_currency_than_its_product_is_refused():
    first, second = compare(Table(), encoded(product="yacht"), encoded(currency="EUR")).refusals
    assert (first.field, second.field) == ("product", "currency")
    assert "USD" in second.reason


def test_a_refused_document_leaves_the_table_and_its_neighbours_alone():
    table = Table()
    found = compare(table, encoded(days_past_due=-1), encoded(), b"\x05\0\0\0\0")
    assert changes(found) == [(1, "created")]
    assert [(r.document.position, r.field) for r in found.refusals] == [(0, "days_past_due"), (200, "originator_id")]
    assert unpack(table[b"bluebird/LC1"]).version == 1


def test_an_asset_that_belongs_to_another_partition_is_not_processed_here():
    home = partition_of(b"bluebird/LC1", 8)
    found = compare(Table(), encoded(), partition=(home + 1) % 8)
    assert found.versions == []
    assert [(key, where) for key, where, _ in found.elsewhere] == [(b"bluebird/LC1", home)]


books = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4), st.sampled_from(["current", "late", "recalled"])), max_size=30)


@given(books, st.lists(st.integers(0, 30), max_size=4))
def test_how_documents_are_grouped_into_steps_changes_nothing(book, cuts):
    docs = [
        Document(encoded(f"LC{asset}", days_past_due=days, status=status), b"bluebird", 0, i)
        for i, (asset, days, status) in enumerate(book)
    ]
    results = []
    for edges in ([0, len(docs)], sorted({0, len(docs), *(min(cut, len(docs)) for cut in cuts)})):
        table, seen = [Table() for _ in range(8)], []
        for start, end in pairwise(edges):
            for partition in range(8):
                mine = [d for d in docs[start:end] if partition_of(b"bluebird/" + bson.decode(d.data)["asset_id"].encode(), 8) == partition]
                found = difference(mine, table[partition], partition, 8, PRODUCTS)
                table[partition].apply(found.rows)
                seen += [(v.document.position, v.latest, v.change, v.deltas) for v in found.versions]
        results.append((table, sorted(seen)))
    assert results[0] == results[1]
