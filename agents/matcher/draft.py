"""What one Step does to the book: inputs in, proposals and changed rows out. The rules that it follows are in `rules.py`.

An asset meets buy offers by the hundred, so that is compiled (`meeting.py`); a buy offer meets assets one by one.
"""

from collections.abc import Iterable

import numpy as np

from agents.matcher import rows, rules
from agents.matcher.book import Book
from agents.matcher.buys import Column
from agents.matcher.lot import Lot
from agents.matcher.meeting import Asked, bid_cents
from agents.matcher.rows import Asset, Bid, Withdrawn
from schemas.events import (
    BidsReleased,
    BuyOffer,
    BuyOfferWithdrawn,
    MarketEvent,
    Proposal,
    ProposedBid,
    SellOffer,
    SellOfferWithdrawn,
)


class Draft:
    """The changes of one Step. It works in the book itself, which undoes them at the next Step unless their rows are applied before."""

    def __init__(self, book: Book) -> None:
        self.proposals: list[Proposal] = []
        self.changed: dict[bytes, bytes | None] | None = None
        self.lots: dict[str, Lot] = {}  # looked at
        self.withdrawn: dict[str, Withdrawn] = {}
        book.begin(self)
        self._book = book
        self._buys, self._queues, self._shelf = book.buys, book.queues, book.shelf
        self._now = book.inputs
        self._placed: dict[str, bytes] = {}  # rows
        self._gone: list[str] = []
        self.served: dict[str, int] = {}  # of those that a bid was taken of
        self._holding: dict[str, set[str]] = {}
        self._sold: dict[str, tuple[SellOffer, list[ProposedBid]]] = {}  # by one input

    def take(self, event: MarketEvent) -> None:
        """One input. The offers in it have passed `rules.fault`."""
        self._now += 1
        if isinstance(event, SellOffer):
            self._renew(_key(event), event.version, event)
        elif isinstance(event, SellOfferWithdrawn):
            self._renew(_key(event), event.version, None)
        elif isinstance(event, BuyOffer):
            self._place(event)
        elif isinstance(event, BidsReleased):
            self._take_back(event)
        else:
            self._withdraw(event)
        self.proposals += [Proposal(f"{offer.offer}/{bids[0].number}", offer, tuple(bids)) for offer, bids in self._sold.values()]
        self._sold.clear()

    def rows(self) -> dict[bytes, bytes | None]:
        """The rows that differ from the book's before; empty if there was no input."""
        changed: dict[bytes, bytes | None] = {}
        self.changed = changed
        if self._now == self._book.inputs:
            return changed
        changed.update({rows.BUY + offer.encode(): value for offer, value in self._placed.items()})
        changed.update({rows.SERVED + offer.encode(): b"%d" % served for offer, served in self.served.items()})
        for offer in self._gone:
            changed[rows.BUY + offer.encode()] = None
            if offer in self.served or offer in self._book.served:
                changed[rows.SERVED + offer.encode()] = None
        changed.update({rows.ASSET + key.encode(): rows.encode(lot.row) for key, lot in self.lots.items() if lot.changed})
        changed.update({rows.PORTFOLIO + key.encode(): one.row() for key, one in self.withdrawn.items()})
        changed[rows.MARKET] = b"%d" % self._now
        return changed

    def _renew(self, key: str, version: int, offer: SellOffer | None) -> None:
        lot = self._lot(key)
        if version <= lot.row.version:
            return
        hungry = self._give_back(lot.release())
        lot.renew(version, offer, self._now)
        self._meet_buys(lot)
        for slot in hungry:
            self._meet_sells(slot)

    def _place(self, offer: BuyOffer) -> None:
        if offer.offer in self._buys.slots or offer.version <= self._withdrawn_version(f"{offer.investor}/{offer.portfolio}"):
            return
        buy = rows.bought(offer, self._now)
        want = self._book.want((bytes(buy.criteria), buy.agreements))
        slot = self._buys.place(offer.offer, buy, want)
        self._queues.members[want] += 1
        self._queues.append(np.array([slot]), self._now)
        self._placed[offer.offer] = rows.encode(buy)
        self._meet_sells(slot)

    def _withdraw(self, event: BuyOfferWithdrawn) -> None:
        buys = self._buys
        slot = buys.slots.get(event.offer)
        if slot is None or buys.investors[slot] != event.investor:
            return
        portfolio = f"{buys.investors[slot]}/{buys.portfolios[slot]}"
        if buys.version[slot] >= self._withdrawn_version(portfolio):
            self.withdrawn[portfolio] = Withdrawn(int(buys.version[slot]), event.reason)
        held = self._book.holding.get(event.offer, set()) | self._holding.get(event.offer, set())
        lots = [lot for key in held if (lot := self._lot(key)).release(event.offer)]
        buys.withdraw(slot)
        self._gone.append(event.offer)
        for lot in sorted(lots, key=lambda lot: lot.rank):
            self._meet_buys(lot)

    def _take_back(self, event: BidsReleased) -> None:
        lot = self._lot(_key(event.sell_offer))
        gone = lot.take_back(event.sell_offer, set(event.numbers), self._now)
        hungry = self._give_back(bid for bid in gone if bid.buy_offer in self._buys.slots)
        if gone:
            self._meet_buys(lot)
        for slot in hungry:
            self._meet_sells(slot)

    def _give_back(self, bids: Iterable[Bid]) -> list[int]:
        """Give the money of bids back to their buy offers, which are there.

        Returns, in the order of rule 5, the slots of those that can afford more in other assets now.
        """
        buys, back = self._buys, list(bids)
        if not back:
            return []
        slots = np.array([buys.slots[bid.buy_offer] for bid in back])
        buys.keep(slots)
        before = buys.open[slots]
        buys.open[slots] += [bid.cents for bid in back]
        buys.held[slots] -= [0 if bid.number else bid.cents for bid in back]
        self.served.update(zip([bid.buy_offer for bid in back], buys.served[slots].tolist(), strict=True))
        for slot in slots[before == 0].tolist():
            self._queues.put_back(slot)
        hungry = slots[before < buys.most[slots]].tolist()  # money was not what kept the others from bidding
        return sorted(hungry, key=lambda slot: (buys.served[slot], buys.placed[slot]))

    def _meet_buys(self, lot: Lot) -> None:
        """Rule 4: what is left of an asset meets all buy offers that it fits."""
        offer = lot.row.offer
        if offer is not None:
            wants = self._book.wants.taking(offer.attributes, offer.agreements)
            asked = Asked(np.uint64(rules.digest(offer.offer)), lot.left, offer.bid_cents_min, offer.bid_cents_max, lot.bids)
            with self._buys.besides(lot.bidders, lot.totals):
                slots, cents = self._queues.meet(wants, asked)
            if slots.size:
                self._bid(lot, offer, slots, cents)
        self._settle(lot)

    def _bid(self, lot: Lot, offer: SellOffer, slots: Column, cents: Column) -> None:
        """Take bids, and move who was not served by this input yet to the end of the queue."""
        buys, some = self._buys, slots.tolist()
        buys.keep(slots)
        buys.open[slots] -= cents
        if offer.all_or_none:
            buys.held[slots] += cents
        moved = slots[buys.served[slots] != self._now]
        buys.served[moved] = self._now
        self._queues.append(moved, self._now)
        offers = [buys.offers[slot] for slot in some]
        lot.hold(offers, [buys.investors[slot] for slot in some], cents.tolist(), self._now)
        if offer.all_or_none:
            for name in offers:
                self._holding.setdefault(name, set()).add(lot.key)
        else:
            self._sell(lot, some)

    def _meet_sells(self, slot: int) -> None:
        """Rule 5: the open money of a buy offer meets all sell offers that fit."""
        buys, investor = self._buys, self._buys.investors[slot]
        criteria, agreements = self._book.wants[int(buys.want[slot])]
        most = int(buys.most[slot])
        for key in self._shelf.taken(criteria, agreements, lambda: min(int(buys.open[slot]), most)):
            lot = self._lot(key)
            offer = lot.row.offer
            if offer is None or buys.offers[slot] in lot.bidders or not lot.bids:
                continue
            affordable = min(int(buys.open[slot]), most - lot.totals.get(investor, 0))
            cents = bid_cents(lot.left, offer.bid_cents_min, offer.bid_cents_max, affordable)
            if cents:
                self._bid(lot, offer, np.array([slot]), np.array([cents]))
                self._settle(lot)

    def _sell(self, lot: Lot, slots: list[int]) -> None:
        """Rule 6: the bids that an asset holds, which are of the buy offers in these slots, become sales."""
        buys = self._buys
        sales = lot.sell([buys.portfolios[slot] for slot in slots], [buys.buckets[slot] for slot in slots])
        assert lot.row.offer is not None
        self._sold.setdefault(lot.key, (lot.row.offer, []))[1].extend(sales)

    def _settle(self, lot: Lot) -> None:
        """Rule 6: held bids that make 100 % become sales. What is left is shown to the buy offers to come."""
        offer = lot.row.offer
        if lot.left:
            assert offer is not None
            self._shelf.put(lot.key, offer, lot.left, lot.row.since)
            return
        self._shelf.take_off(lot.key)
        if offer is not None:
            if held := lot.row.held:
                slots = [self._buys.slots[bid.buy_offer] for bid in held]
                some = np.array(slots)
                self._buys.keep(some)
                self._buys.held[some] -= [bid.cents for bid in held]
                self._sell(lot, slots)
            lot.close()

    def _lot(self, key: str) -> Lot:
        """An asset, to look at or to change."""
        lot = self.lots.get(key)
        if lot is None:
            row = self._book.assets.get(key)
            lot = self.lots[key] = Lot(key, Asset() if row is None else rows.decode_asset(row))
        return lot

    def _withdrawn_version(self, portfolio: str) -> int:
        withdrawn = self.withdrawn.get(portfolio) or self._book.withdrawn.get(portfolio)
        return withdrawn.version if withdrawn else 0


def _key(event: SellOffer | SellOfferWithdrawn) -> str:
    return f"{event.originator}/{event.asset}"
