"""The question to an originator, "these are going to be sold, is that fine?", and its answer.

`schemas/asset.md` has both as an originator sees them. A question and its id come of the proposals alone: asked again, it is the same.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Final, NamedTuple

import msgspec

from agents.confirmer.outcomes import amount_cents
from schemas.events import Proposal

PROPOSALS_MAX: Final = 500  # of one question
TYPE: Final = "investments.proposed"
DECLINED: Final = "declined"
NO_ANSWER: Final = "no answer: "


class Proposed(NamedTuple):
    """A proposal and when it was made, in milliseconds since 1970."""

    proposal: Proposal
    at_ms: int


class Confirmation(NamedTuple):
    """Proposals of one originator that one question asks about."""

    originator: str
    proposed: Sequence[Proposed]

    @property
    def id(self) -> str:
        """Of these very proposals, in this order."""
        ids = "\n".join(proposal.proposal for proposal, _ in self.proposed)
        return f"confirmation-{blake2b(ids.encode(), digest_size=16).hexdigest()}"


class _Answer(msgspec.Struct, forbid_unknown_fields=True):
    declined: tuple[str, ...]


_decode: Final = msgspec.json.Decoder(_Answer).decode


def confirmations(proposed: Iterable[Proposed], originators: Collection[str]) -> Iterator[Confirmation]:
    """What is to be asked of those originators that want to be, each in the order of its proposals."""
    wanted: dict[str, list[Proposed]] = {}
    for one in proposed:
        if one.proposal.sell_offer.originator in originators:
            wanted.setdefault(one.proposal.sell_offer.originator, []).append(one)
    for originator, theirs in wanted.items():
        for start in range(0, len(theirs), PROPOSALS_MAX):
            yield Confirmation(originator, theirs[start : start + PROPOSALS_MAX])


def body(confirmation: Confirmation) -> bytes:
    """The question, as JSON: a Standard Webhooks payload."""
    at = datetime.fromtimestamp(confirmation.proposed[-1].at_ms / 1000, UTC)
    data = {"confirmation": confirmation.id, "proposals": [_told(proposal) for proposal, _ in confirmation.proposed]}
    return msgspec.json.encode({"type": TYPE, "timestamp": at, "data": data})


def _told(proposal: Proposal) -> dict[str, str | int]:
    offer = proposal.sell_offer
    return {
        "proposal": proposal.proposal,
        "sell_offer": offer.offer,
        "asset": offer.asset,
        "version": offer.version,
        "currency": offer.currency,
        "amount_cents": amount_cents(proposal),
        "price_bp": offer.price_bp,
    }


def refusals(confirmation: Confirmation, answer: bytes | str) -> dict[str, str]:
    """Proposal id -> why it is not confirmed. `answer` is what came back, or as text why nothing did.

    An answer that is not exactly what it must be confirms nothing.
    """
    proposals = [proposal for proposal, _ in confirmation.proposed]
    declined = answer if isinstance(answer, str) else _declined(answer, {one.sell_offer.offer for one in proposals})
    if isinstance(declined, str):
        return {one.proposal: NO_ANSWER + declined for one in proposals}
    return {one.proposal: DECLINED for one in proposals if one.sell_offer.offer in declined}


def _declined(answer: bytes, asked: Collection[str]) -> Collection[str] | str:
    """The sell offers that an answer declines, or why it is none."""
    try:
        declined = frozenset(_decode(answer).declined)
    except (ValueError, RecursionError) as fault:
        return f'what came is not {{"declined": [sell offers]}}: {str(fault)[:120]}'
    unknown = len(declined.difference(asked))
    return f"what came declines {unknown} sell offers that were not asked about" if unknown else declined
