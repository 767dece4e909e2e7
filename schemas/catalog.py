"""What business people configure: products (`schemas/products/*.yaml`), `originators.yaml` and `investors.yaml`.

Pure: text in, typed values out; `streams/settings.py` reads the files. A fault names file, line, field and what is allowed.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Final
from urllib.parse import urlsplit

import msgspec

from schemas.agreements import Signed
from schemas.attributes import Attribute, conflicts, united
from schemas.pricing import Fee
from schemas.product import Product, faults
from schemas.published import Products
from schemas.repeated import repeated
from schemas.service import url_fault
from schemas.yamls import Yaml

Tenant = Annotated[str, msgspec.Meta(pattern=r"\A[a-z0-9-]{1,64}\Z")]  # stands in tokens, batch ids, URLs and keys


class Originator(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who delivers loan books.

    `callback` is asked before anything of it is sold (`asset.md`); none: nobody asks. `deliver_to` is where its files of notices go
    (`notices.md`): a URL of DELIVERIES, or nowhere. `agreements` are those that it has signed, as `schemas/agreements.py` has it.
    """

    originator: Tenant
    name: str
    callback: Annotated[str, msgspec.Meta(pattern=r"\A[!-~]{1,2000}\Z")] | None = None  # an URL
    deliver_to: str = ""
    deliver_after_s: Annotated[int, msgspec.Meta(ge=1, le=86_400)] = 300  # a file is cut when its oldest notice is so old
    deliver_bytes: Annotated[int, msgspec.Meta(ge=1024, le=8 * 1024**2)] = 1024**2  # or when so much waits; it has no more than that
    agreements: Signed = {}


class Investor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An investor's own fee, as `schemas/pricing.py` has it; None: as the product says. And the agreements that it has signed."""

    investor: Tenant
    fee_bp: Fee | None = None
    fee_cents: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] | None = None
    agreements: Signed = {}


class Catalog(msgspec.Struct, frozen=True):
    """All products, originators, and investors of the files, by id; and the markets: one currency, one partition of `offers`."""

    products: Products
    originators: dict[str, Originator]
    markets: tuple[str, ...]
    investors: dict[str, Investor] = {}


DELIVERIES: Final = {
    "http": "http://host/…", "https": "https://host/…", "file": "file:///folder", "s3": "s3://bucket/prefix",
}  # fmt: skip


def parse(
    products: Mapping[str, str], originators: tuple[str, str], markets: tuple[str, ...], investors: tuple[str, str] = ("", "[]")
) -> Catalog:
    """The catalog of `products` (file name -> YAML), `originators` and `investors` (file name, YAML).

    Raises:
        CatalogError: a file is not YAML, lacks a field, has an unknown one, or its values contradict each other.
    """
    source = Yaml(*originators)
    listed = source.read(list[Originator])
    for path, why in _faults(listed):
        raise source.fault(path, why)
    names = {one.originator for one in listed}
    known: dict[str, Product] = {}
    for file, text in sorted(products.items()):
        source = Yaml(file, text)
        product = source.read(Product)
        for path, why in (*faults(product, markets), *_strangers(product, names)):
            raise source.fault(path, why)
        if product.product in known:
            raise source.fault("product", f"{product.product!r} is defined twice")
        if product.service and (other := _in_lane(product.service.lane, known.values())):
            raise source.fault("service.lane", f"{product.service.lane} is that of {other}; each product has one of its own")
        for path, why in _conflicts(product, known.values()):
            raise source.fault(path, why)
        known[product.product] = product
    return Catalog(Products(known), {one.originator: one for one in listed}, markets, _investors(*investors))


def _investors(file: str, text: str) -> dict[str, Investor]:
    source = Yaml(file, text)
    listed = source.read(list[Investor])
    names = [one.investor for one in listed]
    for name in repeated(names):
        raise source.fault(f"[{len(names) - 1 - names[::-1].index(name)}].investor", f"{name!r} is listed twice")
    return {one.investor: one for one in listed}


def _strangers(product: Product, names: set[str]) -> Iterator[tuple[str, str]]:
    """Originators with grades of their own whom nobody knows: a slip would have their loans graded as all others'."""
    for who in (product.grades.originators if product.grades else {}).keys() - names:
        yield f"grades.originators.{who}", f"no such originator; there are {', '.join(sorted(names))}"


def _conflicts(product: Product, others: Iterable[Product]) -> Iterator[tuple[str, str]]:
    """Attributes of another type than in another product of the market: criteria speak of all products of a market alike."""
    for other in others:
        if other.currency == product.currency:
            for name, kind in conflicts(product.attributes, other.attributes):
                path = "document" if product.criteria is None else f"criteria[{product.criteria.index(name)}]"
                yield path, f"{name}: is a {kind} in {other.product}; leave it out of the criteria of one, or name the field differently"


def attributes_of(market: str, products: Iterable[Product], originators: Iterable[str]) -> dict[str, Attribute]:
    """What criteria may use in a market, by name; nothing where it has no product."""
    return united([product.attributes for product in products if product.currency == market], sorted(originators))


def _in_lane(lane: int, products: Iterable[Product]) -> str | None:
    return next((one.product for one in products if one.service and one.service.lane == lane), None)


def _faults(listed: Sequence[Originator]) -> Iterator[tuple[str, str]]:
    names = [one.originator for one in listed]
    for name in repeated(names):
        last = len(names) - 1 - names[::-1].index(name)
        yield f"[{last}].originator", f"{name!r} is listed twice"
    for place, one in enumerate(listed):
        if one.callback is not None and (why := url_fault(one.callback)):
            yield f"[{place}].callback", f"{one.originator!r}: {why}"
        if one.deliver_to and (why := _delivery_fault(one.deliver_to)):
            yield f"[{place}].deliver_to", f"{one.originator!r}: {why}"


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
