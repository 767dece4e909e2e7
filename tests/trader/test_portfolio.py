import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

import schemas
from agents.trader import gap
from agents.trader.portfolio import PortfolioError, parse
from schemas.catalog import attributes_of
from schemas.events import Bucket, Portfolio
from tests.rows import CATALOG
from tests.wanted import wants

MARKETS = {market: attributes_of(market, CATALOG.products.values(), CATALOG.originators) for market in ("EUR", "USD")}
EXAMPLE = (Path(schemas.__file__).parent / "examples" / "portfolio.json").read_bytes()
DROP = object()


def body(**changes):
    given = {"portfolio": "p-1", "currency": "EUR", "size": "1000.00", "buckets": [bucket()], **changes}
    return json.dumps({key: value for key, value in given.items() if value is not DROP}).encode()


def bucket(name="all", share_percent=100, **rest):
    return {"name": name, "share_percent": share_percent, **rest}


def criteria(given):
    return body(buckets=[bucket(criteria=given)])


def problems(given):
    with pytest.raises(PortfolioError) as caught:
        parse(given, "ann", 1, MARKETS)
    return list(caught.value.problems)


def test_the_example_is_a_portfolio():
    assert parse(EXAMPLE, "ann", 7, MARKETS) == Portfolio(
        portfolio="steady-income",
        investor="ann",
        version=7,
        currency="EUR",
        size_cents=1_000_000,
        buckets=(
            Bucket("safe", 60, wants(risk_groups="AB", countries=("DE", "EE", "FI"), rate_ppm_min=40_000, remaining_months_max=36)),
            Bucket(
                "daring",
                30,
                wants(
                    risk_groups="CD",
                    originators=("bluebird", "harbor"),
                    rate_ppm_min=120_000,
                    rate_ppm_max=250_000,
                    days_past_due_max=15,
                ),
            ),
            Bucket("anything", 10, wants()),
        ),
        bid_cents_max=25_000,
    )


def test_what_is_left_out_has_its_default():
    portfolio = parse(body(), "ann", 1, MARKETS)
    assert (portfolio.bid_cents_max, portfolio.closed) == (50_000, False)
    assert portfolio.buckets[0].criteria == wants(days_past_due_max=0)


def test_a_portfolio_can_be_closed():
    assert parse(body(closed=True), "ann", 1, MARKETS).closed


def test_a_portfolio_can_be_paused_and_is_otherwise_as_it_is():
    paused = parse(body(paused=True), "ann", 1, MARKETS)
    assert paused == structs.replace(parse(body(), "ann", 1, MARKETS), paused=True)


def test_limits_stand_beside_the_buckets_in_the_units_of_the_attributes():
    found = parse(body(rate_min="6.5%", term_months_max=36, days_past_due_max=5), "ann", 1, MARKETS)
    assert (found.rate_ppm_min, found.term_months_max, found.days_past_due_max) == (65_000, 36, 5)
    assert parse(body(rate_min="0.065"), "ann", 1, MARKETS).rate_ppm_min == 65_000


def test_criteria_that_say_nothing_of_days_past_due_go_by_the_limit_and_others_by_both():
    buckets = [bucket("a", 50), bucket("b", 50, criteria="days_past_due <= 2")]
    found = parse(body(days_past_due_max=5, buckets=buckets), "ann", 1, MARKETS)
    assert [one.criteria for one in found.buckets] == [wants(days_past_due_max=None), wants(days_past_due_max=2)]
    assert [one.criteria for one in gap.buy_offers(found)] == [wants(days_past_due_max=5), wants(days_past_due_max=2)]


@pytest.mark.parametrize(("name", "limit", "given"), [("rate", "rate_min", "6%"), ("term_months", "term_months_max", 36)])
def test_a_limit_of_what_criteria_may_not_ask_in_the_market_is_a_problem(name, limit, given):
    other = {"EUR": {key: one for key, one in MARKETS["EUR"].items() if key != name}}
    with pytest.raises(PortfolioError, match=f"^{limit}: '{name}' is no attribute of this market; "):
        parse(body(**{limit: given}), "ann", 1, other)


