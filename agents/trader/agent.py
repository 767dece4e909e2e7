"""The trader: portfolios in, buy offers and their withdrawals out, to the partition of their market; what they place, for people to ask."""

from collections.abc import Sequence
from typing import Final

from agents.trader import gap
from schemas import events
from schemas.agreements import signed
from schemas.catalog import Catalog
from schemas.events import Portfolio
from streams import topics
from streams.effects import Copy, Effects, Execute, Message, Record, Sink, Stage, Table
from streams.guard import dead_letter, readable

_NEWEST: Final = (
    "INSERT INTO portfolios AS held (investor, portfolio, version, offers) VALUES ($1, $2, $3, $4) ON CONFLICT (investor, portfolio) "
    "DO UPDATE SET version = excluded.version, offers = excluded.offers WHERE excluded.version > held.version"
)


def stages(catalog: Catalog) -> tuple[Stage, ...]:
    """The one stage of this agent. The catalog's markets are `topics.MARKETS`: the place of a market is its partition of `offers`."""

    def compute(table: Table, messages: Sequence[Message]) -> Effects:
        """Plan each portfolio. One that cannot be read, or not be traded, is put in quarantine; the others go on."""
        effects = Effects()
        for message, portfolio in readable(messages, events.decode_portfolio, effects):
            reason = _fault(message, portfolio, catalog.markets)
            if reason:
                effects.records.append(dead_letter(message, reason))
                continue
            key = f"{portfolio.investor}/{portfolio.portfolio}".encode()
            plan = gap.plan(portfolio, effects.rows.get(key) or table.get(key), signed(portfolio.investor, catalog.investors))
            if plan is not None:
                effects.records += (
                    Record(topics.OFFERS, None, events.encode(found), catalog.markets.index(market)) for market, found in plan.events
                )
                effects.rows[key] = plan.row
        return effects

    return (Stage("trader", topics.PORTFOLIOS, topics.TRADER_TABLE, compute, gather_s=0),)


def sinks(catalog: Catalog) -> tuple[Sink, ...]:
    """The newest version of each portfolio, by the same rules: what the stage refuses is not in the table."""

    def compute(messages: Sequence[Message]) -> list[Copy | Execute]:
        """One statement, at most, with the portfolios in order."""
        found = readable(messages, events.decode_portfolio, Effects())  # the stage puts the others in quarantine
        placed = [portfolio for message, portfolio in found if not _fault(message, portfolio, catalog.markets)]
        offers = (gap.buy_offers(one, signed(one.investor, catalog.investors)) for one in placed)
        rows = [(one.investor, one.portfolio, one.version, events.encode(found)) for one, found in zip(placed, offers, strict=True)]
        return [Execute(_NEWEST, rows)] if rows else []

    return (Sink("trader.portfolios", topics.PORTFOLIOS, compute),)


def _fault(message: Message, portfolio: Portfolio, markets: tuple[str, ...]) -> str:
    """Why the portfolio cannot be traded, empty if it can."""
    if message.key != portfolio.investor.encode():  # its row may be in another partition's table
        return f"investor: {portfolio.investor!r}; the message's key is {message.key!r}"
    return gap.fault(portfolio, markets)
