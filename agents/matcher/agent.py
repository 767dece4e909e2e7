"""The matcher: a market's log in, proposals of investments out. Each partition of `offers` is a market with a book of its own."""

from collections.abc import Sequence

from agents.matcher import meeting, rules
from agents.matcher.book import Book
from agents.matcher.draft import Draft
from schemas import events
from schemas.catalog import Catalog
from schemas.events import BidsReleased, BuyOffer, Proposal, SellOffer
from streams import topics
from streams.effects import Effects, Message, Record, Stage
from streams.guard import dead_letter, readable


def stages(catalog: Catalog) -> tuple[Stage, ...]:  # noqa: ARG001 - all agents are made alike; this one's offers say all it needs
    """The one stage of this agent. Called where a worker is made: compiles what the book needs."""
    meeting.ready()
    return (Stage("matcher", topics.OFFERS, topics.MATCHER_TABLE, compute, Book),)


def compute(book: Book, messages: Sequence[Message]) -> Effects:
    """Match all events of `messages`, in order. The result is the same however a log is cut into Steps.

    A message that is no array of market events is put in quarantine whole, an offer that the market cannot take alone.
    """
    draft = Draft(book)
    effects = Effects()
    for message, found in readable(messages, events.decode_market, effects):
        for event in found:
            offer = event.sell_offer if isinstance(event, BidsReleased) else event
            if isinstance(offer, SellOffer | BuyOffer) and (reason := rules.fault(offer, topics.MARKETS[message.partition])):
                effects.records.append(_refused(message, offer, reason))
            else:
                draft.take(event)
    effects.records += map(_record, draft.proposals)
    effects.rows = draft.rows()
    return effects


def _record(proposal: Proposal) -> Record:
    return Record(topics.PROPOSED, proposal.sell_offer.originator.encode(), events.encode(proposal))


def _refused(message: Message, event: SellOffer | BuyOffer, reason: str) -> Record:
    """The quarantine of one offer; a reason is "field: what is wrong"."""
    field, _, why = reason.partition(": ")
    originator, asset = (event.originator, event.asset) if isinstance(event, SellOffer) else ("", "")
    return dead_letter(message, why, events.encode(event), field=field, originator=originator, asset=asset)
