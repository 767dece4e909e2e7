import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import schemas
from agents.trader.portfolio import PortfolioError, parse
from schemas.events import Bucket, Criteria, Portfolio

MARKETS = ("EUR", "USD")
EXAMPLE = (Path(schemas.__file__).parent / "examples" / "portfolio.json").read_bytes()
DROP = object()


def body(**changes):
    given = {"portfolio": "p-1", "currency": "EUR", "size": "1000.00", "buckets": [bucket()], **changes}
    return json.dumps({key: value for key, value in given.items() if value is not DROP}).encode()


def bucket(name="all", share_percent=100, **rest):
    return {"name": name, "share_percent": share_percent, **rest}


def criteria(**rest):
    return body(buckets=[bucket(criteria=rest)])


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
            Bucket("safe", 60, Criteria(("A", "B"), ("DE", "EE", "FI"), rate_ppm_min=40_000, remaining_months_max=36)),
            Bucket(
                "daring",
                30,
                Criteria(("C", "D"), originators=("bluebird", "harbor"), rate_ppm_min=120_000, rate_ppm_max=250_000, days_past_due_max=15),
            ),
            Bucket("anything", 10),
        ),
        bid_cents_max=25_000,
    )


def test_what_is_left_out_has_its_default():
    portfolio = parse(body(), "ann", 1, MARKETS)
    assert (portfolio.bid_cents_max, portfolio.closed) == (50_000, False)
    assert portfolio.buckets[0].criteria == Criteria()


def test_a_portfolio_can_be_closed():
    assert parse(body(closed=True), "ann", 1, MARKETS).closed


def test_the_investor_is_never_taken_from_the_body():
    assert problems(body(investor="mallory")) == ["investor: unknown; known are portfolio, currency, size, bid_max, buckets, closed"]


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
        (criteria(color="red"), "buckets[0].criteria.color: unknown; known are risk_groups, "),
        (criteria(risk_groups="A"), 'buckets[0].criteria.risk_groups: "A"; must be a list of at most 100'),
        (criteria(risk_groups=["A"] * 101), "buckets[0].criteria.risk_groups: a list of 101; must be"),
        (criteria(risk_groups=["A", ""]), 'buckets[0].criteria.risk_groups[1]: ""; must be text of 1 to 64 characters'),
        (criteria(countries=["DE", "de"]), 'buckets[0].criteria.countries[1]: "de"; must be two capital letters'),
        (criteria(originators=[7]), "buckets[0].criteria.originators[0]: 7; must be"),
        (criteria(rate_min="0.1234567"), 'buckets[0].criteria.rate_min: "0.1234567"; must be a decimal string from 0 to 2'),
        (criteria(rate_max="2.1"), 'buckets[0].criteria.rate_max: "2.1"; must be'),
        (criteria(rate_max=0.1), "buckets[0].criteria.rate_max: 0.1; must be a decimal string"),
        (criteria(rate_min="0.2", rate_max="0.1"), 'buckets[0].criteria.rate_min: "0.2"; must be not above rate_max'),
        (criteria(remaining_months_max=0), "buckets[0].criteria.remaining_months_max: 0; must be a whole number from 1 to 600"),
        (criteria(days_past_due_max=-1), "buckets[0].criteria.days_past_due_max: -1; must be"),
        (body(buckets=[bucket(criteria=[])]), "buckets[0].criteria: a list of 0; must be an object"),
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
        portfolio="?", currency="X", size="a", bid_max="b", closed=3, buckets=[bucket("a", 50), bucket("b", 60, criteria={"rate_min": "c"})]
    )
    assert [line.partition(":")[0] for line in problems(given)] == [
        "portfolio",
        "currency",
        "size",
        "bid_max",
        "closed",
        "buckets[1].criteria.rate_min",
        "buckets[1].share_percent",
    ]


def test_a_quoted_value_is_cut_short():
    assert max(map(len, problems(body(portfolio="x" * 60_000, **{"y" * 1000: 1})))) < 200


def test_amounts_and_rates_are_exact():
    portfolio = parse(body(size="123456789012.34", buckets=[bucket(criteria={"rate_min": "0.140701", "rate_max": "1"})]), "ann", 1, MARKETS)
    assert portfolio.size_cents == 12_345_678_901_234
    assert (portfolio.buckets[0].criteria.rate_ppm_min, portfolio.buckets[0].criteria.rate_ppm_max) == (140_701, 1_000_000)


KEYS = st.sampled_from(
    ["portfolio", "currency", "size", "bid_max", "buckets", "closed", "name", "share_percent", "criteria", "risk_groups", "rate_min"]
)
JSON = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.just([]), st.just([{}]))
OBJECT = st.dictionaries(KEYS, JSON, max_size=4)


@given(OBJECT, st.lists(OBJECT | JSON, max_size=3), OBJECT)
def test_any_json_is_a_portfolio_or_has_problems(given, buckets, criteria):
    assert problems(json.dumps({**given, "buckets": [*buckets, {"criteria": criteria}]}).encode())


@given(st.binary())
def test_any_bytes_are_a_portfolio_or_have_problems(given):
    assert problems(given)
