"""The gap analyzer, first form: what a portfolio's new version changes on the market, all of its money offered at once. Pure."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from agents.trader import limits
from agents.trader.expression import CriteriaError
from agents.trader.normal import within
from schemas.asset import CENTS_MAX
from schemas.criteria import Conjunction, Criteria
from schemas.criteria import fault as criteria_fault
from schemas.events import BuyOffer, BuyOfferWithdrawn, Portfolio, Withdrawal

BUCKETS_MAX: Final = 50
ID_BYTES_MAX: Final = 64


class Placed(msgspec.Struct, frozen=True):
    """A row of the trader's table, key investor/portfolio: the newest version and its open buy offers. JSON."""

    version: int
    currency: str
    offers: tuple[str, ...]


class Plan(NamedTuple):
    """What to write: events by market, in this order, and the new row."""

    events: tuple[tuple[str, Sequence[BuyOfferWithdrawn | BuyOffer]], ...]
    row: bytes


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Placed).decode


def plan(portfolio: Portfolio, row: bytes | None, agreements: tuple[str, ...] = ()) -> Plan | None:
    """The withdrawal of every buy offer of the version before, then a buy offer for each bucket unless the portfolio is closed or paused.

    A version that is not newer than the row's changes nothing: None. The portfolio has passed `fault`. `agreements`: as `buy_offers`.
    """
    before = Placed(0, portfolio.currency, ()) if row is None else _decode(row)
    if portfolio.version <= before.version:
        return None
    reason: Withdrawal = "closed" if portfolio.closed else "paused" if portfolio.paused else ""
    gone = [BuyOfferWithdrawn(offer, portfolio.investor, reason) for offer in before.offers]
    new = buy_offers(portfolio, agreements)
    if before.currency == portfolio.currency:
        markets: tuple[tuple[str, Sequence[BuyOfferWithdrawn | BuyOffer]], ...] = ((portfolio.currency, [*gone, *new]),)
    else:
        markets = ((before.currency, gone), (portfolio.currency, new))
    placed = Placed(portfolio.version, portfolio.currency, tuple(offer.offer for offer in new))
    return Plan(tuple((market, events) for market, events in markets if events), _encode(placed))


def shares(amount: int, percents: Sequence[int]) -> list[int]:
    """Parts of an amount, in percent, that add up to it exactly: the largest remainders are rounded up, the first among equals.

    Largest remainder method (Hamilton). `percents` add up to 100.
    """
    parts = [amount * percent // 100 for percent in percents]
    by_remainder = sorted(range(len(parts)), key=lambda n: -(amount * percents[n] % 100))
    for n in by_remainder[: amount - sum(parts)]:
        parts[n] += 1
    return parts


def buy_offers(portfolio: Portfolio, agreements: tuple[str, ...] = ()) -> list[BuyOffer]:
    """A buy offer for each bucket, within the portfolio's limits; together they are its size. None if it is closed or paused.

    It has passed `fault`. `agreements` are those that its investor has signed.
    """
    if portfolio.closed or portfolio.paused:
        return []
    limited = limits.predicates(portfolio)
    amounts = shares(portfolio.size_cents, [bucket.share_percent for bucket in portfolio.buckets])
    return [
        BuyOffer(
            offer=f"{portfolio.investor}/{portfolio.portfolio}/{portfolio.version}/{bucket.name}",
            investor=portfolio.investor,
            portfolio=portfolio.portfolio,
            version=portfolio.version,
            bucket=bucket.name,
            currency=portfolio.currency,
            amount_cents=amount,
            bid_cents_max=portfolio.bid_cents_max,
            criteria=within(bucket.criteria, limited),
            agreements=agreements,
            limits=limited,
        )
        for bucket, amount in zip(portfolio.buckets, amounts, strict=True)
    ]


def fault(portfolio: Portfolio, markets: tuple[str, ...]) -> str:
    """Why a portfolio cannot be traded, empty if it can. The gateway has checked more, but anybody can write to a topic.

    One that is closed needs no money and no buckets. One that is paused does: it may go on by them.
    """
    names = [bucket.name for bucket in portfolio.buckets]
    texts = (portfolio.investor, portfolio.portfolio, *names)
    faults = (
        (portfolio.currency not in markets, f"currency: {portfolio.currency!r}; must be one of {', '.join(markets)}"),
        (portfolio.version < 1, f"version: {portfolio.version}; must be 1 or more"),
        (not all(map(_is_id, texts)), f"investor, portfolio and buckets' names: 1 to {ID_BYTES_MAX} printable bytes without /"),
        *(() if portfolio.closed else _money_faults(portfolio, names)),
    )
    return next((message for wrong, message in faults if wrong), "")


def _money_faults(portfolio: Portfolio, names: Sequence[str]) -> tuple[tuple[bool, str], ...]:
    percents = [bucket.share_percent for bucket in portfolio.buckets]
    limited = limits.predicates(portfolio)
    criteria = ((bucket.name, _criteria_fault(bucket.criteria, limited)) for bucket in portfolio.buckets[:BUCKETS_MAX])
    limit = limits.fault(portfolio)
    return (
        (not 0 < portfolio.size_cents <= CENTS_MAX, f"size_cents: {portfolio.size_cents}; must be 1 to {CENTS_MAX}"),
        (not 0 < portfolio.bid_cents_max <= CENTS_MAX, f"bid_cents_max: {portfolio.bid_cents_max}; must be 1 to {CENTS_MAX}"),
        (bool(limit), limit),
        (len(names) > BUCKETS_MAX, f"buckets: {len(names)}; at most {BUCKETS_MAX}"),
        (len(set(names)) < len(names), "buckets: two have the same name"),
        *((bool(why), f"buckets: {name}: criteria: {why}") for name, why in criteria),
        (min(percents, default=0) < 0 or sum(percents) != 100, f"buckets: the shares add up to {sum(percents)}; must be 100, none below 0"),
    )


def _criteria_fault(criteria: Criteria, limited: Conjunction) -> str:
    """Why a bucket's criteria cannot be brought within the limits, empty if they can."""
    why = criteria_fault(criteria)
    if not why:
        try:
            within(criteria, limited)
        except CriteriaError as fault:
            return fault.why
    return why


def _is_id(text: str) -> bool:
    return text.isprintable() and "/" not in text and 0 < len(text.encode()) <= ID_BYTES_MAX
