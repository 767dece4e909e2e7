"""The rules of the match, all of them, first form. A market has one log; its order is the truth and nothing else decides.

1. **Who fits.** A sell offer fits a buy offer if the buy offer's criteria take its attributes (`schemas.criteria.takes`), and the buy offer
   has all `agreements` of the sell offer.
2. **How much.** A bid is at least `bid_cents_min` and at most `bid_cents_max` of the sell offer, at most what is left of the asset and what
   is open of the buy offer, and leaves nothing or at least `bid_cents_min` on offer: it gives way so far as it must. Where less than
   twice `bid_cents_min` is left, one bid takes all of it, whatever the sell offer's own limits say; who cannot take all, takes nothing,
   and the rest stays on offer.
3. **One asset, one investor.** A buy offer bids once for an asset, counting all its versions. After a bid, what its investor has in the
   asset, held and invested through any buy offer, is at most the `bid_cents_max` of the buy offer that bid; so it never exceeds the
   largest of them. An asset takes BIDS_MAX bids at most, those that are back by rule 9 and its version counted: its row, and a proposal of
   all of them, must fit into a message.
4. **Who first.** A sell offer meets the buy offers least recently served first: by the number of the input (1, 2, 3 … in the log) that last
   gave them a bid, or that placed them, so nobody gains by placing again. Among equals, those served by the same input, by `tie`: a
   digest of both ids. A bid that is released does not give the place in the queue back.
5. **Which first.** A buy offer that is placed, or gets money back, meets the sell offers most filled first (in basis points of the amount,
   rounded down), then those longest on offer; an update keeps an asset's place, a withdrawal or a sale of all ends it. Several buy
   offers that get money back by one input come least recently served first, then oldest; several sell offers that lose bids by one
   input meet the buy offers in the order of this rule.
6. **What becomes of a bid.** For a partial sell offer it is a sale at once. For an all-or-none one it is held, and the money with it, until
   the bids make 100 %; then all become sales, in the order of the bids. The sales of one sell offer by one input are one proposal: once
   its originator confirms it they are investments. Here they count as that from the beginning.
7. **Versions.** A newer version of an asset replaces the offer: held bids are released, then the asset is matched again for its new amount
   less all that was ever sold of it, in any version. That never oversells; it is conservative, since part of what was sold may have been
   repaid since. A withdrawal releases held bids and closes. A version that is not newer changes nothing.
8. **The end of a buy offer.** Withdrawn, its held bids are taken out and those assets are matched again; its investments stay. A buy
   offer of a portfolio version that is not newer than a withdrawn one, or whose id is known, is not taken. With nothing open a buy
   offer is inactive until money is released.
9. **What is not confirmed.** Bids that became sales are taken back when the originator does not confirm them: by version and match number,
   each once; others change nothing. The buy offers have their money again, unless they are withdrawn, and no longer a bid in
   the asset. If the version is still the asset's newest, what was sold out is on offer again, and these buy offers bid no more for
   that version: who is always refused would bid for ever. If there is a newer one, the offer is the newer one's, where that is open;
   where it is closed it stays so until the next. Then the asset is matched again for what is left of it, then those buy offers.
10. After every input the book is maximal: no asset on offer and no buy offer are left that could still make a bid by rules 1 to 3 and 9.
"""

from hashlib import blake2b
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from schemas import criteria
from schemas.agreements import AGREEMENTS_MAX
from schemas.asset import CENTS_MAX
from schemas.events import BuyOffer, SellOffer

# A bid of a proposal is at most 2 * TEXT_BYTES_MAX, since a buy offer's id has the other texts in it, and 105 bytes of names, digits and
# signs; so 1,500 of them and a sell offer (7 texts, 50 agreements, its attributes, 400 bytes) are 1,007 kB of a message's MiB. A row takes
# 60 bytes less for each.
BIDS_MAX: Final = 1_500
VERSION_MAX: Final = 2**53  # a portfolio's counts microseconds
TEXT_BYTES_MAX: Final = 256  # of an id or name in an offer, as JSON
ATTRIBUTES_BYTES_MAX: Final = 64 * 1024  # of a sell offer, as JSON
NUMBER_END: Final = 2**62  # of an attribute


