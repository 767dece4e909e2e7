"""What an investor wants, from HTTP to its topic."""

import json
import shutil
from pathlib import Path

import pytest
from msgspec import structs

import schemas
from agents.trader import gap
from schemas.agreements import Needed
from schemas.events import decode_portfolio
from schemas.published import encode
from streams import topics
from streams.effects import Record
from tests.broker.tools import produce
from tests.rows import CATALOG
from tests.wanted import wants

BUCKET = {"name": "all", "share_percent": 100, "criteria": "rate >= 6% and risk_group in (B, A)"}
BODY = {"portfolio": "p1", "currency": "EUR", "size": "1000.00", "buckets": [BUCKET]}
POUNDS = {**BODY, "currency": "GBP"}


async def place(client, body, investor="ann"):
    content = body if isinstance(body, bytes) else json.dumps(body)
    return await client.post("/portfolios", content=content, headers=client.token("investor", investor))


async def test_a_portfolio_is_published_under_its_investor_and_answered_as_placed(client, published):
    response = await place(client, BODY)
    (record,) = await published(topics.PORTFOLIOS)
    placed = decode_portfolio(record.value)
    assert response.status_code == 202
    assert response.json()["buckets"] == [
        {
            "name": "all",
            "share_percent": 100,
            "criteria": "days_past_due <= 0 and rate >= 6% and risk_group in (A, B)",
            "criteria_json": {
                "all": [
                    {"attribute": "days_past_due", "at_most": 0},
                    {"attribute": "rate", "at_least": "0.06"},
                    {"attribute": "risk_group", "in": ["A", "B"]},
                ]
            },
        }
    ]
    assert placed.buckets[0].criteria == wants(risk_groups="AB", rate_ppm_min=60_000)
    assert record.key == b"ann"
    assert (placed.portfolio, placed.investor, placed.size_cents, placed.closed) == ("p1", "ann", 100_000, False)


async def test_the_example_is_taken(client):
    example = Path(schemas.__file__).parent / "examples" / "portfolio.json"
    assert (await place(client, example.read_bytes())).status_code == 202


async def test_each_version_has_a_larger_number_than_the_last(client):
    versions = [(await place(client, BODY)).json()["version"] for _ in range(5)]
    assert versions == sorted(set(versions))


async def test_a_portfolio_is_closed_in_its_market(client, published):
    first = (await place(client, BODY)).json()
    response = await client.delete("/portfolios/p1?currency=EUR", headers=client.token("investor", "ann"))
    assert response.status_code == 202
    *_, record = await published(topics.PORTFOLIOS)
    closed = decode_portfolio(record.value)
    assert (closed.portfolio, closed.investor, closed.currency, closed.closed) == ("p1", "ann", "EUR", True)
    assert closed.version > first["version"]
    assert gap.fault(closed, topics.MARKETS) == "", "the trader takes it"


async def test_a_portfolio_is_paused_and_goes_on_by_versions_of_it(client, published):
    answers = [(await place(client, {**BODY, **more})).json() for more in ({}, {"paused": True}, {"paused": False})]
    placed = [decode_portfolio(record.value) for record in await published(topics.PORTFOLIOS)]
    assert [one.paused for one in placed] == [False, True, False]
    assert [answer.get("paused") for answer in answers] == [None, True, None]
    assert {structs.replace(one, version=1, paused=False) for one in placed} == {structs.replace(placed[0], version=1)}


async def test_limits_are_answered_in_their_units_and_can_be_sent_again(client, published):
    limits = {"rate_min": "6.5%", "term_months_max": 36, "days_past_due_max": 5}
    answer = (await place(client, {**BODY, **limits})).json()
    assert {"rate_ppm_min": 65_000, "term_months_max": 36, "days_past_due_max": 5}.items() <= answer.items()
    again = (await place(client, {**BODY, **limits, "buckets": [{**BUCKET, "criteria": answer["buckets"][0]["criteria"]}]})).json()
    assert {**again, "version": 0} == {**answer, "version": 0}
    (first, _) = await published(topics.PORTFOLIOS)
    assert decode_portfolio(first.value).rate_ppm_min == 65_000


