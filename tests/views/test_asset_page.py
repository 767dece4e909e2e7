"""The pages of an asset and of one batch, as a reader has them."""

import re

import pytest

from streams.pages import assets, batches
from streams.pages.html import document
from streams.trace import queries
from tests.stories import tell


@pytest.fixture
async def pool(store):
    await tell(store)
    return await store.pool()


def lines(page):
    """The texts of a page's elements, in order."""
    texts = re.sub(r"<[^>]*>", "\n", document(page, "/")).splitlines()
    return [text.strip() for text in texts if text.strip()]


PAYMENTS = "30 instalments of 41.06, the last 40.93 with -0.13 of rounding"
PROOF = "schedule as by act-360, but for line 1 interest 0.01"
PRICES = "price 0.995, buyer&#x27;s price 0.9975, by version 2 of the product"


def in_a_row(texts, *expected):
    return any(tuple(texts[at : at + len(expected)]) == expected for at in range(len(texts)))


async def test_the_page_of_an_asset_shows_what_the_gateway_answers(pool):
    page = await assets.trace(pool, "bluebird", "loan-7")
    assert (page.status, page.data) == (200, await queries.trace(pool, "bluebird", "loan-7"))
    read = lines(page)
    for expected in (
        ("Outstanding", "960.00"),
        ("the first", "group B, score 131", "points below the best: rate -65, purpose -14", PRICES, PAYMENTS, PROOF),
        ("outstanding", "1000.00", "960.00"),
        ("remaining_months", "30", "29"),
        ("other bytes only: no field that is read",),
        ("bluebird.one", ", byte 1,179", "2026-02-02 02:40:00 by bluebird", "file", "9599ddfd987d8d2fffb311b42fa402b6"),
        ("bluebird.three", ", byte 0", "2026-02-02 02:40:00 by bluebird", "file", "&ndash;"),
        ("bluebird/loan-7/1", "300.00 USD in 12"),
        ("not known: past due",),
        ("Investments", "Made at, UTC"),
        ("bluebird/loan-7/1/12", "25.00 USD", "ann", "steady, safe"),
        ("Refused documents", "Rejected at, UTC"),
        ("7", "rate", "is NaN, not a number"),
    ):
        assert in_a_row(read, *expected)
    assert '<a href="/?batch=bluebird.one">' in page.body
    assert '<a href="/rejections?batch=bluebird.one">' in page.body
    assert "Earlier versions" not in read


async def test_what_is_left_out_of_a_page_is_said_and_linked(pool, monkeypatch):
    monkeypatch.setitem(queries.trace.__kwdefaults__, "limit", 2)
    page = await assets.trace(pool, "bluebird", "loan-7")
    assert '<a href="/assets/bluebird/loan-7?before=3">Earlier versions</a>' in page.body
    assert in_a_row(lines(page), "Investments, the latest 2 of 13")
    assert "the first" not in lines(page)
    earlier = await assets.trace(pool, "bluebird", "loan-7", before=3)
    assert "the first" in lines(earlier)


async def test_an_asset_that_was_only_refused_has_a_page(pool):
    await pool.execute(
        "INSERT INTO rejections SELECT topic, 7, 7, originator, batch, 'loan 7', 0, '', 'odd', '', '', now() FROM rejections LIMIT 1"
    )
    page = await assets.trace(pool, "bluebird", "loan 7")
    assert page.status == 200
    assert in_a_row(lines(page), "No version of this asset is stored.", "Refused documents")


async def test_the_page_of_a_batch_shows_that_one_alone(pool):
    page = await batches.batch(pool, "bluebird.one")
    assert (page.status, [row["batch"] for row in page.data]) == (200, ["bluebird.one"])
    assert in_a_row(lines(page), "0 of 3")
    unknown = await batches.batch(pool, "bluebird.none")
    assert (unknown.status, unknown.data) == (404, [])
    assert "Nothing is stored of this batch." in lines(unknown)