def least_cents(left: int, smallest: int) -> int:
    """The smallest bid that rule 2 allows."""
    return left if left < 2 * smallest else smallest


def least_bids(left: NDArray[np.int64], smallest: NDArray[np.int64]) -> NDArray[np.int64]:
    """`least_cents`, of many."""
    return np.where(left < 2 * smallest, left, smallest)


def digest(offer: str) -> int:
    """64 bits of an offer's id."""
    return int.from_bytes(blake2b(offer.encode(), digest_size=8).digest(), "little")


def fault(offer: SellOffer | BuyOffer, market: str) -> str:
    """Why the book of `market` cannot take the offer, empty if it can: what the types do not say, and what columns of int64 need."""
    if offer.currency != market:
        return f"currency: {offer.currency!r}; this market is {market}"
    if isinstance(offer, SellOffer):
        odd = "" if offer.bid_cents_min <= offer.bid_cents_max else "bid_cents_min: exceeds bid_cents_max"
        return _out_of_bounds(offer) or _agreements_fault(offer) or odd or _attributes_fault(offer.attributes)
    if offer.offer != f"{offer.investor}/{offer.portfolio}/{offer.version}/{offer.bucket}":
        return "offer: is not investor/portfolio/version/bucket"
    every = (("criteria", offer.criteria), ("limits", criteria.Criteria((offer.limits,))))
    why = next((f"{name}: {why}" for name, one in every if (why := criteria.fault(one))), "")
    return _out_of_bounds(offer) or _agreements_fault(offer) or why


def _agreements_fault(offer: SellOffer | BuyOffer) -> str:
    if len(offer.agreements) > AGREEMENTS_MAX:
        return f"agreements: more than {AGREEMENTS_MAX} values"
    odd = any(_json_bytes(name) > TEXT_BYTES_MAX for name in offer.agreements)
    return f"agreements: a value longer than {TEXT_BYTES_MAX} bytes" if odd else ""


def _attributes_fault(attributes: dict[str, int | str]) -> str:
    for name, value in attributes.items():
        if isinstance(value, int) and abs(value) >= NUMBER_END:
            return f"attributes.{name[:TEXT_BYTES_MAX]}: {value} is beyond {NUMBER_END}"
    size = len(msgspec.json.encode(attributes))
    return f"attributes: {size} bytes; at most {ATTRIBUTES_BYTES_MAX}" if size > ATTRIBUTES_BYTES_MAX else ""


def _out_of_bounds(part: SellOffer | BuyOffer) -> str:
    """The first number or text of an offer that is out of its bounds."""
    numbers, texts = _FIELDS[type(part)]
    for name, low in numbers:
        high = VERSION_MAX if name == "version" else CENTS_MAX
        if not low <= getattr(part, name) <= high:
            return f"{name}: {getattr(part, name)} is not between {low} and {high}"
    for name in texts:
        text = getattr(part, name)
        if 6 * len(text) > TEXT_BYTES_MAX and _json_bytes(text) > TEXT_BYTES_MAX:
            return f"{name}: longer than {TEXT_BYTES_MAX} bytes"
    return ""


def _json_bytes(text: str) -> int:
    """What a text takes in a message, without its quotes: a control character is six bytes."""
    return len(msgspec.json.encode(text)) - 2


def _fields(part: type[SellOffer | BuyOffer]) -> tuple[tuple[tuple[str, int], ...], tuple[str, ...]]:
    """A part's numbers, each with its least value, and its texts."""
    fields = msgspec.structs.fields(part)
    return tuple((f.name, int(f.name in POSITIVE)) for f in fields if f.type is int), tuple(f.name for f in fields if f.type is str)


POSITIVE: Final = ("version", "bid_cents_min", "bid_cents_max")
_FIELDS: Final = {part: _fields(part) for part in (SellOffer, BuyOffer)}
