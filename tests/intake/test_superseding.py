"""A batch is dropped by versions that supersede its own; then the latest state of each asset is the one before it."""

from datetime import UTC, date, datetime, timedelta
from struct import pack

import bson
import pyarrow as pa
import pytest
from bson.decimal128 import Decimal128
from hypothesis import given
from hypothesis import strategies as st

from agents.intake.agent import take_in
from agents.intake.kinds import read
from agents.intake.versions import ABSENT, STATUSES, unpack
from schemas import columns
from schemas.asset import LOAN, Kind, Status
from schemas.events import decode_batch
from schemas.kinds import LOAN_KIND
from schemas.schedules import texts_of
from streams import topics
from streams.decode import decode
from streams.effects import Message, Table
from streams.partition import partition_of
from streams.restoring import document, undo
from streams.settings import load
from streams.supersession import HEADER, STALE, Supersession
from streams.supersession import pack as packed
from streams.supersession import unpack as entries_of
from tests import invoices
from tests.loans import DAY, encoded, paid, schedule

CATALOG = load({}).load_catalog()
HOME = partition_of(b"bluebird/LC1", 8)
ASSETS = [name for n in range(100) if partition_of(f"bluebird/{(name := f'LC{n}')}".encode(), 8) == HOME][:4]
DIGEST, EPOCH = bytes(range(16)), datetime(1970, 1, 1, tzinfo=UTC)


class Market:
    """Intake's table, and the rows that the merger stores of its versions, by asset."""

    def __init__(self, catalog=CATALOG):
        self.catalog, self.table, self.stored, self.changed = catalog, Table(), {}, []

    def send(self, batch, docs, supersedes=None):
        """Take in a message of `batch`; returns what its documents came to."""
        headers = [("originator", b"bluebird"), ("batch", batch.encode()), ("positions", pack(f"<{len(docs)}Q", *range(len(docs))))]
        if supersedes is not None:
            headers.append((HEADER, packed(supersedes)))
        effects = take_in(self.catalog, self.table, [Message("assets.ingest", HOME, 7, 0, None, b"".join(docs), tuple(headers))])
        self.table.apply(effects.rows)
        self.changed += [record.value for record in effects.records if record.topic is topics.CHANGED]
        for row in (row for value in self.changed[-1:] if effects.rows for row in columns.decode(value, columns.CHANGED).to_pylist()):
            self.stored.setdefault(row["asset_id"], []).append(stored(row))
        (progress,) = [decode_batch(record.value) for record in effects.records if record.topic is topics.BATCHES]
        return progress.counts

    def drop(self, batch, kind=LOAN_KIND):
        """What the gateway does to drop a batch: documents, and what they supersede."""
        undone = []
        for rows in self.stored.values():
            if rows[-1]["batch"] == batch:
                kept = [row for row in rows if row["batch"] != batch]
                undone.append(undo(kind, rows[-1], *before(kept)))
        return [one for one in undone if one]


def before(kept):
    """The last of these versions and the latest moment that they give, as the database finds them."""
    if not kept:
        return None, None
    return kept[-1], max((row["updated_at"] for row in kept if row["updated_at"]), default=None)


def stored(row):
    """A row of CHANGED as asset_versions has it."""
    days = {field.column for field in LOAN if field.kind is Kind.DAY}
    moments = {field.column for field in LOAN if field.kind is Kind.MOMENT}
    names = {field.column: field.stored for field in LOAN}
    found = {names.get(name, name): value for name, value in row.items()}
    for name in days:
        found[name] = None if row[name] is None else date(1970, 1, 1) + timedelta(row[name])
    found["schedule"] = texts_of(pa.array([row["schedule"]], columns.LINES))[0].as_py()
    for name in moments:
        found[name] = None if row[name] is None else EPOCH + timedelta(milliseconds=row[name])
    return found


