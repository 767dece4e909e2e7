"""Why, and why not: what decided between a portfolio and an asset, or keeps a portfolio from filling, in the markets of this worker."""

from collections.abc import Mapping
from typing import Any, Final

from streams.pages.html import Column, Markup, Page, field, join, money, table, tag
from streams.why.markets import BusyError, ElsewhereError, Markets, UnknownPortfolioError

PLACE: Final = "/why"
_NOTE: Final = "What decided, by the rules of the match in their order, as it is after the market's last committed input."
_BUCKET: Final = (
    Column("Bucket", lambda row: row["bucket"]),
    Column("Amount", lambda row: money(row["amount_cents"]), "n"),
    Column("Open", lambda row: money(row["open_cents"]), "n"),
    Column("Held", lambda row: money(row["held_cents"]), "n"),
    Column("Invested", lambda row: money(row["invested_cents"]), "n"),
)
_OF_ASSET: Final = (*_BUCKET, Column("Decided by", lambda row: tag("code", row["why"])), Column("Why", lambda row: row["text"], "wrap"))
_OF_PORTFOLIO: Final = (
    *_BUCKET,
    Column("Fit", lambda row: row["fit"], "n"),
    Column("Of those that fit", lambda row: _lines(row["decided"]), "few"),
    Column("Of those that do not", lambda row: _lines(row["unfit"]), "few"),
)


async def why(markets: Markets, portfolio: str, asset: str) -> Page:
    """The page of investor/portfolio, with or without originator/asset; the form alone where there is no portfolio."""
    form = _form(portfolio, asset)
    if not portfolio:
        return Page(PLACE, "Why, and why not", _NOTE, {"markets": markets.held()}, form)
    for text, form_of in ((portfolio, "INVESTOR/PORTFOLIO"), (asset, "ORIGINATOR/ASSET")):
        if text and not all(text.partition("/")):
            return _fault(markets, form, 400, "This cannot be asked for", f"{text!r} is no {form_of}.")
    held = ", ".join(markets.held()) or "none"
    try:
        found = await markets.why(portfolio, asset or None)
    except UnknownPortfolioError:
        return _fault(markets, form, 404, "No such portfolio", "No market has ever had a buy offer of it.")
    except ElsewhereError:
        told = f"This worker holds the markets {held}, and they do not know the portfolio. Ask the other workers, or `tranche why`."
        return _fault(markets, form, 421, "Another worker may know", told)
    except BusyError:
        return _fault(markets, form, 503, "The matcher is busy", "It did one Step after the other. Ask again.")
    return _of_asset(found, form) if asset else _of_portfolio(found, form)


def _of_asset(found: Mapping[str, Any], form: Markup) -> Page:
    left = join(("Left on offer: ", money(found["left_cents"]), " ", found["currency"]))
    body = join((form, tag("p", left), table(_OF_ASSET, found["buckets"], found.get("text", ""))))
    return Page(PLACE, f"{found['portfolio']} and {found['asset']}", _NOTE, found, body)


def _of_portfolio(found: Mapping[str, Any], form: Markup) -> Page:
    on_offer = f"{found['on_offer']:,} assets are on offer in {found['currency']}"
    looked_at = f"; the first {found['looked_at']:,} were looked at." if found["cut"] else "."
    body = join((form, tag("p", on_offer + looked_at), table(_OF_PORTFOLIO, found["buckets"], found.get("text", ""))))
    return Page(PLACE, f"{found['portfolio']}, version {found['version']}", _NOTE, found, body)


def _lines(counts: list[dict[str, Any]]) -> Markup:
    return join(tag("div", one["text"]) for one in counts)


def _fault(markets: Markets, form: Markup, status: int, title: str, note: str) -> Page:
    return Page(PLACE, title, note, {"error": title, "detail": note, "markets": markets.held()}, form, status=status)


def _form(portfolio: str, asset: str) -> Markup:
    boxes = (
        tag("label", "Investor/portfolio", field("portfolio", portfolio, required="", maxlength="256")),
        tag("label", "Originator/asset, or all", field("asset", asset, maxlength="256")),
    )
    return tag("form", *boxes, tag("button", "Why"), action=PLACE, method="get")
