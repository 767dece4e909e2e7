"""An asset unfolded for the time of one Step: its row and what follows from it."""

from collections.abc import Collection
from itertools import repeat

from agents.matcher import rules
from agents.matcher.rows import Asset, Bid
from schemas.events import ProposedBid, SellOffer


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

    @property
    def bids(self) -> int:
        """How many more it takes (rule 3)."""
        return rules.BIDS_MAX - len(self.bidders)

    def hold(self, offers: list[str], investors: list[str], cents: list[int], now: int) -> None:
        """Take bids that the rules allow, by the input `now`."""
        self.changed = True
        self.left -= sum(cents)
        if self.left:  # what is full takes no bid before it is reckoned anew
            self.bidders.update(offers)
            for investor, amount in zip(investors, cents, strict=True):
                self.totals[investor] = self.totals.get(investor, 0) + amount
        self.row.held += map(Bid, offers, investors, cents, repeat(now))

    def sell(self, portfolios: list[str], buckets: list[str]) -> list[ProposedBid]:
        """Rule 6: all held bids become sales, with the next match numbers. They are of buy offers of these portfolios and buckets."""
        row, held = self.row, self.row.held
        numbers = range(row.investments + 1, row.investments + 1 + len(held))
        row.held, row.investments = [], row.investments + len(held)
        offers, investors, cents = [bid.buy_offer for bid in held], [bid.investor for bid in held], [bid.cents for bid in held]
        row.sold += map(Bid, offers, investors, cents, [bid.served for bid in held], repeat(row.version), numbers)
        return list(map(ProposedBid, numbers, offers, investors, portfolios, buckets, cents))

    def release(self, buy_offer: str | None = None) -> list[Bid]:
        """Take the held bids out, all or those of one buy offer."""
        row = self.row
        gone = [bid for bid in row.held if buy_offer in (None, bid.buy_offer)]
        if gone:
            self.changed = True
            row.held = [] if buy_offer is None else [bid for bid in row.held if bid.buy_offer != buy_offer]
            self._reckon()
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
