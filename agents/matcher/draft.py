"""What one Step does to the book: inputs in, proposals and changed rows out. The rules that it follows are in `rules.py`."""

from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from agents.matcher import fit, rows, rules
from agents.matcher.book import Book
from agents.matcher.columns import Columns
from agents.matcher.lot import Lot
from agents.matcher.rows import Asset, Bid, Buy
from schemas.events import BidsReleased, BuyOffer, BuyOfferWithdrawn, MarketEvent, Proposal, ProposedBid, SellOffer, SellOfferWithdrawn

TURN: Final = 64  # buy offers put in order at once at first; most sell offers need no more


class Draft:
    """The changes of one Step, beside the book, which stays as it is. To be thrown away before the book's next `apply`."""

    def __init__(self, book: Book) -> None:
        self.proposals: list[Proposal] = []
        self._book = book
        self._now = book.inputs
        self._buy_side = book.buy_side.fork()
        self._sell_side = book.sell_side.fork()
        self._buys: dict[str, Buy | None] = {}  # changed; None: withdrawn
        self._lots: dict[str, Lot] = {}  # looked at
        self._withdrawn: dict[str, int] = {}
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
        self.proposals += (Proposal(f"{offer.offer}/{bids[0].number}", offer, tuple(bids)) for offer, bids in self._sold.values())
        self._sold.clear()

    def rows(self) -> dict[bytes, bytes | None]:
        """The rows that differ from the book's; empty if there was no input."""
        if self._now == self._book.inputs:
            return {}
        changed: dict[bytes, bytes | None] = {
            rows.BUY + offer.encode(): None if buy is None else rows.encode(buy) for offer, buy in self._buys.items()
        }
        changed |= {rows.ASSET + key.encode(): rows.encode(lot.row) for key, lot in self._lots.items() if lot.changed}
        changed |= {rows.PORTFOLIO + key.encode(): b"%d" % version for key, version in self._withdrawn.items()}
        return changed | {rows.MARKET: b"%d" % self._now}

    def _renew(self, key: str, version: int, offer: SellOffer | None) -> None:
        lot = self._lot(key)
        if version <= lot.row.version:
            return
        hungry = self._release(lot)
        lot.renew(version, offer, self._now)
        self._meet_buys(lot)
        for buy in hungry:
            self._meet_sells(buy)

    def _place(self, offer: BuyOffer) -> None:
        if self._find(offer.offer) is not None or offer.version <= self._withdrawn_version(_portfolio(offer)):
            return
        buy = self._buys[offer.offer] = Buy(offer, self._now, self._now)
        fit.write_buy(self._buy_side.columns, self._buy_side.take(offer.offer), buy, self._book.wanted)
        self._meet_sells(buy)

    def _withdraw(self, event: BuyOfferWithdrawn) -> None:
        buy = self._find(event.offer)
        if buy is None or buy.offer.investor != event.investor:
            return
        portfolio = _portfolio(buy.offer)
        self._withdrawn[portfolio] = max(buy.offer.version, self._withdrawn_version(portfolio))
        held = self._book.holding.get(event.offer, set()) | self._holding.get(event.offer, set())
        lots = [lot for key in held if (lot := self._lot(key)).release(event.offer)]
        self._buys[event.offer] = None
        self._buy_side.columns.write("open")[self._buy_side.slot(event.offer)] = 0
        for lot in sorted(lots, key=lambda lot: lot.rank):
            self._meet_buys(lot)

    def _take_back(self, event: BidsReleased) -> None:
        lot = self._lot(_key(event.sell_offer))
        gone = lot.take_back(event.sell_offer, set(event.numbers), self._now)
        hungry = self._give_back(bid for bid in gone if self._find(bid.buy_offer) is not None)
        if gone:
            self._meet_buys(lot)
        for buy in hungry:
            self._meet_sells(buy)

    def _release(self, lot: Lot) -> list[Buy]:
        """Take the held bids out. Returns, in their order, the buy offers that can afford more in other assets now."""
        return self._give_back(lot.release())

    def _give_back(self, bids: Iterable[Bid]) -> list[Buy]:
        """Give the money of bids back to their buy offers, which are there. Returns as `_release`."""
        hungry = []
        for bid in bids:
            buy = self._buy(bid.buy_offer)
            if buy.open_cents < buy.offer.bid_cents_max:  # else money was not what kept it from bidding
                hungry.append(buy)
            if bid.number:
                buy.invested_cents -= bid.cents
            else:
                buy.held_cents -= bid.cents
            self._show_buy(buy)
        return sorted(hungry, key=lambda buy: (buy.served, buy.placed))

    def _meet_buys(self, lot: Lot) -> None:
        """Rule 4: what is left of an asset meets all buy offers that it fits."""
        offer = lot.row.offer
        if offer is not None:
            columns = self._buy_side.columns
            least = rules.least_cents(lot.left, offer.bid_cents_min)
            found = np.flatnonzero(fit.buys(columns, self._book.wanted, offer, least))
            for slots in _in_turn(columns, found, rules.digest(offer.offer)):
                self._serve(lot, slots)
                if not lot.left:
                    break
        self._settle(lot)

    def _serve(self, lot: Lot, slots: NDArray[np.intp]) -> None:
        columns = self._buy_side.columns
        served, cents = [], []
        for slot, open_cents in zip(slots.tolist(), columns["open"][slots].tolist(), strict=True):
            name = self._buy_side.name(slot)
            buy = self._find(name)
            assert buy is not None
            bid = lot.bid_cents(buy.offer, open_cents)
            if bid:
                self._bid(lot, self._buy(name), bid)
                served.append(slot)
                cents.append(bid)
                if not lot.left:
                    break
        if served:
            columns.write("open")[served] -= cents
            columns.write("served")[served] = self._now

    def _meet_sells(self, buy: Buy) -> None:
        """Rule 5: the open money of a buy offer meets all sell offers that fit."""
        columns = self._sell_side.columns
        affordable = min(buy.open_cents, buy.offer.bid_cents_max)
        slots = np.flatnonzero(fit.sells(columns, affordable))
        slots = slots[[self._takes(buy, slot) for slot in slots.tolist()]] if slots.size else slots
        left, amount = columns["left"][slots], columns["amount"][slots]
        order = np.lexsort((columns["since"][slots], -((amount - left) * 10_000 // amount)))
        for slot in slots[order].tolist():
            lot = self._lot(self._sell_side.name(slot))
            cents = lot.bid_cents(buy.offer, buy.open_cents)
            if cents:
                self._bid(lot, buy, cents)
                self._settle(lot)
                if not buy.open_cents:
                    break
        self._show_buy(buy)

    def _takes(self, buy: Buy, slot: int) -> bool:
        offer = self._lot(self._sell_side.name(slot)).row.offer
        return offer is not None and fit.fits(buy.offer, offer)

    def _bid(self, lot: Lot, buy: Buy, cents: int) -> None:
        buy.served = self._now
        sale = lot.take(buy.offer, cents)
        if sale is None:
            buy.held_cents += cents
            self._holding.setdefault(buy.offer.offer, set()).add(lot.key)
        else:
            buy.invested_cents += cents
            self._propose(lot, sale)

    def _propose(self, lot: Lot, sale: ProposedBid) -> None:
        assert lot.row.offer is not None
        self._sold.setdefault(lot.key, (lot.row.offer, []))[1].append(sale)

    def _settle(self, lot: Lot) -> None:
        """Rule 6: held bids that make 100 % become sales. What is left is shown to the buy offers to come.

        What is closed stays in the columns until the rows are applied: its lot takes no bid.
        """
        if lot.row.offer is not None and not lot.left:
            held, lot.row.held = lot.row.held, []
            for bid in held:
                buy = self._buy(bid.buy_offer)
                buy.held_cents -= bid.cents
                buy.invested_cents += bid.cents
                self._propose(lot, lot.sell(buy.offer, bid))
            lot.close()
        if lot.left:
            slot = self._sell_side.slot(lot.key)
            slot = self._sell_side.take(lot.key) if slot is None else slot
            fit.write_sell(self._sell_side.columns, slot, lot.row, lot.left)

    def _show_buy(self, buy: Buy) -> None:
        slot = self._buy_side.slot(buy.offer.offer)
        self._buy_side.columns.write("open")[slot] = buy.open_cents
        self._buy_side.columns.write("served")[slot] = buy.served

    def _find(self, offer: str) -> Buy | None:
        """A buy offer to look at; None if there is none, or none any more."""
        return self._buys[offer] if offer in self._buys else self._book.buys.get(offer)

    def _buy(self, offer: str) -> Buy:
        """A buy offer to change."""
        buy = self._buys.get(offer)
        if buy is None:
            buy = self._buys[offer] = self._book.buys[offer].copy()
        return buy

    def _lot(self, key: str) -> Lot:
        """An asset, to look at or to change."""
        lot = self._lots.get(key)
        if lot is None:
            row = self._book.assets.get(key)
            lot = self._lots[key] = Lot(key, Asset() if row is None else rows.decode_asset(row))
        return lot

    def _withdrawn_version(self, portfolio: str) -> int:
        return self._withdrawn.get(portfolio, self._book.withdrawn.get(portfolio, 0))


def _key(event: SellOffer | SellOfferWithdrawn) -> str:
    return f"{event.originator}/{event.asset}"


def _portfolio(offer: BuyOffer) -> str:
    return f"{offer.investor}/{offer.portfolio}"


def _in_turn(columns: Columns, slots: NDArray[np.intp], sell_digest: int) -> Iterator[NDArray[np.intp]]:
    """Rule 4: the slots of buy offers in their order, in growing portions, since few are needed and putting all in order is dear."""
    portion = TURN
    while slots.size:
        served = columns["served"][slots]
        near = served <= np.partition(served, portion)[portion] if slots.size > 2 * portion else np.ones(slots.size, np.bool_)
        some = slots[near]
        yield some[np.lexsort((columns["placed"][some], rules.ties(columns["digest"][some], sell_digest), columns["served"][some]))]
        slots = slots[~near]
        portion *= 4
