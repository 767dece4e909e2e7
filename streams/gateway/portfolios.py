"""`POST /portfolios` and `DELETE /portfolios/{portfolio}`: what an investor wants."""

import time
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from agents.trader.portfolio import PortfolioError, parse
from schemas.agreements import lacking
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
    try:
        portfolio = parse(body, investor, _version(), topics.MARKETS)
    except PortfolioError as fault:
        raise ProblemError(422, "invalid-portfolio", "Nothing was placed.", errors=fault.problems) from fault
    return await _publish(gateway, portfolio)


async def close(request: Request) -> Response:
    """Close a portfolio: its open buy offers are withdrawn, its investments stay. `?currency=` says in which market it was placed."""
    investor, gateway = require(caller(request), "investor"), gateway_of(request)
    portfolio, currency = request.path_params["portfolio"], request.query_params.get("currency", "")
    if currency not in topics.MARKETS:
        raise ProblemError(400, "invalid-parameter", f"currency: one of {', '.join(topics.MARKETS)}.", field="currency")
    if not is_id(portfolio):
        raise ProblemError(400, "invalid-parameter", "portfolio: 1 to 64 characters of a-z, 0-9 and hyphen.", field="portfolio")
    closed = Portfolio(portfolio, investor, _version(), currency, size_cents=0, buckets=(), bid_cents_max=0, closed=True)
    return await _publish(gateway, closed)


async def _publish(gateway: Gateway, portfolio: Portfolio) -> Response:
    value = encode(portfolio)
    try:
        await gateway.outlet.write(Record(topics.PORTFOLIOS, portfolio.investor.encode(), value))
    except BrokerError as fault:
        raise retry_later("broker-unavailable", f"{fault}. Send it again.", gateway.limits.retry_s) from fault
    missing = _lacking(gateway, portfolio)
    return json({**msgspec.to_builtins(portfolio), "lacking": missing}, 202) if missing else Response(value, 202, media_type=JSON)


def _lacking(gateway: Gateway, portfolio: Portfolio) -> list[dict[str, Any]]:
    """The products of its market that the portfolio does not buy, with the agreements that its investor has not signed."""
    found = (
        (name, lacking(product.agreements.investor, portfolio.investor, gateway.investors))
        for name, product in sorted(gateway.products.items())
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
