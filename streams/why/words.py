"""What decided, in words: bodies for programs, in cents and units, with a text for people at each reason."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from agents.matcher.reasons import Beyond, Rest, SoldOut, Unfit, Unmet, Unsigned, Why, name_of
from agents.matcher.why import BEYOND, UNSIGNED, Filling, OfAsset, OfPortfolio
from agents.trader import wording
from schemas.attributes import Attribute
from schemas.criteria import Criteria, Predicate
from schemas.values import money

TEXTS: Final = {  # a reason's fields by their names, amounts as money
    "held": "bid {cents}, held until the bids make 100 %",
    "sold": "invested {cents}: match {number} of version {version}",
    "taken_back": "invested, and not confirmed by the originator: it bids no more for version {version}",
    "unknown": "the market knows no such asset",
    "sold_out": "all of version {version} went to others, {cents} in {others}: they came first, or it did not fit, which is known no more",
    "too_late": "all of version {version} had gone to others, {cents} in {others}, before the buy offer was placed",
    "not_on_offer": "version {version} is withdrawn, or has no more for sale than the {sold_cents} that were sold of the asset before",
    "agreements": "needs agreements that were not signed when the buy offer was placed: {agreements}",
    "portfolio_limit": "beyond the portfolio's limits: {unmet}",
    "bids_max": "fits, but the asset has {bids:,} bids, and may have no more",
    "limit": "fits, but the investor has {has_cents} in it, at most {most_cents} here, and a bid is at least {least_cents}",
    "money": "fits, but only {open_cents} is open, and a bid is at least {least_cents}",
    "rest": "fits, but {others} came first, and one bid must take all of the {left_cents} left; {affordable_cents} can be afforded",
    "possible": "fits and could bid {cents}: a fault of the matcher",
}
STATES: Final = {
    "paused": "version {version} was withdrawn when the portfolio was paused, and no newer one has buy offers",
    "closed": "version {version} was withdrawn when the portfolio was closed, and no newer one has buy offers",
    "withdrawn": "version {version} was withdrawn, and no newer one has buy offers",
}
DECIDED: Final = {  # of assets on offer that fit
    "held": "with a bid that is held until the bids make 100 %",
    "sold": "invested in already",
    "taken_back": "not confirmed by the originator",
    "bids_max": "with as many bids as an asset may have",
    "limit": "already at the largest amount for one asset",
    "money": "without enough open money for a bid",
    "rest": "with a rest that one bid must take whole, and that is too much",
    "possible": "that could be bid for: a fault of the matcher",
}


def of_asset(found: OfAsset, currency: str, attributes: Mapping[str, Attribute]) -> dict[str, Any]:
    """A portfolio against an asset: a bucket an entry."""
    buckets = [
        {**msgspec.to_builtins(one.bucket), **msgspec.to_builtins(one.why), "text": text(one.why, currency, attributes)}
        for one in found.buckets
    ]
    return {**_head(found, currency), "asset": found.asset, "left_cents": found.left_cents, "buckets": buckets}


def of_portfolio(found: OfPortfolio, currency: str) -> dict[str, Any]:
    """A portfolio against all that is on offer: a bucket an entry, with the most frequent reasons first."""
    buckets = [_filling(one) for one in found.buckets]
    return {**_head(found, currency), "on_offer": found.on_offer, "looked_at": found.looked_at, "cut": found.cut, "buckets": buckets}


def _head(found: OfAsset | OfPortfolio, currency: str) -> dict[str, Any]:
    """What is said of the portfolio's version; where it has no buy offers with a text."""
    text = {} if found.state == "open" else {"text": STATES[found.state].format(version=found.version)}
    return {"portfolio": found.portfolio, "version": found.version, "currency": currency, "state": found.state, **text}


def _filling(found: Filling) -> dict[str, Any]:
    fit = [{"why": why, "assets": n, "text": f"{n:,} {DECIDED[why]}"} for why, n in found.decided.items()]
    unfit = [{"why": why, "name": name, "assets": n, "text": f"{n:,} {_lacking(why, name)}"} for (why, name), n in found.unfit.items()]
    told: dict[str, Any] = msgspec.to_builtins(found.bucket)
    return {**told, "fit": found.fit, "decided": _sorted(fit), "unfit": _sorted(unfit)}


def _sorted(counts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(counts, key=lambda one: (-one["assets"], one["why"], one.get("name", "")))


def _lacking(why: str, name: str) -> str:
    if why == UNSIGNED:
        return f"that need an agreement which is not signed: {name}"
    if why == BEYOND:
        return f"beyond the portfolio's limit of {name}, or without any"
    return f"with another {name} than is asked, or none" if name else "and the criteria take no asset"


def text(why: Why, currency: str, attributes: Mapping[str, Attribute]) -> str:
    """A reason in a line."""
    if isinstance(why, Unfit):
        return _unmet(why.unmet, attributes) or "the criteria take no asset"
    told = {name: f"{money(value)} {currency}" if name.endswith("cents") else value for name, value in msgspec.structs.asdict(why).items()}
    if isinstance(why, SoldOut | Rest):
        told["others"] = f"{_counted(why.bids, 'bid')} of {_counted(why.investors, 'investor')}"
    if isinstance(why, Unsigned):
        told["agreements"] = ", ".join(why.agreements)
    if isinstance(why, Beyond):
        told["unmet"] = _unmet(why.unmet, attributes)
    late = isinstance(why, SoldOut) and why.placed > why.last
    return TEXTS["too_late" if late else name_of(why)].format_map(told)


def _counted(count: int, name: str) -> str:
    return f"{count:,} {name}" if count == 1 else f"{count:,} {name}s"


def _unmet(unmet: tuple[Unmet, ...], attributes: Mapping[str, Attribute]) -> str:
    return "; ".join(_instead(one, attributes) for one in unmet)


def _instead(one: Unmet, attributes: Mapping[str, Attribute]) -> str:
    name, has = one.asked.attribute, one.has
    if has is None:
        is_now = f"{name} is not known"
    else:
        is_now = _said(Predicate(name, (has,)) if isinstance(has, str) else Predicate(name, low=has, high=has), attributes)
    return f"{is_now}, asked: {_said(one.asked, attributes)}"


def _said(predicate: Predicate, attributes: Mapping[str, Attribute]) -> str:
    return wording.text(Criteria(((predicate,),)), attributes)