documents = st.builds(
    lambda asset, status, days, paid_cents, term, updated, schedule: encoded(
        asset,
        schedule=schedule if term == 36 else ...,
        status=status,
        days_past_due=days,
        term_months=term,
        paid=paid(f"{paid_cents / 100:.2f}", "1.5"),
        updated_at=... if updated is None else DAY + timedelta(days=updated, milliseconds=7),
    ),
    st.sampled_from(ASSETS),
    st.sampled_from(list(Status)).map(str),
    st.integers(0, 2),
    st.integers(0, 3),
    st.sampled_from([36, 48]),
    st.none() | st.integers(0, 3),
    st.sampled_from([..., schedule(36, 2_800_000), schedule(36, 2_800_000, interest=7)]),
)
deliveries = st.lists(st.lists(documents, min_size=1, max_size=6), max_size=4)
VERSION = slice(16, 20)


def state(table):
    """The rows without their version numbers."""
    return {key: row[: VERSION.start] + row[VERSION.stop :] for key, row in table.items()}


def numbers(table):
    return {key: unpack(row).version for key, row in table.items()}


@given(deliveries, st.lists(documents, min_size=1, max_size=8), deliveries)
def test_after_a_drop_each_asset_is_as_it_was_before_the_batch_and_the_batch_can_come_again(earlier, bad, later):
    market = Market()
    for n, docs in enumerate(earlier):
        market.send(f"bluebird.earlier-{n}", docs)
    was = dict(market.table)
    market.send("bluebird.bad", bad)
    for n, docs in enumerate(later):
        market.send(f"bluebird.later-{n}", docs)
    latest = dict(market.table)
    theirs = {f"bluebird/{name}".encode() for name, rows in market.stored.items() if rows[-1]["batch"] == "bluebird.bad"}
    undone = market.drop("bluebird.bad")
    counts = market.send("bluebird.drop", [doc for doc, _ in undone], [entry for _, entry in undone]) if undone else {}

    assert sum(counts.values()) == len(undone)
    moved = {key for key in latest if market.table[key] != latest[key]}
    assert moved <= theirs
    assert {key: numbers(market.table)[key] - numbers(latest)[key] for key in moved} == dict.fromkeys(moved, 1)
    for key in theirs:
        row = unpack(market.table[key])
        if key in was:
            assert state({key: market.table[key]}) == state({key: was[key]})
        else:
            assert STATUSES[row.status] is Status.RECALLED
            assert row.updated_ms == ABSENT or key not in moved

    if undone:
        again = dict(market.table)
        assert market.send("bluebird.drop", [doc for doc, _ in undone], [entry for _, entry in undone]) == {"unchanged": len(undone)}
        assert market.table == again
    if not later:
        fresh = Market()
        for n, docs in enumerate(earlier):
            fresh.send(f"bluebird.earlier-{n}", docs)
        fresh.send("bluebird.bad", bad)
        market.send("bluebird.again", bad)
        assert state(market.table) == state(fresh.table)


@given(documents)
def test_a_restored_document_has_the_values_of_the_one_that_it_stands_for(doc):
    market = Market()
    market.send("bluebird.1", [doc])
    ((row,),) = market.stored.values()
    assert decode([document(LOAN_KIND, row)], LOAN).columns.equals(decode([doc], LOAN).columns)


def test_assets_of_other_kinds_are_restored_and_recalled_in_their_own_words():
    market = Market(invoices.catalog())
    was = invoices.encoded(ASSETS[0], delivered=invoices.day("2026-11-02"), recourse=Decimal128("0.25"), confirmed_at=DAY)
    market.send("bluebird.1", [was])
    before_ = dict(market.table)
    market.send("bluebird.2", [invoices.encoded(ASSETS[0], number="2026/1", days_late=1), invoices.encoded(ASSETS[1])])
    undone = market.drop("bluebird.2", invoices.KIND)
    kinds = {product: one for product, one in market.catalog.products.items() if product == "invoice-eur"}
    assert read([undone[0][0]], kinds).columns.equals(read([was], kinds).columns)
    assert bson.decode(undone[1][0])["state"] == "recalled"
    assert market.send("bluebird.3", [doc for doc, _ in undone], [entry for _, entry in undone]) == {"terms_changed": 1, "recalled": 1}
    assert state({key: market.table[key] for key in before_}) == state(before_)


