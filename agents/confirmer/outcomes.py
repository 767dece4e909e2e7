"""What becomes of a proposal: investments if it is confirmed, or the bids are released."""

from collections.abc import Iterator, Mapping

from schemas.catalog import Investor
from schemas.events import BidsReleased, Investment, Proposal, Released, SellOffer
from schemas.pricing import Parts, parts


def investments(proposal: Proposal, investors: Mapping[str, Investor]) -> Iterator[Investment]:
    """An investment for each bid, in their order; `investors` are those with a fee of their own."""
    offer = proposal.sell_offer
    for bid in proposal.bids:
        money = _money(offer, bid.amount_cents, investors.get(bid.investor))
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
            originator_cents=money.originator,
            buyer_cents=money.buyer,
            fee_cents=money.fee,
        )


def _money(offer: SellOffer, amount_cents: int, investor: Investor | None) -> Parts:
    buyer_price_bp, fee_cents = offer.buyer_price_bp or offer.price_bp, offer.fee_cents
    if investor and investor.fee_bp is not None:
        buyer_price_bp = offer.price_bp + investor.fee_bp
    if investor and investor.fee_cents is not None:
        fee_cents = investor.fee_cents
    return parts(amount_cents, offer.price_bp, buyer_price_bp, fee_cents)


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
