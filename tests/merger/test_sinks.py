"""The merger's sinks, from a message to what a query answers."""

import random
from datetime import UTC, date, datetime, timedelta

import pytest

from agents.merger import versions
from agents.merger.agent import sinks
from schemas import catalog, columns, events
from streams import queries, topics
from tests.database import assessed, feed, investment, message

VERSIONS, _, REJECTIONS, INVESTMENTS = sinks(catalog.Catalog({}, {}, ()))


async def test_every_column_of_an_assessed_version_has_one_in_the_table(sql):
    found = {
        row[0] for row in await sql.fetch("SELECT column_name::text FROM information_schema.columns WHERE table_name = 'asset_versions'")
    }
    assert list(versions.NAMES) == columns.ASSESSED.names
    assert found == {*versions.NAMES.values(), "source_partition", "source_offset"}


@pytest.mark.parametrize("nulls", [False, True])
async def test_a_version_is_stored_as_it_was_assessed(store, nulls):
    row = {
        "asset_id": "x",
        "version": 1,
        "issued": -1,
        "updated_at": 1_795_422_660_123,
        "digest": bytes(range(16)),
        "purpose": 'a "b", c',
        "delta_fees": -5,
        "principal": 10**14,
    }
    await feed(store, VERSIONS, [message(topics.ASSESSED, assessed(row, nulls=nulls), offset=6, partition=2)])
    (found,) = await queries.versions(await store.pool(), "bluebird", "x")
    made = columns.decode(assessed(row, nulls=nulls), columns.ASSESSED).to_pylist()[0]
    expected = {versions.NAMES[name]: value for name, value in made.items()}
    moment = datetime(2026, 11, 23, 8, 31, 0, 123_000, UTC)
    if not nulls:
        expected |= {name: date(1970, 1, 1) + timedelta(made[name]) for name in ("first_due", "maturity")}
        expected |= {"schedule": '[{"due":"1970-01-04","principal":"0.03","interest":"0.03"}]'}
        expected |= {"schedule_differences": '[{"line":3,"principal":3,"interest":3}]'}
    assert found == {
        **expected,
        "issued": date(1969, 12, 31),
        "updated_at": moment,
        "digest": bytes(range(16)).hex(),
        "source_partition": 2,
        "source_offset": 6,
    }


async def test_versions_of_several_messages_keep_the_source_that_each_came_from(store):
    def row(asset: str, version: int) -> dict:
        return {"asset_id": asset, "version": version}

    first, second = assessed(row("x", 1), row("y", 1)), assessed(row("x", 2), row("x", 3))
    await feed(
        store, VERSIONS, [message(topics.ASSESSED, first, 4), message(topics.ASSESSED, assessed(), 5), message(topics.ASSESSED, second, 8)]
    )
    pool = await store.pool()
    assert [(v["version"], v["source_offset"]) for v in await queries.versions(pool, "bluebird", "x")] == [(1, 4), (2, 8), (3, 8)]
    assert [(v["version"], v["source_offset"]) for v in await queries.versions(pool, "bluebird", "y")] == [(1, 4)]
    assert await queries.versions(pool, "harbor", "x") == []


async def test_a_batch_whose_name_no_text_can_hold_has_the_same_name_in_every_table(store):
    name, shown = "a\0b", "a\ufffdb"
    await feed(store, VERSIONS, [message(topics.ASSESSED, assessed({"asset_id": "x", "version": 1, "batch": name}))])
    await feed(store, REJECTIONS, [message(topics.REJECTED, rejected(batch=name))])
    count = events.BatchProgress(batch=name, originator="bluebird", counts={"created": 1})
    await feed(store, sinks(catalog.Catalog({}, {}, ()))[1], [message(topics.BATCHES, events.encode(count))])
    pool = await store.pool()
    (version,) = await queries.versions(pool, "bluebird", "x")
    assert version["batch"] == shown
    assert (await queries.batch(pool, shown))["reasons"][0]["count"] == 1


def rejected(**more) -> bytes:
    told = {"batch": "b1", "originator": "bluebird", "asset": "x", "position": 7, "field": "rate", "reason": "is NaN", "source": "t-0-1"}
    return events.encode(events.Rejected(**{**told, **more}))


async def test_a_rejection_is_stored_with_its_document_byte_for_byte(store):
    document = bytes(range(256))
    values = [rejected(document=document), rejected(asset="", field="", reason="a NUL \0 in it", batch="b2")]
    told = [message(topics.REJECTED, v, n, timestamp_ms=n) for n, v in enumerate(values)]
    await feed(store, REJECTIONS, told)
    pool = await store.pool()
    newest, oldest = await queries.rejections(pool)
    assert (oldest["document"], oldest["reason"], oldest["position"], oldest["record_offset"]) == (document, "is NaN", 7, 0)
    assert (newest["document"], newest["reason"], newest["asset"]) == (b"", "a NUL \ufffd in it", "")
    assert [r["batch"] for r in await queries.rejections(pool, batch="b2")] == ["b2"]
    assert [r["batch"] for r in await queries.rejections(pool, limit=1)] == ["b2"]


