"""A dry run says what a real delivery of the same book does, and what is known of an asset is intake's own row."""

import asyncio
import io
import json
from datetime import UTC, datetime, timedelta
from os import getpid
from urllib.parse import urlsplit

import asyncpg
import bson
import pytest
from bson.decimal128 import Decimal128
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.agreements import Needed
from schemas.catalog import Originator
from streams.dry_run import book as books
from streams.dry_run import known, scratch
from streams.dry_run.book import Book
from streams.frames import FrameError
from streams.store import migrate
from tests.database import database, empty_database
from tests.dry_run.system import System
from tests.loans import encoded, loan, paid, schedule
from tests.rows import CATALOG

__all__ = ["database", "empty_database"]

MOMENT = datetime(2026, 11, 1, tzinfo=UTC)


async def dry(dsn, data, piece=10_000, catalog=CATALOG):
    """The answer's members with the errors, and where the sequence broke, if it did."""
    errors, broken = io.BytesIO(), None
    connection = await asyncpg.connect(dsn)
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        book = Book(connection, catalog, "bluebird", errors)
        try:
            for at in range(0, len(data), piece):
                await book.take(data[at : at + piece])
            book.end()
        except FrameError as fault:
            broken = fault
        answer = await book.answer()
    await connection.close()
    return {**answer, "errors": json.loads(b"[" + errors.getvalue() + b"]")}, broken


def told(rejected):
    return [{"position": one.position, "asset": one.asset, "field": one.field, "reason": one.reason} for one in rejected]


def first():
    docs = [encoded(f"L{n}", updated_at=MOMENT) for n in range(12)]
    return b"".join([*docs, encoded("L3", days_past_due=4, updated_at=MOMENT), encoded("L50", status="repaid")])


def second():
    """Of every outcome something, assets that stand several times, and every way to be refused."""
    changed = [
        encoded("L0", updated_at=MOMENT),
        encoded("L1", outstanding=Decimal128("20000"), paid=paid("8000", "1015.19")),
        encoded("L1", outstanding=Decimal128("20000"), paid=paid("8000", "1015.19")),
        encoded("L1", outstanding=Decimal128("19000"), paid=paid("9000", "1015.19")),
        encoded("L2", term_months=48),
        encoded("L3", status="defaulted", days_past_due=200),
        encoded("L4", updated_at=MOMENT - timedelta(days=1), days_past_due=1),
        encoded("L5", rate=Decimal128("0.2")),
        encoded("L6", status="late", days_past_due=3),
        encoded("L7", status="recalled"),
        encoded("L7", status="current", days_past_due=1),
        encoded("L50", days_past_due=1),
        *(encoded(f"N{n}", sale="all_or_none") for n in range(5)),
        encoded("N1", status="recalled"),
    ]
    bad = [
        encoded("L8", principal=12.5),
        encoded("L9", originator="harbor"),
        encoded("L9", product="car-lease"),
        encoded("L9", currency="EUR"),
        bson.encode({name: value for name, value in loan("X").items() if name != "asset_id"}),
        encoded("no id"),
        encoded("x" * 70),
        encoded("ü"),
        encoded("a\0b"),
        encoded("L10", notes=[[[[[[[[[]]]]]]]]]),
    ]
    return [doc for pair in zip(changed, [*bad, *changed[-8:]], strict=True) for doc in pair]


@pytest.mark.parametrize("chunk", [1, 3, 2000])
async def test_it_says_what_intake_does_with_the_same_book(database, monkeypatch, chunk):
    monkeypatch.setattr(books, "CHUNK_DOCUMENTS", chunk)
    system, data = System(database), b"".join(second())
    await system.settle(first())
    answer, broken = await dry(database, data)
    counts, rejected, _ = system.deliver(data)
    assert broken is None
    assert {name: count for name, count in answer["counts"].items() if count} == counts
    assert answer["errors"] == told(rejected)
    assert len(rejected) >= 10
    assert {"created", "unchanged", "stale", "recalled", "returned", "extended", "rejected", "defaulted"} <= set(counts)
    assert (answer["documents"], answer["bytes"]) == (sum(counts.values()), len(data))
    # L1, L2, L5, L6, L7, L50 and N0 to N4 but N1; not L3, which defaulted, nor L0 and L4, which do not change
    (product,) = answer["products"]
    assert product["assets"] == 10
    assert product["amount_cents"] == 1_900_000 + 9 * 2_701_586


async def test_after_the_delivery_all_of_it_is_unchanged(database):
    docs = [encoded(f"L{n}") for n in range(50)]
    assert (await dry(database, b"".join(docs)))[0]["counts"]["created"] == 50
    await System(database).settle(b"".join(docs))
    answer, _ = await dry(database, b"".join(docs))
    assert {name: count for name, count in answer["counts"].items() if count} == {"unchanged": 50}
    assert answer["products"] == []


