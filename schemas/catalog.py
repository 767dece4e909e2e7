"""What business people configure: products (`schemas/products/*.yaml`) and originators (`schemas/originators.yaml`).

Pure: text in, typed values out; `streams/settings.py` reads the files. A fault names file, field and what is allowed.
"""

from collections.abc import Mapping
from typing import Final, TypeVar

import msgspec
import yaml


class CatalogError(ValueError):
    """A product or originator file that does not say what it must: the message names the file and the field."""


class Band(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Points for a number: those of the first band whose `below` exceeds the value; the last band has none and takes the rest."""

    points: int
    below: int | None = None


class Attribute(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of a scorecard: points by `bands` of a numeric column, or by `values` of a text column; `missing` for null or unlisted."""

    column: str
    missing: int
    bands: tuple[Band, ...] = ()
    values: dict[str, int] = {}


class Group(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A risk group: from `from_score` points up, best group first, the last from the lowest score there is. `price_bp`: its sell price."""

    name: str
    from_score: int
    price_bp: int = 10_000


class Product(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A kind of asset for sale: its market, amortisation, scorecard and how it is sold."""

    product: str
    version: int
    currency: str
    amortisation: str  # "annuity"
    rounding: str  # of the instalment: "up" to the next cent
    days_past_due_max: int  # later than this it is not offered
    bid_cents_min: int
    bid_cents_max: int
    scorecard: tuple[Attribute, ...]
    groups: tuple[Group, ...]


class Originator(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    originator: str
    name: str


class Catalog(msgspec.Struct, frozen=True):
    """All products and originators, by id, and the markets: one currency, one partition of `offers`."""

    products: dict[str, Product]
    originators: dict[str, Originator]
    markets: tuple[str, ...]


T = TypeVar("T")

AMORTISATIONS: Final = frozenset({"annuity"})
ROUNDINGS: Final = frozenset({"up"})


def parse(products: Mapping[str, str], originators: tuple[str, str], markets: tuple[str, ...]) -> Catalog:
    """The catalog of `products` (file name -> YAML) and `originators` (file name, YAML).

    Raises:
        CatalogError: a file is not YAML, lacks a field, has an unknown one, or its values contradict each other.
    """
    known: dict[str, Product] = {}
    for file, text in sorted(products.items()):
        product = _read(file, text, Product)
        _check(file, product, markets)
        if product.product in known:
            raise CatalogError(f"{file}: product {product.product!r} is defined twice")
        known[product.product] = product
    file, text = originators
    listed = {one.originator: one for one in _read(file, text, list[Originator])}
    return Catalog(known, listed, markets)


def _read(file: str, text: str, kind: type[T]) -> T:
    try:
        return msgspec.convert(yaml.safe_load(text), kind)
    except (yaml.YAMLError, msgspec.ValidationError) as fault:
        raise CatalogError(f"{file}: {fault}") from fault


def _check(file: str, product: Product, markets: tuple[str, ...]) -> None:
    faults = [
        (product.currency not in markets, f"currency {product.currency!r} is no market; markets are {', '.join(markets)}"),
        (product.amortisation not in AMORTISATIONS, f"amortisation {product.amortisation!r} is none of {sorted(AMORTISATIONS)}"),
        (product.rounding not in ROUNDINGS, f"rounding {product.rounding!r} is none of {sorted(ROUNDINGS)}"),
        (not 0 < product.bid_cents_min <= product.bid_cents_max, "bid_cents_min must be above 0 and not above bid_cents_max"),
        (not product.groups, "groups: at least one"),
        (sorted((g.from_score for g in product.groups), reverse=True) != [g.from_score for g in product.groups], "groups: best first"),
        *((bool(a.bands) == bool(a.values), f"scorecard {a.column}: either bands or values") for a in product.scorecard),
        *(
            ([b.below is None for b in a.bands] != [False] * (len(a.bands) - 1) + [True], f"scorecard {a.column}: only the last band is open")
            for a in product.scorecard
            if a.bands
        ),
    ]
    for wrong, message in faults:
        if wrong:
            raise CatalogError(f"{file}: {message}")