async def test_a_batch_lists_the_reasons_of_its_rejections_the_most_frequent_first(store):
    reasons = ["is NaN", "is missing", "is NaN", "is negative"]
    told = [message(topics.REJECTED, rejected(reason=reason), n) for n, reason in enumerate(reasons)]
    await feed(store, REJECTIONS, [*told, message(topics.REJECTED, rejected(batch="b2"), 9)])
    count = events.BatchProgress(batch="b1", originator="bluebird", counts={"rejected": 4})
    await feed(store, sinks(catalog.Catalog({}, {}, ()))[1], [message(topics.BATCHES, events.encode(count))])
    batch = await queries.batch(await store.pool(), "b1")
    assert [(r["reason"], r["field"], r["count"]) for r in batch["reasons"]] == [
        ("is NaN", "rate", 2),
        ("is missing", "rate", 1),
        ("is negative", "rate", 1),
    ]
    assert await queries.batch(await store.pool(), "b2") is None


async def test_an_investment_is_answered_as_it_was_published(store):
    await feed(store, INVESTMENTS, [message(topics.INVESTMENTS, investment(1), 3, 6)])
    (found,), cursor = await queries.investments(await store.pool())
    found.pop("made_at")
    assert events.Investment(**found) == events.decode_investment(investment(1))
    assert cursor is None


@pytest.mark.parametrize("seed", range(3))
async def test_pages_have_every_investment_once_while_more_arrive(store, seed):
    dice = random.Random(seed)
    offsets = [0] * topics.INVESTMENTS.partitions
    made: dict[str, list[str]] = {"ann": [], "bob": []}

    async def invest(count: int) -> None:
        for _ in range(count):
            investor, partition = dice.choice([("ann", 1), ("bob", 6)])
            made[investor].append(f"bluebird/loan-7/1/{sum(offsets)}")
            await feed(store, INVESTMENTS, [message(topics.INVESTMENTS, investment(sum(offsets), investor), offsets[partition], partition)])
            offsets[partition] += 1

    await invest(30)
    before = {investor: list(all_of) for investor, all_of in made.items()}
    for investor, limit in ((None, 7), ("ann", 3), ("bob", 1), (None, 1000)):
        seen, cursor, more = [], None, True
        while more:
            page, cursor = await queries.investments(await store.pool(), investor=investor, after=cursor, limit=limit)
            assert len(page) <= limit
            seen += [row["investment"] for row in page]
            more = cursor is not None
            await invest(dice.choice([0, 1]))
        there = before["ann"] + before["bob"] if investor is None else before[investor]
        assert len(seen) == len(set(seen))
        assert set(there) <= set(seen)
        if investor:
            assert seen == made[investor][: len(seen)]


async def test_investments_are_filtered_by_investor_and_originator(store):
    told = [investment(1), investment(2, "bob"), investment(1, "ann", "harbor"), investment(2, "bob", "harbor")]
    await feed(store, INVESTMENTS, [message(topics.INVESTMENTS, value, n) for n, value in enumerate(told)])
    pool = await store.pool()

    async def found(**filters: str) -> list[str]:
        return [row["investment"] for row in (await queries.investments(pool, **filters))[0]]

    assert await found(investor="ann") == ["bluebird/loan-7/1/1", "harbor/loan-7/1/1"]
    assert await found(originator="harbor") == ["harbor/loan-7/1/1", "harbor/loan-7/1/2"]
    assert await found(investor="bob", originator="bluebird") == ["bluebird/loan-7/1/2"]
    assert await found(investor="' OR true --") == []


@pytest.mark.parametrize("cursor", ["", "x", "1.2.3", "1.1.1.1.1.1.1.-1", "1.1.1.1.1.1.1.²", "1.1.1.1.1.1.1.9999999999999999999", "\0"])
async def test_a_cursor_that_was_not_given_out_is_refused(cursor):
    with pytest.raises(queries.CursorError, match="none that was given out"):
        await queries.investments(None, after=cursor)


async def test_the_summary_counts_per_originator_and_keeps_currencies_apart(store):
    received = events.BatchReceived(batch="b1", originator="bluebird", documents=10, bytes=1, digest="", oversized=1)
    progress = events.BatchProgress(batch="b1", originator="bluebird", counts={"created": 6, "repaid": 1, "rejected": 2})
    direct = events.BatchProgress(batch="b2", originator="bluebird", counts={"unchanged": 5})
    await feed(
        store,
        sinks(catalog.Catalog({}, {}, ()))[1],
        [message(topics.BATCHES, events.encode(e), n) for n, e in enumerate((received, progress, direct))],
    )
    told = [investment(1), investment(2, cents=100), investment(3, currency="EUR"), investment(4, "ann", "harbor")]
    await feed(store, INVESTMENTS, [message(topics.INVESTMENTS, value, n) for n, value in enumerate(told)])
    bluebird, harbor = await queries.summary(await store.pool())
    assert (bluebird["received"], bluebird["created"], bluebird["repaid"], bluebird["unchanged"], bluebird["rejected"]) == (15, 6, 1, 5, 3)
    assert (bluebird["investments"], bluebird["invested_cents"]) == (3, {"USD": 2_600, "EUR": 2_500})
    assert (harbor["originator"], harbor["received"], harbor["created"], harbor["invested_cents"]) == ("harbor", 0, 0, {"USD": 2_500})


async def test_the_latest_batches_come_first(store):
    told = [events.BatchProgress(batch=f"b{n}", originator=("bluebird", "harbor")[n % 2], counts={"created": n}) for n in range(5)]
    values = [message(topics.BATCHES, events.encode(event), n, timestamp_ms=n) for n, event in enumerate(told)]
    await feed(store, sinks(catalog.Catalog({}, {}, ()))[1], values)
    pool = await store.pool()
    assert [b["batch"] for b in await queries.batches(pool, limit=3)] == ["b4", "b3", "b2"]
    assert [b["batch"] for b in await queries.batches(pool, "harbor")] == ["b3", "b1"]
