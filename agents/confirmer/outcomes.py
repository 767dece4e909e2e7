"""What becomes of a proposal: investments if it is confirmed, or the bids are released."""

from collections.abc import Iterator

from schemas.events import BidsReleased, Investment, Proposal, Released


def investments(proposal: Proposal) -> Iterator[Investment]:
    """An investment for each bid, in their order."""
    offer = proposal.sell_offer
    for bid in proposal.bids:
        yield Investment(
            investment=f"{offer.offer}/{bid.number}",
            sell_offer=offer.offer,
            buy_offer=bid.buy_offer,
            originator=offer.originator,
            asset=offer.asset,
            version=offer.version,
            investor=bid.investor,
            portfolio=bid.portfolio,
            bucket=bid.bucket,
            currency=offer.currency,
            amount_cents=bid.amount_cents,
            price_bp=offer.price_bp,
            rate_ppm=offer.rate_ppm,
            risk_group=offer.risk_group,
        )


def released(proposal: Proposal, reason: str) -> Released:
    """What the originator and subscribers are told."""
    offer = proposal.sell_offer
    return Released(
        proposal=proposal.proposal,
        sell_offer=offer.offer,
        originator=offer.originator,
        asset=offer.asset,
        version=offer.version,
        currency=offer.currency,
        amount_cents=amount_cents(proposal),
        bids=proposal.bids,
        reason=reason,
    )


def taken_back(proposal: Proposal) -> BidsReleased:
    """What the matcher is told."""
    return BidsReleased(proposal.sell_offer, tuple(bid.number for bid in proposal.bids))


def amount_cents(proposal: Proposal) -> int:
    """What is to be sold."""
    return sum(bid.amount_cents for bid in proposal.bids)
