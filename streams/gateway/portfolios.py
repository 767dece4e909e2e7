"""`POST /portfolios` and `DELETE /portfolios/{portfolio}`: what an investor wants."""

import time
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from agents.trader import wording
from agents.trader.expression import CriteriaError
from agents.trader.portfolio import PortfolioError, parse
from schemas.agreements import lacking
from schemas.attributes import Attribute
from schemas.catalog import attributes_of
from schemas.events import Portfolio, encode
from streams import topics
from streams.effects import Record
from streams.gateway.access import caller, require
from streams.gateway.context import Gateway, gateway_of
from streams.gateway.outlet import BrokerError
from streams.gateway.problems import ProblemError, retry_later
from streams.gateway.replies import json, small_body
from streams.tokens import is_id

JSON: Final = "application/json"


async def place(request: Request) -> Response:
    """Place a portfolio, or a new version of it; 202 with the portfolio as it was placed, and what it does not buy and why."""
    investor, gateway = require(caller(request), "investor"), gateway_of(request)
    body = await small_body(request, gateway.limits.json_bytes)
    await gateway.read_products()
    markets = {market: attributes_of(market, gateway.products.products.values(), gateway.originators) for market in topics.MARKETS}
    try:
        portfolio = await run_in_threadpool(parse, body, investor, _version(), markets)  # criteria may take a fifth of a second
    except PortfolioError as fault:
        criteria = [_told(path, one) for path, one in fault.criteria.items()]
        raise ProblemError(422, "invalid-portfolio", "Nothing was placed.", errors=fault.problems, criteria=criteria) from fault
    await _publish(gateway, portfolio)
    missing = _lacking(gateway, portfolio)
    return json({**answered(portfolio, markets[portfolio.currency]), **({"lacking": missing} if missing else {})}, 202)


async def close(request: Request) -> Response:
    """Close a portfolio: its open buy offers are withdrawn, its investments stay. `?currency=` says in which market it was placed."""
    investor, gateway = require(caller(request), "investor"), gateway_of(request)
    portfolio, currency = request.path_params["portfolio"], request.query_params.get("currency", "")
    if currency not in topics.MARKETS:
        raise ProblemError(400, "invalid-parameter", f"currency: one of {', '.join(topics.MARKETS)}.", field="currency")
    if not is_id(portfolio):
        raise ProblemError(400, "invalid-parameter", "portfolio: 1 to 64 characters of a-z, 0-9 and hyphen.", field="portfolio")
    closed = Portfolio(portfolio, investor, _version(), currency, size_cents=0, buckets=(), bid_cents_max=0, closed=True)
    await _publish(gateway, closed)
    return Response(encode(closed), 202, media_type=JSON)


async def _publish(gateway: Gateway, portfolio: Portfolio) -> None:
    try:
        await gateway.outlet.write(Record(topics.PORTFOLIOS, portfolio.investor.encode(), encode(portfolio)))
    except BrokerError as fault:
        raise retry_later("broker-unavailable", f"{fault}. Send it again.", gateway.limits.retry_s) from fault


def answered(portfolio: Portfolio, attributes: Mapping[str, Attribute]) -> dict[str, Any]:
    """The portfolio as it was placed, its criteria in the language and as JSON."""
    buckets = [
        {
            "name": bucket.name,
            "share_percent": bucket.share_percent,
            "criteria": wording.text(bucket.criteria, attributes),
            "criteria_json": wording.form(bucket.criteria, attributes),
        }
        for bucket in portfolio.buckets
    ]
    return {**msgspec.to_builtins(portfolio), "buckets": buckets}


def _told(path: str, fault: CriteriaError) -> dict[str, Any]:
    """What is wrong with criteria, as a member of a problem; of a text with the place in it."""
    place = {"line": fault.line, "column": fault.column, "shown": fault.shown} if fault.line else {}
    return {"path": path, "detail": fault.why, **place}


def _lacking(gateway: Gateway, portfolio: Portfolio) -> list[dict[str, Any]]:
    """The products of its market that the portfolio does not buy, with the agreements that its investor has not signed."""
    found = (
        (name, lacking(product.agreements.investor, portfolio.investor, gateway.investors))
        for name, product in sorted(gateway.products.products.items())
        if product.currency == portfolio.currency and not portfolio.closed
    )
    return [{"product": name, "agreements": missing} for name, missing in found if missing]


_latest = 0


def _version() -> int:
    """Microseconds since 1970, and always more than the last: later versions of a portfolio have larger numbers.

    A version comes from outside the dataflow, as the id of a batch does, so a clock may make it. Two gateways agree as well as their
    clocks do; an investor that needs an order sends its next version after the answer to the last.
    """
    global _latest  # noqa: PLW0603 - one clock a process
    _latest = max(_latest + 1, time.time_ns() // 1000)
    return _latest
