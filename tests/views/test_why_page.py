"""The page of why, asked over HTTP of a worker that holds a market."""

import asyncio

import httpx
import msgspec
import pytest

from agents.matcher.draft import Draft
from schemas.criteria import Criteria, Predicate
from schemas.events import BuyOfferWithdrawn
from streams.why import markets
from tests.held_market import Worker, buy, sell

PORTFOLIO = {"portfolio": "anna/income", "version": 1, "currency": "EUR", "state": "open"}
AT_LEAST_8 = Criteria(((Predicate("rate", low=80_000),),))


@pytest.fixture
async def worker():
    worker = Worker()
    yield worker
    await worker.close()


@pytest.fixture
async def client(worker, tmp_path):
    await worker.begin(sell("A1"), sell("A2", rate=75_000), sell("A3", rate=75_000), buy(AT_LEAST_8))
    return await worker.serve(tmp_path)


async def why(client, portfolio, asset=None, **more):
    query = {"portfolio": portfolio, **({"asset": asset} if asset else {}), **more}
    return await client.get("/why", params=query)


async def test_programs_get_what_decided_between_a_portfolio_and_an_asset(client):
    told = (await why(client, "anna/income", "bluebird/A2", format="json")).json()
    (bucket,) = told.pop("buckets")
    assert told == {**PORTFOLIO, "asset": "bluebird/A2", "left_cents": 100_000}
    assert bucket == {
        "bucket": "high", "buy_offer": "anna/income/1/high", "amount_cents": 40_000, "open_cents": 20_000, "held_cents": 0,
        "invested_cents": 20_000, "bid_cents_max": 20_000, "why": "criteria",
        "unmet": [{"asked": {"attribute": "rate", "low": 80_000}, "has": 75_000}], "text": "rate = 7.5%, asked: rate >= 8%",
    }  # fmt: skip
    (bucket,) = (await why(client, "anna/income", "bluebird/A1", format="json")).json()["buckets"]
    assert (bucket["why"], bucket["cents"], bucket["text"]) == ("sold", 20_000, "invested 200.00 EUR: match 1 of version 1")


async def test_programs_get_how_many_assets_each_reason_keeps_from_a_portfolio(client):
    told = (await why(client, "anna/income", format="json")).json()
    (bucket,) = told.pop("buckets")
    assert told == {**PORTFOLIO, "on_offer": 3, "looked_at": 3, "cut": False}
    assert (bucket["fit"], bucket["decided"]) == (1, [{"why": "sold", "assets": 1, "text": "1 invested in already"}])
    assert bucket["unfit"] == [{"why": "criteria", "name": "rate", "assets": 2, "text": "2 with another rate than is asked, or none"}]


async def test_what_a_limit_keeps_away_is_counted_by_the_limit(client, worker):
    await worker.begin(msgspec.structs.replace(buy(AT_LEAST_8, "ben"), limits=AT_LEAST_8.any_of[0]))
    (bucket,) = (await why(client, "ben/income", format="json")).json()["buckets"]
    text = "2 beyond the portfolio's limit of rate, or without any"
    assert bucket["unfit"] == [{"why": "portfolio_limit", "name": "rate", "assets": 2, "text": text}]


async def test_a_paused_portfolio_is_told_as_that(client, worker):
    await worker.begin(BuyOfferWithdrawn("anna/income/1/high", "anna", "paused"))
    told = (await why(client, "anna/income", format="json")).json()
    text = "version 1 was withdrawn when the portfolio was paused, and no newer one has buy offers"
    assert told == {**PORTFOLIO, "state": "paused", "text": text, "on_offer": 3, "looked_at": 0, "cut": False, "buckets": []}
    for asset in (None, "bluebird/A2"):
        assert text in (await why(client, "anna/income", asset)).text


async def test_people_get_the_same_as_a_page_with_a_form(client):
    page = (await why(client, "anna/income", "bluebird/A2")).text
    assert "rate = 7.5%, asked: rate &gt;= 8%" in page
    assert '<input name="portfolio" value="anna/income"' in page
    assert "2 with another rate than is asked, or none" in (await why(client, "anna/income")).text
    assert (await client.get("/why")).status_code == 200


async def test_what_cannot_be_told_has_a_status_of_its_own(client, worker):
    for portfolio, asset, status in (
        ("<i>anna", None, 400),
        ("anna/", None, 400),
        ("anna/income", "bluebird", 400),
        ("anna/<i>", None, 421),
        ("anna/income", "blue/<i>", 200),
    ):
        answer = await why(client, portfolio, asset)
        assert (answer.status_code, "<i>" in answer.text) == (status, False)
    told = (await why(client, "anna/none", format="json")).json()
    assert told["markets"] == ["EUR"]
    worker.runner.held |= {1: worker.market, 2: worker.market}
    assert (await why(client, "anna/none")).status_code == 404
    worker.runner.held.clear()
    assert (await why(client, "anna/income", format="json")).json()["markets"] == []
    assert (await why(client, "anna/income")).status_code == 421


async def test_a_reader_waits_for_the_step_under_way_and_sees_all_of_it(client, worker):
    worker.market.may_commit.clear()
    step = worker.begin(sell("A4"))
    await asyncio.wait({step}, timeout=0.05)
    assert not worker.market.state.settle()
    asked = asyncio.create_task(why(client, "anna/income", "bluebird/A4", format="json"))
    await asyncio.wait({asked}, timeout=0.2)
    assert not asked.done()
    worker.market.may_commit.set()
    (bucket,) = (await asked).json()["buckets"]
    assert (bucket["why"], bucket["open_cents"]) == ("sold", 0)
    await step


async def test_a_reader_gets_in_where_step_follows_step(client, worker):
    async def steps():
        for _ in range(10_000):
            await asyncio.shield(worker.begin(sell("A5")))

    worker.market.may_commit.wait = lambda: asyncio.sleep(0.002)
    going = asyncio.create_task(steps())
    try:
        assert [(await why(client, "anna/income")).status_code for _ in range(5)] == [200] * 5
        assert not going.done()
    finally:
        going.cancel()
        await worker.runner.settle()


async def test_a_book_that_is_never_left_alone_is_busy(client, worker, monkeypatch):
    monkeypatch.setattr(markets, "TURNS", 3)
    draft = Draft(worker.market.state)
    draft.take(sell("A6"))
    assert (await why(client, "anna/income")).status_code == 503


async def test_other_requests_are_answered_while_a_portfolio_is_counted(client, worker, monkeypatch):
    turns = []

    async def counted():
        while True:
            turns.append(None)
            await asyncio.sleep(0)

    monkeypatch.setattr(markets.why, "SLICE", 1)
    others = asyncio.create_task(counted())
    await asyncio.sleep(0)
    told, before = await worker.markets.why("anna/income", None), len(turns)
    others.cancel()
    assert told["looked_at"] == 3
    assert before > 3


async def test_elsewhere_a_token_is_needed(worker, tmp_path):
    client = await worker.serve(tmp_path, host="0.0.0.0")
    assert (await why(client, "anna/income")).status_code == httpx.codes.UNAUTHORIZED
