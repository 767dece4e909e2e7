"""What business people configure: products (`schemas/products/*.yaml`) and originators (`schemas/originators.yaml`).

Pure: text in, typed values out; `streams/settings.py` reads the files. A fault names file, field and what is allowed.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Annotated, Final, TypeVar
from urllib.parse import urlsplit

import msgspec
import yaml

from schemas import kinds
from schemas.asset import CENTS_MAX, Kind

Points = Annotated[int, msgspec.Meta(ge=-1_000_000, le=1_000_000)]
Id = Annotated[str, msgspec.Meta(pattern=r"\A[!-.0-~]{1,64}\Z")]  # printable ASCII; "/" separates the ids in a key
Tenant = Annotated[str, msgspec.Meta(pattern=r"\A[a-z0-9-]{1,64}\Z")]  # stands in tokens, batch ids, URLs and keys
Cents = Annotated[int, msgspec.Meta(ge=1, le=CENTS_MAX)]


class CatalogError(ValueError):
    """A product or originator file that does not say what it must: the message names the file and the field."""


class UnknownProductError(LookupError):
    """An asset version of a product that is in no file: who wrote it had another catalog than who reads it."""

    def __init__(self, product: str, originator: str, asset: str, version: int) -> None:
        super().__init__(f"{originator}/{asset}, version {version}: product {product!r} is not in the catalog; give all workers the same")


class Band(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Points for a number: those of the first band whose `below` exceeds the value; the last band has none and takes the rest."""

    points: Points
    below: Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)] | None = None


