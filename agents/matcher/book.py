"""The book of one market: every buy offer and every asset, built from the matcher's rows alone."""

from collections.abc import Mapping

from agents.matcher import fit, rows
from agents.matcher.columns import Columns, Side
from agents.matcher.lot import Lot


class Book:
    """The matcher's State: it changes by `apply` alone, after a commit. A Step works on a Draft beside it (`draft.py`).

    Assets are kept as they were written: most are closed, and unfolded they take several times the memory.
    """

    def __init__(self) -> None:
        self.inputs = 0
        self.buys: dict[str, rows.Buy] = {}
        self.assets: dict[str, bytes] = {}
        self.withdrawn: dict[str, int] = {}  # investor/portfolio -> its newest withdrawn version
        self.holding: dict[str, set[str]] = {}  # buy offer -> the assets where bids of it are held
        self.buy_side = Side(Columns(fit.BUYS))
        self.sell_side = Side(Columns(fit.SELLS))
        self.wanted = fit.Wanted()
        self._holders: dict[str, list[str]] = {}  # asset -> the buy offers whose bids it holds

    def apply(self, changed: Mapping[bytes, bytes | None]) -> None:
        """Take in rows, in any order.

        Raises:
            ValueError: a row is none of ours: it was written by another version of this program.
        """
        for key, value in changed.items():
            if key.startswith(rows.BUY):
                self._apply_buy(key[2:].decode(), value)
            elif value is None:
                raise ValueError(f"matcher: row {key!r} is deleted; only buy offers are")
            elif key.startswith(rows.ASSET):
                self._apply_asset(key[2:].decode(), value)
            elif key.startswith(rows.PORTFOLIO):
                self.withdrawn[key[2:].decode()] = int(value)
            elif key == rows.MARKET:
                self.inputs = int(value)
            else:
                raise ValueError(f"matcher: unknown row {key!r}")

    def _apply_buy(self, offer: str, value: bytes | None) -> None:
        columns = self.buy_side.columns
        if value is None:
            slot = self.buy_side.free(offer)
            if slot is not None:
                columns.write("open")[slot] = 0
                del self.buys[offer]
            return
        buy = self.buys[offer] = rows.decode_buy(value)
        slot = self.buy_side.slot(offer)
        if slot is None:
            fit.write_buy(columns, self.buy_side.take(offer), buy, self.wanted)
        else:
            columns.write("open")[slot] = buy.open_cents
            columns.write("served")[slot] = buy.served

    def _apply_asset(self, key: str, value: bytes) -> None:
        self.assets[key] = value
        lot = Lot(key, rows.decode_asset(value))
        for holder in self._holders.pop(key, ()):
            self.holding[holder].discard(key)
            if not self.holding[holder]:
                del self.holding[holder]
        if lot.row.held:
            self._holders[key] = [bid.buy_offer for bid in lot.row.held]
            for holder in self._holders[key]:
                self.holding.setdefault(holder, set()).add(key)
        if lot.left:
            slot = self.sell_side.slot(key)
            fit.write_sell(self.sell_side.columns, self.sell_side.take(key) if slot is None else slot, lot.row, lot.left)
        elif (slot := self.sell_side.free(key)) is not None:
            self.sell_side.columns.write("left")[slot] = 0
