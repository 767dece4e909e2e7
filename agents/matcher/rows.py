"""The rows of the matcher's table, as JSON: the book is built from them alone.

`b/` + buy offer id: a Buy; deleted when the offer is withdrawn. `s/` + originator/asset: an Asset, for good, since what was sold of it must
not be forgotten. `p/` + investor/portfolio: the newest version of it that was withdrawn. `m`: how many inputs the market has taken.
"""

from typing import Final

import msgspec

from schemas.events import BuyOffer, SellOffer

BUY, ASSET, PORTFOLIO, MARKET = b"b/", b"s/", b"p/", b"m"


class Bid(msgspec.Struct, frozen=True, array_like=True):
    """An amount of a buy offer in an asset, held or sold."""

    buy_offer: str
    investor: str
    cents: int
    version: int = 0  # of the asset when it was sold, and its match number there; 0 while the bid is held
    number: int = 0


class Buy(msgspec.Struct, omit_defaults=True):
    """A buy offer. Its amount is open + held + invested, at any time; what was sold counts as invested, confirmed or not."""

    offer: BuyOffer
    placed: int  # the number of the input that placed it
    served: int  # the number of the input that last gave it a bid, or placed it
    held_cents: int = 0
    invested_cents: int = 0

    @property
    def open_cents(self) -> int:
        return self.offer.amount_cents - self.held_cents - self.invested_cents

    def copy(self) -> "Buy":
        return Buy(self.offer, self.placed, self.served, self.held_cents, self.invested_cents)


class Asset(msgspec.Struct, omit_defaults=True):
    """An asset: its newest version, the offer if it is on offer, and every bid for it."""

    version: int = 0
    offer: SellOffer | None = None  # none: withdrawn, or all is sold
    since: int = 0  # the number of the input that brought it on offer
    investments: int = 0  # of this version: the last match number
    held: list[Bid] = []
    sold: list[Bid] = []  # of all versions, also those of buy offers that are withdrawn by now
    released: list[str] = []  # buy offers whose bids for this version were sold and taken back: they bid no more for it


encode: Final = msgspec.json.Encoder().encode
decode_buy: Final = msgspec.json.Decoder(Buy).decode
decode_asset: Final = msgspec.json.Decoder(Asset).decode
