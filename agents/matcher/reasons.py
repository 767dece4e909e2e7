"""What decided between a buy offer and an asset, one type a reason; amounts in cents. A bid that was made comes before every reason.

The reasons stand in the order in which the rules (`rules.py`) look, and the first that holds is told.
"""

import msgspec

from schemas.criteria import Predicate


class Why(msgspec.Struct, frozen=True, tag_field="why"):
    """What decided."""


class Held(Why, frozen=True, tag="held"):
    """Its bid is held until the bids make 100 % of the asset."""

    cents: int


class Sold(Why, frozen=True, tag="sold"):
    """Its bid became a sale: the version and match number are those of the investment."""

    cents: int
    version: int
    number: int


class TakenBack(Why, frozen=True, tag="taken_back"):
    """Its bid for this version became a sale that the originator did not confirm (rule 9)."""

    version: int


class Unknown(Why, frozen=True, tag="unknown"):
    """The market has never heard of the asset."""


class SoldOut(Why, frozen=True, tag="sold_out"):
    """All of the version went to others. What its attributes were is not known any more, so whether it fitted is not told."""

    version: int
    cents: int
    bids: int
    investors: int
    last: int  # the number of the input that made the last of these bids
    placed: int  # of the one that placed the buy offer: if later, it came too late


class NotOnOffer(Why, frozen=True, tag="not_on_offer"):
    """The asset was withdrawn, or its newest version has no more for sale than was sold of earlier ones."""

    version: int
    sold_cents: int  # of all versions


class Unsigned(Why, frozen=True, tag="agreements"):
    """The asset needs agreements that the investor had not signed when the buy offer was placed (rule 1)."""

    agreements: tuple[str, ...]


class Unmet(msgspec.Struct, frozen=True):
    """A predicate that the asset does not fulfil; `has` is its value, None if it has none."""

    asked: Predicate
    has: int | str | None


class Beyond(Why, frozen=True, tag="portfolio_limit"):
    """Limits of the portfolio, which are in the criteria of all its buckets, do not take the asset (rule 1), whatever else they say."""

    unmet: tuple[Unmet, ...]


class Unfit(Why, frozen=True, tag="criteria"):
    """The criteria do not take the asset (rule 1): what fails of the conjunction of which the fewest do. Nothing: they take no asset."""

    unmet: tuple[Unmet, ...]


class Full(Why, frozen=True, tag="bids_max"):
    """The asset has as many bids as it may (rule 3)."""

    bids: int


class Limit(Why, frozen=True, tag="limit"):
    """With the least bid the investor would have more in the asset than the buy offer's largest amount for one (rule 3)."""

    most_cents: int
    has_cents: int
    least_cents: int


class Money(Why, frozen=True, tag="money"):
    """Less is open than the least bid."""

    open_cents: int
    least_cents: int


class Rest(Why, frozen=True, tag="rest"):
    """Others came first, and what they left one bid must take whole (rule 2): that is more than can be afforded, a smallest bid is not."""

    left_cents: int
    affordable_cents: int
    bids: int  # of this version
    investors: int


class Possible(Why, frozen=True, tag="possible"):
    """It fits and could bid: a book that is maximal (rule 10) has no such pair."""

    cents: int


def name_of(why: Why | type[Why]) -> str:
    """The reason's name, as in its JSON."""
    return str(why.__struct_config__.tag)