async def test_the_answer_says_which_products_the_investor_may_not_buy_for_want_of_which_agreements(serve, kafka, published, tmp_path):
    needed = Needed(investor=("risk-notice-2026", "kyc"))
    product = structs.replace(CATALOG.products["consumer-loan-eur"], product="needs-agreements", currency="GBP", agreements=needed)
    await produce(kafka, [Record(topics.PRODUCTS, b"needs-agreements", encode(product))])
    shutil.copy(Path(schemas.__file__).parent / "originators.yaml", tmp_path)
    (tmp_path / "investors.yaml").write_text(
        "- {investor: ann, agreements: {kyc: 2026-03-02, risk-notice-2026: 2026-03-02}}\n- {investor: ben, agreements: {kyc: 2026-03-02}}\n"
    )
    async with serve(kafka, catalog=tmp_path) as client:
        told = [await place(client, POUNDS, who) for who in ("ann", "ben", "cy")]
        told += [await place(client, {**BODY, "currency": "USD"}, "cy"), await place(client, {**POUNDS, "closed": True}, "cy")]
    records = sorted(await published(topics.PORTFOLIOS, 5), key=lambda record: json.loads(record.value)["version"])
    assert [response.status_code for response in told] == [202] * 5
    answers = [response.json() for response in told]
    lacking = [answer.pop("lacking", None) for answer in answers]
    assert lacking == [
        None,
        [{"product": "needs-agreements", "agreements": ["risk-notice-2026"]}],
        [{"product": "needs-agreements", "agreements": ["risk-notice-2026", "kyc"]}],
        None,
        None,
    ]
    placed = [json.loads(record.value) for record in records]
    assert [{**answer, "buckets": ()} for answer in answers] == [{**one, "buckets": ()} for one in placed]


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", json.dumps({**BODY, "currency": "XXX", "size": 7}).encode()])
async def test_a_portfolio_that_is_not_valid_is_422_with_every_problem(client, published, body):
    response = await place(client, body)
    assert response.status_code == 422
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["errors"]
    assert await published(topics.PORTFOLIOS) == []


async def test_what_is_answered_can_be_sent_again_in_either_form(client, published):
    (told,) = (await place(client, BODY)).json()["buckets"]
    for criteria in (told["criteria"], told["criteria_json"]):
        assert (await place(client, {**BODY, "buckets": [{**BUCKET, "criteria": criteria}]})).status_code == 202
    assert len({json.dumps(json.loads(record.value)["buckets"]) for record in await published(topics.PORTFOLIOS)}) == 1


async def test_criteria_that_are_wrong_are_told_with_line_and_column_and_nothing_is_placed(client, published):
    wrong = [{"name": "a", "share_percent": 50, "criteria": "rate >= 6% and\nrisk_group = Z"}]
    wrong += [{"name": "b", "share_percent": 50, "criteria": {"any": [{"attribute": "rat", "is": 1}]}}]
    response = await place(client, {**BODY, "buckets": wrong})
    assert (response.status_code, response.json()["type"]) == (422, "urn:tranche:problem:invalid-portfolio")
    assert response.json()["criteria"] == [
        {
            "path": "buckets[0].criteria",
            "detail": "risk_group is never 'Z'; there are A, B, C, D, E, F",
            "line": 2,
            "column": 14,
            "shown": "risk_group = Z\n             ^",
        },
        {"path": "buckets[1].criteria.any[0].attribute", "detail": "'rat' is no attribute of this market; did you mean rate?"},
    ]
    assert response.json()["errors"] == [
        "buckets[0].criteria: line 2, column 14: risk_group is never 'Z'; there are A, B, C, D, E, F",
        "buckets[1].criteria.any[0].attribute: 'rat' is no attribute of this market; did you mean rate?",
    ]
    assert await published(topics.PORTFOLIOS) == []


async def test_a_body_that_is_too_large_is_413(alone):
    assert (await place(alone, b" " * (64 * 1024 + 1))).status_code == 413


@pytest.mark.parametrize(("path", "field"), [("p1", "currency"), ("p1?currency=XXX", "currency"), ("P_1?currency=EUR", "portfolio")])
async def test_closing_with_a_wrong_parameter_is_400_and_names_it(alone, path, field):
    response = await alone.delete(f"/portfolios/{path}", headers=alone.token("investor", "ann"))
    assert (response.status_code, response.json()["field"]) == (400, field)


async def test_without_a_broker_a_portfolio_is_503(alone):
    response = await place(alone, BODY)
    assert (response.status_code, response.json()["type"]) == (503, "urn:tranche:problem:broker-unavailable")
    assert response.headers["Retry-After"]
