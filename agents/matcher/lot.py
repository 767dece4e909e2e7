"""An asset unfolded for the time of one Step: its row and what follows from it."""

from collections.abc import Collection

from agents.matcher import rules
from agents.matcher.rows import Asset, Bid
from schemas.events import BuyOffer, ProposedBid, SellOffer


class Lot:
    """An asset's row, its own copy, with the amounts that the rules ask for. `key` is originator/asset."""

    __slots__ = ("bidders", "changed", "key", "left", "row", "totals")

    def __init__(self, key: str, row: Asset) -> None:
        self.key, self.row, self.changed = key, row, False
        self._reckon()

    def _reckon(self) -> None:
        row = self.row
        self.bidders = {bid.buy_offer for bid in (*row.held, *row.sold)} | set(row.released)
        self.totals: dict[str, int] = {}  # investor -> cents, held and sold
        for bid in (*row.held, *row.sold):
            self.totals[bid.investor] = self.totals.get(bid.investor, 0) + bid.cents
        self.left = max(0, row.offer.amount_cents - sum(self.totals.values())) if row.offer else 0

    @property
    def rank(self) -> tuple[int, int]:
        """Rule 5: lowest first."""
        assert self.row.offer is not None
        amount = self.row.offer.amount_cents
        return -((amount - self.left) * 10_000 // amount), self.row.since

    def bid_cents(self, buy: BuyOffer, open_cents: int) -> int:
        """Rules 2 and 3: the bid of a buy offer that fits; 0 if there is none."""
        offer = self.row.offer
        if offer is None or buy.offer in self.bidders or len(self.bidders) >= rules.BIDS_MAX:
            return 0
        affordable = min(open_cents, buy.bid_cents_max - self.totals.get(buy.investor, 0))
        return rules.bid_cents(self.left, offer.bid_cents_min, offer.bid_cents_max, affordable)

    def take(self, buy: BuyOffer, cents: int) -> ProposedBid | None:
        """Rule 6: a bid; the sale, if it is one at once."""
        assert self.row.offer is not None
        bid = Bid(buy.offer, buy.investor, cents)
        self.bidders.add(buy.offer)
        self.totals[buy.investor] = self.totals.get(buy.investor, 0) + cents
        self.left -= cents
        self.changed = True
        if self.row.offer.all_or_none:
            self.row.held.append(bid)
            return None
        return self.sell(buy, bid)

    def sell(self, buy: BuyOffer, bid: Bid) -> ProposedBid:
        """A bid becomes a sale, with the next match number."""
        assert self.row.offer is not None
        self.row.investments += 1
        self.row.sold.append(Bid(bid.buy_offer, bid.investor, bid.cents, self.row.version, self.row.investments))
        return ProposedBid(self.row.investments, buy.offer, buy.investor, buy.portfolio, buy.bucket, bid.cents)

    def release(self, buy_offer: str | None = None) -> list[Bid]:
        """Take the held bids out, all or those of one buy offer."""
        gone = [bid for bid in self.row.held if buy_offer in (None, bid.buy_offer)]
        for bid in gone:
            self.row.held.remove(bid)
            self.bidders.remove(bid.buy_offer)
            self.totals[bid.investor] -= bid.cents
            self.left += bid.cents
            self.changed = True
        return gone

    def take_back(self, offer: SellOffer, numbers: Collection[int], now: int) -> list[Bid]:
        """Rule 9: take bids of a version out of those that were sold; if it is the asset's newest, `offer` is on offer (again)."""
        row = self.row
        gone: list[Bid] = []
        kept: list[Bid] = []
        for bid in row.sold:
            (gone if bid.version == offer.version and bid.number in numbers else kept).append(bid)
        if gone:
            self.changed, row.sold = True, kept
            if row.version == offer.version:
                row.released = [*row.released, *(bid.buy_offer for bid in gone)]
                if row.offer is None:
                    row.offer, row.since = offer, now
            self._reckon()
        return gone

    def renew(self, version: int, offer: SellOffer | None, now: int) -> None:
        """Rule 7: a newer version, with nothing held any more; without an offer it is withdrawn."""
        assert not self.row.held
        self.changed = True
        if self.row.offer is None:
            self.row.since = now
        self.row.version, self.row.offer, self.row.investments, self.row.released = version, offer, 0, []
        self._reckon()
        if not self.left:
            self.close()

    def close(self) -> None:
        """Nothing is on offer any more; what was sold stays known."""
        self.row.offer, self.row.since = None, 0
