"""What an asset costs: the `pricing` of a product's file, its groups' `price_bp`, and an investor's own fee.

Prices are basis points of the amount. The sell price goes to the originator; the buyer's price is that and the fee, which is Tranche's. Of
an investment both are rounded to the cent, each by itself, half a cent up, and the fee is their difference: so the parts always add
up, and since the buyer's price is never the lower one, no fee is below zero.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Annotated, Final, NamedTuple

import msgspec

PAR: Final = 10_000
PRICE_BP_MAX: Final = 20_000

Fee = Annotated[int, msgspec.Meta(ge=0, le=5_000)]


class Late(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`price_bp` is added to the sell price of an asset that is `from_days` or more past due; of several the last that it reaches."""

    from_days: Annotated[int, msgspec.Meta(ge=1, le=36_500)]
    price_bp: Annotated[int, msgspec.Meta(ge=-PAR, le=PAR)]


class Pricing(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A buyer pays `fee_bp` above the sell price, and `fee_cents` for each investment."""

    fee_bp: Fee = 0
    fee_cents: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 0
    late: Annotated[tuple[Late, ...], msgspec.Meta(max_length=100)] = ()


class Parts(NamedTuple):
    """Of one investment, in cents: `buyer` = `originator` + `fee`."""

    originator: int
    buyer: int
    fee: int


def parts(amount_cents: int, price_bp: int, buyer_price_bp: int, fee_cents: int) -> Parts:
    """What the originator gets, the buyer pays and Tranche keeps for an amount of an asset.

    Raises:
        ValueError: the buyer's price is below the sell price.
    """
    if buyer_price_bp < price_bp:
        raise ValueError(f"the buyer's price, {buyer_price_bp} bp, is below the sell price, {price_bp} bp")
    originator, buyer = ((2 * amount_cents * price + PAR) // (2 * PAR) for price in (price_bp, buyer_price_bp))
    return Parts(originator, buyer + fee_cents, buyer + fee_cents - originator)


def faults(pricing: Pricing, prices_bp: Sequence[int], fees_bp: Sequence[int]) -> Iterator[tuple[str, str]]:
    """What is wrong: the field, by its path in the file, and why. `prices_bp` and `fees_bp` are those of the groups."""
    if any(after.from_days <= before.from_days for before, after in pairwise(pricing.late)):
        yield "pricing.late", "each from_days must be above the one before"
    for place, late in enumerate(pricing.late):
        if prices_bp and min(prices_bp) + late.price_bp < 1:
            yield f"pricing.late[{place}].price_bp", f"leaves a group {min(prices_bp) + late.price_bp} bp; its price must be 1 at least"
    dearest = max((price + fee for price, fee in zip(prices_bp, fees_bp, strict=True)), default=0)
    dearest += max((0, *(late.price_bp for late in pricing.late)))
    if dearest > PRICE_BP_MAX:
        yield "pricing", f"a buyer would pay {dearest} bp; {PRICE_BP_MAX} is the most"