def test_the_investor_is_never_taken_from_the_body():
    (problem,) = problems(body(investor="mallory"))
    assert problem.startswith("investor: unknown; known are portfolio, currency, size, bid_max, rate_min, term_months_max, ")


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (body(portfolio="A b"), 'portfolio: "A b"; must be 1 to 64 of a-z, 0-9 and -'),
        (body(portfolio="p\n"), "portfolio: "),
        (body(portfolio="x" * 65), "portfolio: "),
        (body(portfolio=DROP), "portfolio: missing; must be"),
        (body(currency="JPY"), 'currency: "JPY"; must be one of EUR, USD'),
        (body(currency=["EUR"]), "currency: a list of 1; must be"),
        (body(size="10.005"), 'size: "10.005"; must be'),
        (body(size=1000), "size: 1000; must be a decimal string"),
        (body(size="-5.00"), "size: "),
        (body(size="0.99"), "size: "),
        (body(size="1e9"), "size: "),
        (body(size="\u0661\u0662"), "size: "),  # digits, but not ours
        (body(size="9999999999999.00"), "size: "),
        (body(size="NaN"), "size: "),
        (body(bid_max="0.00"), "bid_max: "),
        (body(bid_max=None), "bid_max: missing"),
        (body(closed="yes"), 'closed: "yes"; must be true or false'),
        (body(closed=1), "closed: 1; must be true or false"),
        (body(paused="no"), 'paused: "no"; must be true or false'),
        (body(paused=None), "paused: missing; must be true or false"),
        (body(rate_min=6), 'rate_min: 6; must be a text above 0, as "6%" or "0.06"'),
        (body(rate_min=None), "rate_min: missing; must be a text"),
        (body(rate_min="0"), 'rate_min: "0"; must be a text above 0'),
        (body(rate_min="0.00%"), 'rate_min: "0.00%"; must be a text above 0'),
        (body(rate_min="6"), "rate_min: 6 without % is 600%; write 6%"),
        (body(rate_min="-6%"), "rate_min: rate is 0% to 200%"),
        (body(rate_min="6.00001%"), "rate_min: rate is a share, such as 6% or 0.06"),
        (body(rate_min="six"), "rate_min: rate is a share, such as 6% or 0.06"),
        (body(term_months_max=0), "term_months_max: 0; must be a whole number from 1 to 600"),
        (body(term_months_max="36"), 'term_months_max: "36"; must be a whole number'),
        (body(term_months_max=36.0), "term_months_max: 36.0; must be a whole number"),
        (body(term_months_max=True), "term_months_max: true; must be a whole number"),
        (body(days_past_due_max=-1), "days_past_due_max: -1; must be a whole number from 0 to "),
        (body(days_past_due_max=10**30), "days_past_due_max: 1000000000000000000000000000000; must be a whole number"),
        (body(days_past_due_min=1), "days_past_due_min: unknown; known are "),
        (
            body(rate_min="9%", buckets=[bucket(criteria="rate < 9%")]),
            "buckets[0].criteria: they take nothing within the portfolio's limits",
        ),
        (body(buckets=[]), "buckets: a list of 0; must be a list of 1 to 50 buckets"),
        (body(buckets=[bucket(str(n), 2) for n in range(51)]), "buckets: a list of 51; must be"),
        (body(buckets={}), "buckets: an object; must be"),
        (body(buckets=[bucket(), 5]), "buckets[1]: 5; must be an object"),
        (body(buckets=[bucket(name="")]), 'buckets[0].name: ""; must be'),
        (body(buckets=[bucket("a", 50), bucket("a", 50)]), 'buckets[1].name: "a"; must be different from the other buckets\' names'),
        (body(buckets=[bucket("a", 50), bucket("b", 60)]), "buckets[1].share_percent: 60; the shares add up to 110, must be 100"),
        (body(buckets=[bucket("a", 50), bucket("b", 40)]), "buckets[1].share_percent: 40; the shares add up to 90, must be 100"),
        (body(buckets=[bucket(share_percent=100.0)]), "buckets[0].share_percent: 100.0; must be a whole number from 1 to 100"),
        (body(buckets=[bucket(share_percent=True)]), "buckets[0].share_percent: true; must be"),
        (body(buckets=[bucket("a", 0), bucket("b", 100)]), "buckets[0].share_percent: 0; must be"),
        (body(buckets=[bucket(limit=3)]), "buckets[0].limit: unknown; known are name, share_percent, criteria"),
        (criteria("rat >= 6%"), "buckets[0].criteria: line 1, column 1: 'rat' is no attribute of this market; did you mean rate?"),
        (criteria("rate >= 6%\n and"), "buckets[0].criteria: line 2, column 5: the criteria end too early; here can stand an attribute"),
        (criteria({"any": [{"attribute": "grade", "is": 7}]}), "buckets[0].criteria.any[0].is: grade is a text"),
        (criteria({"risk_groups": ["A"]}), "buckets[0].criteria: must be an object: "),
        (criteria(None), "buckets[0].criteria: must be an object: "),
        (criteria([]), "buckets[0].criteria: must be an object: "),
        (criteria(7), "buckets[0].criteria: must be an object: "),
        (b"[]", "no JSON object: "),
        (b"", "no JSON object: "),
        (b'{"a": \xff}', "no JSON object: "),
        (b'{"a":"\xff"}', "no JSON object: "),
        (b'{"size":' + b"[" * 20_000, "no JSON object: "),
        (b" " * 70_000, "70000 bytes; at most 65536"),
    ],
)
def test_a_problem_is_named_by_its_path(given, problem):
    assert len(problems(given)) == 1
    assert problems(given)[0].startswith(problem)


