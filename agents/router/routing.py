"""From assessed columns to the events of each market, and the table rows that remember them. Pure.

An asset is offerable if it is current or late, something is outstanding, at least one instalment is still to come, it is not later
than its product allows, and its originator has signed what its product needs.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from agents.router.attributes import Told
from agents.router.offers import Action, Standing, decide, unpack
from schemas.agreements import lacking
from schemas.asset import Sale, Status
from schemas.attributes import Attribute
from schemas.catalog import Catalog
from schemas.columns import by_product
from schemas.events import SellOffer, SellOfferWithdrawn
from schemas.product import Product
from schemas.published import Products

FOR_SALE: Final = pa.array([Status.CURRENT, Status.LATE], pa.string())

Event = SellOffer | SellOfferWithdrawn


class UnknownMarketError(LookupError):
    """An asset version in a currency that no market trades."""


class Version(NamedTuple):
    """The columns of ASSESSED that routing reads, by name, of one row."""

    originator_id: str
    asset_id: str
    version: int
    change: str
    product: str
    currency: str
    country: str
    outstanding: int
    price_bp: int
    buyer_price_bp: int
    product_version: int
    rate: int
    remaining_months: int
    days_past_due: int
    risk_group: str
    sale: str


class Router:
    """The catalog, ready to route: what products' versions say of offers, what their originators have signed, the place of each market."""

    def __init__(self, catalog: Catalog) -> None:
        self._products = Products.of(catalog.products)
        self._attributes: dict[tuple[str, int], tuple[Attribute, ...]] = {}  # of each version of a product, when it is met
        self._originators = catalog.originators
        self._markets = {currency: place for place, currency in enumerate(catalog.markets)}

    def route(self, rows: pa.RecordBatch, table: Mapping[bytes, bytes], changes: dict[bytes, bytes | None]) -> list[list[Event]]:
        """The events of `rows` (ASSESSED) for each market, in row order.

        `changes` are the table's rows that this Step has changed so far: they come before those of `table`, and are added to.

        Raises:
            UnknownProductError, UnknownMarketError: a row is by a version of a product that is not known, or its currency is no market.
        """
        events: list[list[Event]] = [[] for _ in self._markets]
        products, places = by_product(rows, self._products)
        told = Told(rows, [self._attributes_of(product) for product in products], places)
        columns = (rows.column(name).to_numpy(zero_copy_only=False).tolist() for name in Version._fields)  # far faster than to_pylist
        versions = map(Version._make, zip(*columns, strict=True))
        for place, (one, sellable) in enumerate(zip(versions, _offerable(rows, products, places), strict=True)):
            key = f"{one.originator_id}/{one.asset_id}".encode()
            row = changes.get(key) or table.get(key)
            standing = unpack(row) if row else None
            market = self._market(one)
            offerable = sellable and self._signed(one)
            action = decide(standing, one.version, market, offerable=offerable)
            if action is Action.NOTHING:
                continue
            changes[key] = Standing(offerable, market, one.version).pack()
            if standing and action in (Action.WITHDRAW, Action.MOVE):
                events[standing.market].append(_withdrawn(one))
            if offerable:
                events[market].append(self._offer(one, told.of(place), updated=action is Action.UPDATE))
        return events

    def _attributes_of(self, product: Product) -> tuple[Attribute, ...]:
        version = product.product, product.version
        if version not in self._attributes:
            self._attributes[version] = tuple(product.attributes.values())
        return self._attributes[version]

    def _signed(self, one: Version) -> bool:
        needed = self._product(one).agreements.originator
        return not needed or not lacking(needed, one.originator_id, self._originators)

    def _product(self, one: Version) -> Product:
        product = self._products.version(one.product, one.product_version)
        assert product is not None, "by_product has met it"
        return product

    def _market(self, one: Version) -> int:
        if one.currency in self._markets:
            return self._markets[one.currency]
        raise UnknownMarketError(f"{_id(one)}: {one.currency!r} is no market; markets are {', '.join(self._markets)}")

    def _offer(self, one: Version, attributes: dict[str, int | str], *, updated: bool) -> SellOffer:
        product = self._product(one)
        return SellOffer(
            offer=_id(one),
            originator=one.originator_id,
            asset=one.asset_id,
            version=one.version,
            product=one.product,
            currency=one.currency,
            country=one.country,
            amount_cents=one.outstanding,
            price_bp=one.price_bp,
            rate_ppm=one.rate,
            remaining_months=one.remaining_months,
            days_past_due=one.days_past_due,
            risk_group=one.risk_group,
            all_or_none=one.sale == Sale.ALL_OR_NONE,
            bid_cents_min=product.bid_cents_min,
            bid_cents_max=product.bid_cents_max,
            updated=updated,
            buyer_price_bp=one.buyer_price_bp,
            fee_cents=product.pricing.fee_cents,
            product_version=one.product_version,
            agreements=product.agreements.investor,
            attributes=attributes,
        )


def _offerable(rows: pa.RecordBatch, products: Sequence[Product], places: NDArray[np.int64]) -> list[bool]:
    allowed = np.array([product.days_past_due_max for product in products], np.int64)
    outstanding, remaining, late = (rows.column(name).to_numpy() for name in ("outstanding", "remaining_months", "days_past_due"))
    for_sale = pc.is_in(rows.column("status"), FOR_SALE).to_numpy(zero_copy_only=False)
    every: list[bool] = (for_sale & (outstanding > 0) & (remaining >= 1) & (late <= allowed[places])).tolist()
    return every


def _withdrawn(one: Version) -> SellOfferWithdrawn:
    return SellOfferWithdrawn(_id(one), one.originator_id, one.asset_id, one.version, one.change)


def _id(one: Version) -> str:
    return f"{one.originator_id}/{one.asset_id}/{one.version}"
