"""The matcher: a market's log in, investments out. Each partition of `offers` is a market with a book of its own."""

from collections.abc import Sequence
from typing import Final

from agents.matcher import rules
from agents.matcher.book import Book
from agents.matcher.draft import Draft
from schemas import events
from schemas.asset import DOCUMENT_BYTES_MAX
from schemas.catalog import Catalog
from schemas.events import BuyOffer, Investment, MarketEvent, Rejected, SellOffer
from streams import topics
from streams.effects import Effects, Headers, Message, Record, Stage

TAKE_BYTES: Final = 64 * 1024  # about 150 sell offers with some thousand bids: a tenth of a second, in which nothing else runs
HEADERS: Final[Headers] = (("event", b"investment.made"),)


def stages(catalog: Catalog) -> tuple[Stage, ...]:  # noqa: ARG001 - all agents are made alike; this one's offers say all it needs
    """The one stage of this agent."""
    return (Stage("matcher", topics.OFFERS, topics.MATCHER_TABLE, compute, Book, TAKE_BYTES),)


def compute(book: Book, messages: Sequence[Message]) -> Effects:
    """Match all events of `messages`, in order. The result is the same however a log is cut into Steps.

    A message that is no array of market events is put in quarantine whole, an offer that the market cannot take alone.
    """
    draft = Draft(book)
    effects = Effects()
    for message in messages:
        try:
            found = events.decode_market(message.value)
        except (ValueError, RecursionError) as fault:
            effects.poison += 1
            effects.records.append(_rejected(message, None, str(fault)))
            continue
        for event in found:
            reason = rules.fault(event, topics.MARKETS[message.partition]) if isinstance(event, SellOffer | BuyOffer) else ""
            if reason:
                effects.records.append(_rejected(message, event, reason))
            else:
                draft.take(event)
    effects.records += map(_record, draft.investments)
    effects.rows = draft.rows()
    return effects


def _record(investment: Investment) -> Record:
    return Record(topics.INVESTMENTS, investment.investor.encode(), events.encode(investment), headers=HEADERS)


def _rejected(message: Message, event: MarketEvent | None, reason: str) -> Record:
    """To the quarantine: an event with its reason ("field: what is wrong"), or a message that could not be read."""
    field, _, why = reason.partition(": ") if event is not None else ("", "", reason)
    originator = event.originator if isinstance(event, SellOffer) else ""
    rejected = Rejected(
        batch="",
        originator=originator,
        asset=event.asset if isinstance(event, SellOffer) else "",
        position=0,
        field=field,
        reason=why,
        source=message.source,
        document=(message.value if event is None else events.encode(event))[:DOCUMENT_BYTES_MAX],
    )
    return Record(topics.REJECTED, originator.encode(), events.encode(rejected))
