"""The confirmer: proposals in, investments out; the external end of day. An originator with a callback is asked before anything is sold.

No callback means yes. A no, an error, silence or anything that is no answer means no: the bids are released and the asset is on offer
again. An answer is only ever the response to its question, so one that comes late is heard by nobody.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from agents.confirmer import outcomes
from agents.confirmer.confirmation import Confirmation, Proposed, body, confirmations, refusals
from schemas import events
from schemas.catalog import Catalog
from schemas.events import Proposal
from streams import topics
from streams.effects import Answers, Effects, Headers, Message, Question, Record, Stage, Table
from streams.guard import readable

MADE: Final[Headers] = (("event", b"investment.made"),)
RELEASED: Final[Headers] = (("event", b"proposal.released"),)
# A proposal is more than 500 bytes, so a Step has at most two questions for an originator, which are asked side by side.
TAKE_BYTES: Final = 256 * 1024


def stages(catalog: Catalog) -> tuple[Stage, ...]:
    """The one stage of this agent. It asks nothing where no originator has a callback."""
    callbacks = {name: one.callback for name, one in catalog.originators.items() if one.callback}

    def questions(messages: Sequence[Message]) -> list[Question]:
        """What is to be asked before `compute`; what cannot be read is left to that."""
        return [
            Question(one.originator, callbacks[one.originator], one.id, body(one))
            for one in confirmations(_proposed(messages, Effects()), callbacks)
        ]

    def compute(_table: Table, messages: Sequence[Message], answers: Answers = {}) -> Effects:  # noqa: B006 - nobody writes to it
        """Confirm or release each proposal of `messages`. One that needs an answer and has none is released."""
        effects = Effects()
        proposed = list(_proposed(messages, effects))
        refused = _refused(confirmations(proposed, callbacks), answers)
        for proposal, _ in proposed:
            reason = refused.get(proposal.proposal)
            effects.records += _sold(proposal, catalog) if reason is None else _released(proposal, reason)
        return effects

    asks = questions if callbacks else None
    return (Stage("confirmer", topics.PROPOSED, topics.CONFIRMER_TABLE, compute, take_bytes=TAKE_BYTES, questions=asks),)


def _proposed(messages: Sequence[Message], effects: Effects) -> Iterable[Proposed]:
    return (Proposed(proposal, message.timestamp_ms) for message, proposal in readable(messages, _decode, effects))


def _decode(value: bytes) -> Proposal:
    proposal = events.decode_proposal(value)
    if proposal.sell_offer.currency not in topics.MARKETS:
        raise ValueError(f"sell_offer.currency: {proposal.sell_offer.currency!r} is no market")
    return proposal


def _refused(asked: Iterable[Confirmation], answers: Answers) -> Mapping[str, str]:
    refused: dict[str, str] = {}
    for one in asked:
        refused |= refusals(one, answers.get(one.id, "it was not asked"))
    return refused


def _sold(proposal: Proposal, catalog: Catalog) -> Iterable[Record]:
    made = outcomes.investments(proposal, catalog.investors)
    return (Record(topics.INVESTMENTS, one.investor.encode(), events.encode(one), headers=MADE) for one in made)


def _released(proposal: Proposal, reason: str) -> Iterable[Record]:
    offer = proposal.sell_offer
    yield Record(topics.RELEASED, offer.originator.encode(), events.encode(outcomes.released(proposal, reason)), headers=RELEASED)
    yield Record(topics.OFFERS, None, events.encode([outcomes.taken_back(proposal)]), topics.MARKETS.index(offer.currency))
