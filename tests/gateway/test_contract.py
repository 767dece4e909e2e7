"""`schemas/openapi.yaml` is complete, and its examples are true. That every answer keeps it is checked in conftest.py."""

import re

from starlette.routing import Route

from agents.trader.portfolio import parse
from schemas.catalog import attributes_of
from schemas.events import decode_portfolio, encode
from streams.gateway.portfolios import answered
from streams.gateway.problems import TITLES
from streams.gateway.server import ROUTES
from tests.rows import CATALOG


def contents(contract):
    """Every content of the contract, request or response: (where, content)."""

    def walk(where, node):
        if isinstance(node, dict):
            for kind, content in node.get("content", {}).items():
                yield f"{where} {kind}", content
            for name, inner in node.items():
                yield from walk(f"{where}/{name}", inner)

    return list(walk("", contract))


def test_every_route_is_there_and_no_other(contract):
    routes = {(route.path, method) for route in ROUTES if isinstance(route, Route) for method in route.methods - {"HEAD"}}
    documented = {(path, method.upper()) for path, operations in contract["paths"].items() for method in operations}
    assert routes == documented


def test_every_kind_of_problem_is_named_and_no_other(contract):
    named = re.findall(r"`([a-z-]+)`[,;]", contract["info"]["description"])
    assert sorted(named) == sorted(TITLES)


def test_every_example_is_valid(contract, valid):
    examples = [(where, content) for where, content in contents(contract) if "example" in content]
    assert len(examples) > 8
    for where, content in examples:
        try:
            valid(content["example"], content["schema"])
        except Exception as fault:
            raise AssertionError(where) from fault


def test_an_example_of_a_problem_has_its_title(contract):
    for _, content in contents(contract):
        example = content.get("example", {})
        if "type" in example:
            assert example["title"] == TITLES[example["type"].rpartition(":")[2]]


def test_the_portfolio_examples_are_what_is_answered(contract):
    operation = contract["paths"]["/portfolios"]["post"]
    answer = operation["responses"]["202"]["content"]["application/json"]["example"]
    asked = encode(operation["requestBody"]["content"]["application/json"]["example"])
    attributes = attributes_of("USD", CATALOG.products.values(), CATALOG.originators)
    assert answered(parse(asked, "ann", answer["version"], {"USD": attributes}), attributes) == answer
    closed = contract["paths"]["/portfolios/{portfolio}"]["delete"]["responses"]["202"]["content"]["application/json"]["example"]
    assert decode_portfolio(encode(closed)).closed


async def test_it_is_served(alone, contract):
    assert (await alone.get("/openapi.json")).json() == contract


async def test_the_home_page_leads_to_everything_that_needs_no_token(alone, contract):
    page = (await alone.get("/")).text
    for path, operations in contract["paths"].items():
        if operations.get("get", {}).get("security") == [] and path != "/":
            assert f'href="{path[1:]}"' in page


async def test_metrics_are_served(alone):
    assert "tranche_upload_bytes" in (await alone.get("/metrics")).text