def test_all_problems_are_listed_at_once():
    given = body(
        portfolio="?", currency="X", size="a", bid_max="b", closed=3, buckets=[bucket("a", 50), bucket("b", 60, criteria="rate >")]
    )
    assert [line.partition(":")[0] for line in problems(given)] == [
        "portfolio",
        "currency",
        "size",
        "bid_max",
        "closed",
        "buckets[1].share_percent",
    ]


def test_a_quoted_value_is_cut_short():
    assert max(map(len, problems(body(portfolio="x" * 60_000, **{"y" * 1000: 1})))) < 200


def test_the_criteria_of_every_bucket_are_looked_at():
    given = body(buckets=[bucket("a", 50, criteria="rate >"), bucket("b", 60, criteria={"all": [{"any": {}}]})])
    with pytest.raises(PortfolioError) as caught:
        parse(given, "ann", 1, MARKETS)
    assert [line.partition(": ")[0] for line in caught.value.problems] == [
        "buckets[0].criteria",
        "buckets[1].criteria.all[0]",
        "buckets[1].share_percent",
    ]
    assert {path: fault.column for path, fault in caught.value.criteria.items()} == {
        "buckets[0].criteria": 7,
        "buckets[1].criteria.all[0]": 0,
    }


def test_criteria_are_those_of_the_market_of_the_portfolio():
    other = {**MARKETS, "USD": {name: one for name, one in MARKETS["USD"].items() if name != "rate"}}
    assert parse(body(buckets=[bucket(criteria="rate >= 6%")]), "ann", 1, other)
    with pytest.raises(PortfolioError, match="no attribute of this market"):
        parse(body(currency="USD", buckets=[bucket(criteria="rate >= 6%")]), "ann", 1, other)


def test_amounts_and_rates_are_exact():
    portfolio = parse(body(size="123456789012.34", buckets=[bucket(criteria="rate between 0.140701 and 100%")]), "ann", 1, MARKETS)
    assert portfolio.size_cents == 12_345_678_901_234
    assert portfolio.buckets[0].criteria == wants(rate_ppm_min=140_701, rate_ppm_max=1_000_000)


KEYS = st.sampled_from(
    [
        "portfolio", "currency", "size", "bid_max", "rate_min", "term_months_max", "days_past_due_max", "buckets", "closed", "paused",
        "name", "share_percent", "criteria", "all", "attribute",
    ]
)  # fmt: skip
JSON = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.just([]), st.just([{}]))
OBJECT = st.dictionaries(KEYS, JSON, max_size=4)


@given(OBJECT, st.lists(OBJECT | JSON, max_size=3), OBJECT)
def test_any_json_is_a_portfolio_or_has_problems(given, buckets, criteria):
    assert problems(json.dumps({**given, "currency": "EUR", "buckets": [*buckets, {"criteria": criteria}]}).encode())


@given(st.binary())
def test_any_bytes_are_a_portfolio_or_have_problems(given):
    assert problems(given)