async def test_what_came_before_the_byte_where_the_sequence_breaks_is_compared(database):
    huge = bson.encode({"originator_id": "bluebird", "asset_id": "huge", "note": "x" * 70_000})
    data = encoded("A") + huge + encoded("B", rate=0.5)
    answer, broken = await dry(database, data + b"\1\0\0\0" + encoded("C"))
    assert broken.position == len(data)
    assert (answer["documents"], answer["oversized"], answer["counts"]["created"], answer["counts"]["rejected"]) == (3, 1, 1, 1)
    at, behind = len(encoded("A")), len(encoded("A") + huge)
    assert [(error["position"], error["asset"], error["field"]) for error in answer["errors"]] == [(at, "huge", ""), (behind, "B", "rate")]


async def test_errors_beyond_the_limit_are_counted(database, monkeypatch):
    monkeypatch.setattr(scratch, "ERRORS_MAX", 3)
    answer, _ = await dry(database, encoded("A", rate=0.5) * 5)
    assert (len(answer["errors"]), answer["unlisted_errors"], answer["counts"]["rejected"]) == (3, 2, 5)


@pytest.mark.parametrize("agreements", [{}, {"servicing": MOMENT.date()}], ids=["lacking", "signed"])
async def test_it_knows_what_the_originator_has_signed(database, agreements):
    usd = replace(CATALOG.products["consumer-loan-usd"], agreements=Needed(originator=("servicing",)))
    listed = {"bluebird": Originator("bluebird", "B", agreements=agreements)}
    await System(database).settle(encoded("A"))
    catalog = replace(CATALOG, products={usd.product: usd}, originators=listed)
    answer, _ = await dry(database, encoded("A", days_past_due=1) + encoded("B"), catalog=catalog)
    assert [error["field"] for error in answer["errors"]] == ([] if agreements else ["product"])
    assert [one["assets"] for one in answer["products"]] == ([2] if agreements else []), "the known one is not offered either"


async def test_batches_that_are_still_counted_are_named(database):
    connection = await asyncpg.connect(database)
    insert = """INSERT INTO batches (batch, originator, received, documents, created, first_event, last_event)
        VALUES ($1, $2, true, 2, $3, now(), now())"""
    for batch, originator, created in (("bluebird.1", "bluebird", 1), ("bluebird.2", "bluebird", 2), ("harbor.1", "harbor", 0)):
        await connection.execute(insert, batch, originator, created)
    await connection.close()
    assert (await dry(database, b""))[0]["processing"] == ["bluebird.1"]


@pytest.fixture(scope="module")
def persistent(postgres):
    """DSN of a database for many examples."""
    name = f"dry_run_{getpid()}"
    dsn = urlsplit(postgres)._replace(path=f"/{name}").geturl()

    async def make():
        server = await asyncpg.connect(postgres)
        await server.execute(f"CREATE DATABASE {name}")
        await server.close()
        await migrate(dsn)

    asyncio.run(make())
    return dsn


cents = st.integers(0, 10**14).map(lambda cents: Decimal128(f"{cents // 100}.{cents % 100:02}"))
documents = st.fixed_dictionaries(
    {"asset": st.sampled_from("abc")},
    optional={
        "status": st.sampled_from(["current", "late", "defaulted", "repaid", "recalled"]),
        "outstanding": cents,
        "paid": st.builds(lambda *amounts: dict(zip(("principal", "interest", "fees"), amounts, strict=True)), cents, cents, cents),
        "term_months": st.integers(1, 600),
        "rate": st.sampled_from(["0", "0.000001", "2"]).map(Decimal128),
        "issued": st.sampled_from([datetime(1890, 1, 1, tzinfo=UTC), datetime(2100, 2, 28, tzinfo=UTC)]),
        "updated_at": st.none() | st.integers(0, 10**10).map(lambda ms: MOMENT + timedelta(milliseconds=ms - 5 * 10**9)),
        "sale": st.just("all_or_none"),
        "purpose": st.none() | st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=16),
        "borrower": st.just(...) | st.just({"income": Decimal128("1"), "employment_years": 0, "home": "rent"}),
        "instalment": st.none() | cents,
        "schedule": st.sampled_from([schedule(36, 2_800_000), schedule(36, 2_800_000, interest=7)]),
    },
).map(lambda one: {name: value for name, value in one.items() if name != "schedule" or not one.keys() & {"term_months", "issued"}})
examples = iter(range(10**9))


@settings(max_examples=20)
@given(deliveries=st.lists(st.lists(documents, min_size=1, max_size=4), min_size=1, max_size=4))
def test_rows_from_the_database_are_those_of_intakes_table(persistent, deliveries):
    async def go():
        system, prefix = System(persistent), f"{next(examples)}-"
        for delivery in deliveries:
            await system.settle(b"".join(encoded(**{**given, "asset": prefix + given["asset"]}) for given in delivery))
        connection = await asyncpg.connect(persistent)
        found = await known.rows(connection, "bluebird", [(prefix + asset).encode() for asset in "abcd"])
        await connection.close()
        return system.table, found

    expected, found = asyncio.run(go())
    assert found == expected
    assert expected
