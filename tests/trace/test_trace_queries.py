"""The story of one asset as the database has it."""

import random
from datetime import UTC, datetime

import pytest

from streams import topics
from streams.trace import queries
from tests.database import assessed, feed, message
from tests.stories import FIRST, INVESTMENTS, REJECTIONS, SENT_MS, VERSIONS, investment, rejected, tell

ASSET = ("bluebird", "loan-7")


def at(milliseconds):
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


async def test_a_trace_has_all_that_is_stored_of_an_asset_and_nothing_of_another(store):
    await tell(store)
    found = await queries.trace(await store.pool(), *ASSET)
    assert (found["originator"], found["asset"], found["earlier"]) == (*ASSET, None)
    assert found["counts"] == {"versions": 4, "investments": 13, "rejections": 2}
    assert [(one["version"], one["change"], one["batch"], one["position"]) for one in found["versions"]] == [
        (1, "created", "bluebird.one", 1_179),
        (2, "repayment_reported", "bluebird.two", 0),
        (3, "status_changed", "bluebird.three", 0),
        (4, "status_changed", "bluebird.three", 0),
    ]
    first, paid, _, late = found["versions"]
    assert (first["digest"], first["source"]) == (bytes(range(16)).hex(), "assets.assessed-2-6")
    assert (first["document"]["outstanding"], first["document"]["issued"]) == ("1000.00", "2018-03-10")
    assert {"field": "outstanding", "before": "1000.00", "after": "960.00"} in paid["differences"]
    assert (first["sell_offer"], first["investments"]) == ("bluebird/loan-7/1", {"count": 12, "amount_cents": 30_000})
    assert (late["offered"], late["sell_offer"], late["investments"]) == (None, None, {"count": 0, "amount_cents": 0})
    assert {name: one["state"] for name, one in found["batches"].items()} == {"bluebird.one": "processing", "bluebird.three": "open"}
    batch = found["batches"]["bluebird.one"]
    assert (batch["batch"], batch["originator"], batch["digest"]) == ("bluebird.one", "bluebird", "9599ddfd987d8d2fffb311b42fa402b6")
    assert batch["first_event"] == at(SENT_MS)
    assert found["rejections"] == [
        {
            "batch": "bluebird.one", "position": 7, "field": "rate", "reason": reason, "source": "assets.ingest-0-1",
            "document_bytes": 5, "rejected_at": at(SENT_MS + n),
        }
        for n, reason in ((0, "is NaN, not a number"), (2, "is missing"))
    ]  # fmt: skip
    made = [f"bluebird/loan-7/1/{n}" for n in range(1, 13)] + ["bluebird/loan-7/2/1"]
    assert [one["investment"] for one in found["investments"]] == made, "in the order in which they were matched"


@pytest.mark.parametrize("limit", [1, 2, 3, 4])
async def test_pages_have_every_version_once_with_the_same_differences_as_the_whole(store, limit):
    await tell(store)
    pool = await store.pool()
    whole = await queries.trace(pool, *ASSET)
    page = await queries.trace(pool, *ASSET, limit=limit)
    pages = [page]
    while page["earlier"]:
        page = await queries.trace(pool, *ASSET, before=page["earlier"], limit=limit)
        pages.insert(0, page)
    assert [version for page in pages for version in page["versions"]] == whole["versions"]
    assert all(len(page[kind]) <= limit for page in pages for kind in ("versions", "investments", "rejections"))
    assert all(page["counts"] == whole["counts"] for page in pages)


async def test_a_page_has_the_latest_of_what_there_was_before_its_bound(store):
    await tell(store)
    pool = await store.pool()
    before = await queries.trace(pool, *ASSET, before=2, limit=3)
    assert [one["version"] for one in before["versions"]] == [1]
    assert [one["investment"] for one in before["investments"]] == [f"bluebird/loan-7/1/{n}" for n in (10, 11, 12)]
    assert before["versions"][0]["investments"]["count"] == 12, "the sum is of all, listed or not"
    nothing = await queries.trace(pool, *ASSET, before=1)
    assert (nothing["versions"], nothing["investments"], nothing["earlier"]) == ([], [], None)
    one = await queries.trace(pool, *ASSET, limit=1)
    assert [(letter["reason"], one["counts"]["rejections"]) for letter in one["rejections"]] == [("is missing", 2)]


async def test_nothing_is_told_of_an_asset_that_nobody_sent(store):
    await tell(store)
    await feed(store, REJECTIONS, [message(topics.REJECTED, rejected(""), 3)])
    pool = await store.pool()
    for unknown in (("bluebird", "loan-9"), ("harbor", "loan-7"), ("bluebird", ""), ("bluebird", "' OR true --")):
        assert await queries.trace(pool, *unknown) is None


async def test_an_asset_that_was_only_refused_has_a_story_too(store):
    await feed(store, REJECTIONS, [message(topics.REJECTED, rejected("loan 7"))])
    found = await queries.trace(await store.pool(), "bluebird", "loan 7")
    assert (found["versions"], found["earlier"], [one["field"] for one in found["rejections"]]) == ([], None, ["rate"])


async def test_an_investment_may_be_stored_before_its_version(store):
    await feed(store, INVESTMENTS, [message(topics.INVESTMENTS, investment(1))])
    found = await queries.trace(await store.pool(), *ASSET)
    assert (found["counts"], len(found["investments"])) == ({"versions": 0, "investments": 1, "rejections": 0}, 1)


async def test_a_refused_document_is_stored_however_long_it_says_its_id_is(store):
    name = random.Random(1).randbytes(4_096).decode("latin-1").replace("\0", "x")  # noise, which no index entry can hold compressed
    letters = [rejected(name), rejected("y" * 256), rejected("y" * 257)]
    await feed(store, REJECTIONS, [message(topics.REJECTED, value, n) for n, value in enumerate(letters)])
    pool = await store.pool()
    assert await pool.fetchval("SELECT count(*) FROM rejections WHERE asset = $1", name) == 1
    assert (await queries.trace(pool, "bluebird", "y" * 256))["counts"]["rejections"] == 1
    assert await queries.trace(pool, "bluebird", "y" * 257) is None


async def test_no_query_of_a_trace_reads_a_whole_table(store, sql):
    await tell(store)
    await sql.execute("SET enable_seqscan = off")
    asked = {
        queries._COUNTS: ASSET,
        queries._INVESTED: (*ASSET, 1, 4),
        queries._INVESTMENTS: (*ASSET, 5, 10),
        queries._REJECTIONS: (*ASSET, 10),
        queries._BATCHES: (["bluebird.one"],),
    }
    plans = {query: "\n".join(row[0] for row in await sql.fetch(f"EXPLAIN {query}", *values)) for query, values in asked.items()}
    assert not [plan for plan in plans.values() if "Seq Scan" in plan]
    assert all("Index Cond" in plan for plan in plans.values())
    assert plans[queries._COUNTS].count("Index Cond: ((originator = 'bluebird'::text) AND (asset = 'loan-7'::text))") == 3


async def test_a_trace_is_of_one_moment(store, monkeypatch):
    await tell(store)
    versions = queries.queries.versions

    async def later(*arguments):
        row = {**FIRST, "version": 5, "change": "status_changed"}
        await feed(store, VERSIONS, [message(topics.ASSESSED, assessed(row), 9, 2)])
        return await versions(*arguments)

    monkeypatch.setattr(queries.queries, "versions", later)
    found = await queries.trace(await store.pool(), *ASSET)
    assert (found["counts"]["versions"], len(found["versions"])) == (4, 4)
