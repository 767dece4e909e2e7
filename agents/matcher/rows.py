"""The rows of the matcher's table: the book is built from them alone.

`s/` + originator/asset: an Asset with all of its bids, for good, since what was sold of it must not be forgotten. `b/` + buy offer id: a
Buy, what never changes of it: what it has held and invested, and when it was last served, is in its bids, so that matching an asset writes
one row and not one more for each of its bids. `f/` + buy offer id: the number of the input that last served it, once a bid of it was taken
out again. Both are deleted when the offer is withdrawn. `p/` + investor/portfolio: the newest version of it that was withdrawn, and why, if
the event said so. `m`: how many inputs the market has taken.
"""

from typing import Final, NamedTuple

import msgspec

from schemas.criteria import Conjunction
from schemas.events import BuyOffer, SellOffer

BUY, SERVED, ASSET, PORTFOLIO, MARKET = b"b/", b"f/", b"s/", b"p/", b"m"


class Bid(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An amount of a buy offer in an asset, held or sold."""

    buy_offer: str
    investor: str
    cents: int
    served: int  # the number of the input that made the bid
    version: int = 0  # of the asset when it was sold, and its match number there; 0 while the bid is held
    number: int = 0


class Buy(msgspec.Struct, frozen=True, omit_defaults=True):
    """What never changes of a buy offer. Its criteria are as they are in the event: equal ones are equal bytes, and most are known."""

    investor: str
    portfolio: str
    version: int
    bucket: str
    amount_cents: int
    bid_cents_max: int
    placed: int  # the number of the input that placed it
    criteria: msgspec.Raw
    agreements: tuple[str, ...] = ()  # sorted, unique
    limits: Conjunction = ()  # of its portfolio: what in the criteria comes from them


class Withdrawn(NamedTuple):
    """A version of a portfolio whose buy offers were withdrawn, and a `schemas.events.Withdrawal`."""

    version: int
    reason: str = ""

    def row(self) -> bytes:
        return f"{self.version} {self.reason}".rstrip().encode()

    @classmethod
    def of(cls, row: bytes) -> "Withdrawn":
        version, _, reason = row.decode().partition(" ")
        return cls(int(version), reason)


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


def bought(offer: BuyOffer, placed: int) -> Buy:
    """The row of a buy offer that the input of this number places."""
    return Buy(
        offer.investor, offer.portfolio, offer.version, offer.bucket, offer.amount_cents, offer.bid_cents_max, placed,
        msgspec.Raw(encode(offer.criteria)), tuple(sorted(set(offer.agreements))), offer.limits,
    )  # fmt: skip