class Attribute(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of a scorecard: points by `bands` of a numeric column, or by `values` of a text column; `missing` for null or unlisted."""

    column: str
    missing: Points
    bands: tuple[Band, ...] = ()
    values: dict[str, Points] = {}


class Group(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A risk group: from `from_score` points up, best group first, the last from the lowest score there is. `price_bp`: its sell price."""

    name: Annotated[str, msgspec.Meta(min_length=1)]
    from_score: Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
    price_bp: Annotated[int, msgspec.Meta(ge=1, le=20_000)] = 10_000


class Product(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A kind of asset for sale: its market, amortisation, scorecard, how it is sold, and what its documents say if it is no loan."""

    product: Id
    version: Annotated[int, msgspec.Meta(ge=1)]
    currency: str
    amortisation: str  # "annuity": equal instalments; "bullet": all of it with the last
    rounding: str  # of the instalment: "up" to the next cent
    days_past_due_max: Annotated[int, msgspec.Meta(ge=0)]  # later than this it is not offered
    bid_cents_min: Cents
    bid_cents_max: Cents
    scorecard: tuple[Attribute, ...]
    groups: tuple[Group, ...]
    document: kinds.Lines = ()  # none: that of a loan


class Originator(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who delivers loan books.

    `callback` is asked before anything of it is sold (`asset.md`); none: nobody asks. `deliver_to` is where its files of notices go
    (`notices.md`): a URL of DELIVERIES, or nowhere.
    """

    originator: Tenant
    name: str
    callback: Annotated[str, msgspec.Meta(pattern=r"\A[!-~]{1,2000}\Z")] | None = None  # an URL
    deliver_to: str = ""
    deliver_after_s: Annotated[int, msgspec.Meta(ge=1, le=86_400)] = 300  # a file is cut when its oldest notice is so old
    deliver_bytes: Annotated[int, msgspec.Meta(ge=1024, le=8 * 1024**2)] = 1024**2  # or when so much waits; it has no more than that


class Catalog(msgspec.Struct, frozen=True):
    """All products and originators, by id, and the markets: one currency, one partition of `offers`."""

    products: dict[str, Product]
    originators: dict[str, Originator]
    markets: tuple[str, ...]


T = TypeVar("T")

DELIVERIES: Final = {
    "http": "http://host/…", "https": "https://host/…", "file": "file:///folder", "s3": "s3://bucket/prefix",
}  # fmt: skip
AMORTISATIONS: Final = frozenset({"annuity", "bullet"})
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
    listed = _read(file, text, list[Originator])
    for name in _repeated(one.originator for one in listed):
        raise CatalogError(f"{file}: originator {name!r} is listed twice")
    for one in listed:
        if one.callback is not None and (why := _no_callback(one.callback)):
            raise CatalogError(f"{file}: originator {one.originator!r}: callback {why}")
        if one.deliver_to and (fault := _delivery_fault(one.deliver_to)):
            raise CatalogError(f"{file}: originator {one.originator!r}: deliver_to {fault}")
    return Catalog(known, {one.originator: one for one in listed}, markets)


def _read(file: str, text: str, kind: type[T]) -> T:
    try:
        return msgspec.convert(yaml.safe_load(text), kind)
    except (yaml.YAMLError, msgspec.ValidationError) as fault:
        raise CatalogError(f"{file}: {fault}") from fault


def _check(file: str, product: Product, markets: tuple[str, ...]) -> None:
    for message in kinds.faults(product.document, product.currency):
        raise CatalogError(f"{file}: {message}")
    columns = kinds.kind_of(product.document).columns
    scores = [group.from_score for group in product.groups]
    faults = [
        (product.currency not in markets, f"currency {product.currency!r} is no market; markets are {', '.join(markets)}"),
        (product.amortisation not in AMORTISATIONS, f"amortisation {product.amortisation!r} is none of {sorted(AMORTISATIONS)}"),
        (product.rounding not in ROUNDINGS, f"rounding {product.rounding!r} is none of {sorted(ROUNDINGS)}"),
        (product.bid_cents_min > product.bid_cents_max, "bid_cents_min must not be above bid_cents_max"),
        (not product.groups, "groups: at least one"),
        (not _ascending(scores[::-1]), "groups: best first, no two from the same score"),
        *((True, f"groups: {name!r} is defined twice") for name in _repeated(group.name for group in product.groups)),
        *((True, f"scorecard {column}: is there twice") for column in _repeated(line.column for line in product.scorecard)),
        *((True, f"scorecard {line.column}: {message}") for line in product.scorecard for message in _faults(line, columns)),
    ]
    for wrong, message in faults:
        if wrong:
            raise CatalogError(f"{file}: {message}")


def _no_callback(url: str) -> str:
    """Why an URL cannot be asked, empty if it can. It is not repeated: it may have a secret in it."""
    try:
        parts = urlsplit(url)
        odd = parts.port == 0
    except ValueError as fault:
        return f"is no URL: {fault}"
    if parts.scheme not in {"https", "http"} or not parts.hostname or odd:
        return "must begin with https:// or http:// and name a host"
    if "@" in parts.netloc:
        return "must have no user or password in it"
    return "must have no fragment (#)" if "#" in url else ""


def _delivery_fault(url: str) -> str:
    """Why notices cannot go to `url`, empty if they can. The URL is not told: it may hold a secret."""
    try:
        scheme, host, path, _, _ = parts = urlsplit(url)
        user, _ = parts.username, parts.port
    except ValueError as fault:
        return f"is no URL: {fault}"
    if scheme not in DELIVERIES or bool(host) == (scheme == "file") or (scheme == "file" and not path.strip("/")):
        return f"must be one of {', '.join(DELIVERIES.values())}"
    if not url.isascii() or not url.isprintable() or " " in url:
        return "must be ASCII without spaces; write others as %20"
    return "must not have a user or password in it" if user is not None else ""


def _faults(line: Attribute, columns: Mapping[str, Kind]) -> Iterator[str]:
    if line.column not in columns:
        yield f"no such column; there are {', '.join(columns)}"
    elif bool(line.bands) == bool(line.values):
        yield "either bands or values"
    elif bool(line.values) != (columns[line.column] is Kind.TEXT):
        yield "a text column has values, a numeric column has bands"
    below = [band.below for band in line.bands[:-1] if band.below is not None]
    if line.bands and (len(below) != len(line.bands) - 1 or line.bands[-1].below is not None):
        yield "only the last band is open"
    elif not _ascending(below):
        yield "each band's below must be above the one before"


def _ascending(numbers: list[int]) -> bool:
    return all(low < high for low, high in pairwise(numbers))


def _repeated(names: Iterable[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]