def test_what_was_sent_before_the_batch_is_unchanged_after_its_drop():
    market = Market()
    good, bad = encoded(updated_at=DAY), encoded(updated_at=DAY + timedelta(9), days_past_due=9)
    market.send("bluebird.1", [good])
    market.send("bluebird.2", [bad])
    ((doc, entry),) = market.drop("bluebird.2")
    assert market.send("bluebird.3", [doc], [entry]) == {"status_changed": 1}
    assert market.send("bluebird.4", [good]) == {"unchanged": 1}
    assert market.send("bluebird.5", [encoded(updated_at=DAY - timedelta(1))]) == {"stale": 1}
    assert market.send("bluebird.6", [encoded(updated_at=DAY + timedelta(1), days_past_due=1)]) == {"status_changed": 1}


def test_a_drop_takes_back_when_it_was_updated_even_where_the_batch_ended_with_the_bytes_from_before_it():
    market = Market()
    first = encoded()
    market.send("bluebird.1", [first])
    market.send("bluebird.2", [encoded(updated_at=DAY, days_past_due=9), first])
    ((doc, entry),) = market.drop("bluebird.2")
    assert market.send("bluebird.3", [doc], [entry]) == {"status_changed": 1}
    assert unpack(market.table[b"bluebird/LC1"]).updated_ms == ABSENT
    assert market.send("bluebird.3", [doc], [entry]) == {"unchanged": 1}
    assert market.send("bluebird.4", [encoded(updated_at=DAY - timedelta(1), days_past_due=1)]) == {"status_changed": 1}


def test_a_version_that_came_meanwhile_is_left_alone():
    market = Market()
    for n in range(2):
        market.send(f"bluebird.{n}", [encoded(days_past_due=n)])
    ((doc, entry),) = market.drop("bluebird.1")
    market.send("bluebird.2", [encoded(days_past_due=7)])
    was = dict(market.table)
    assert market.send("bluebird.3", [doc], [entry]) == {"stale": 1}
    assert market.table == was


def test_a_document_that_supersedes_nothing_is_stale_and_is_not_forwarded():
    market, away = Market(), next(f"X{n}" for n in range(100) if partition_of(f"bluebird/X{n}".encode(), 8) != HOME)
    assert market.send("bluebird.1", [encoded(), encoded(away)], [STALE, Supersession(1, DIGEST, 5)]) == {"stale": 2}
    assert market.table == {}


def test_documents_that_supersede_and_those_that_do_not_come_in_one_message():
    market = Market()
    market.send("bluebird.1", [encoded()])
    docs = [encoded(days_past_due=1), encoded(days_past_due=2), encoded(days_past_due=3)]
    assert market.send("bluebird.2", docs, [Supersession(1, DIGEST, 5), STALE, None]) == {"status_changed": 2, "stale": 1}
    row = unpack(market.table[b"bluebird/LC1"])
    assert (row.version, row.updated_ms) == (3, 5)


@pytest.mark.parametrize("header", [b"", b"\1", packed([None, None]), packed([None])[:-1]])
def test_a_header_that_does_not_fit_the_documents_puts_the_message_in_quarantine(header):
    headers = (("originator", b"bluebird"), (HEADER, header))
    effects = take_in(CATALOG, Table(), [Message("assets.ingest", HOME, 7, 0, None, encoded(), headers)])
    assert [record.topic for record in effects.records] == [topics.REJECTED]
    assert effects.rows == {}


@given(
    st.lists(
        st.none()
        | st.builds(Supersession, st.integers(0, 2**31 - 1), st.binary(min_size=16, max_size=16), st.none() | st.integers(0, 2**52))
    )
)
def test_the_header_says_what_was_put_into_it(entries):
    assert entries_of(packed(entries)) == entries
