"""A product: what business people configure of a kind of asset for sale, one YAML file each (`schemas/products/`).

Each system's part of the file has a module of its own, which says what is wrong with it: `schemas/kinds.py` (document),
`schemas/amortisation.py`, `schemas/proof.py`, `schemas/risk.py`, `schemas/pricing.py`, `schemas/limits.py`, `schemas/sale.py`,
`schemas/agreements.py`, `schemas/attributes.py` (criteria), `schemas/service.py`.
"""

from collections.abc import Iterator
from typing import Annotated, Final

import msgspec

from schemas import amortisation, kinds, proof, risk
from schemas import limits as bounds
from schemas import pricing as prices
from schemas.agreements import Needed
from schemas.agreements import faults as agreement_faults
from schemas.amortisation import OWN_SCHEDULE
from schemas.asset import CENTS_MAX
from schemas.attributes import Attribute, available, chosen
from schemas.attributes import faults as criteria_faults
from schemas.sale import WAYS
from schemas.sale import faults as sale_faults
from schemas.service import Service
from schemas.service import faults as service_faults

Id = Annotated[str, msgspec.Meta(pattern=r"\A[!-.0-~]{1,64}\Z")]  # printable ASCII; "/" separates the ids in a key
Cents = Annotated[int, msgspec.Meta(ge=1, le=CENTS_MAX)]


VERSION_MAX: Final = 2**31 - 1


class UnknownProductError(LookupError):
    """An asset version by a version of a product that is not known: who wrote it has read more of `products` than who reads it."""

    def __init__(self, product: str, number: int, originator: str, asset: str, version: int) -> None:
        super().__init__(f"{originator}/{asset}, version {version}: version {number} of product {product!r} is not on the topic `products`")


class Product(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A kind of asset for sale: its market, amortisation, risk model, how it is sold, and what its documents say if it is no loan."""

    product: Id
    version: Annotated[int, msgspec.Meta(ge=1, le=VERSION_MAX)]
    currency: str
    amortisation: amortisation.Amortisation
    days_past_due_max: Annotated[int, msgspec.Meta(ge=0, le=100_000)]  # later than this it is not offered
    bid_cents_min: Cents
    bid_cents_max: Cents
    groups: tuple[risk.Group, ...]
    scorecard: tuple[risk.Attribute, ...] = ()  # one of these three
    logistic: risk.Logistic | None = None
    grades: risk.Grades | None = None
    document: kinds.Lines = ()  # none: that of a loan
    pricing: prices.Pricing = prices.Pricing()
    limits: bounds.Limits = bounds.Limits()
    sale: tuple[str, ...] = WAYS  # those that its assets may have
    agreements: Needed = Needed()
    service: Service | None = None  # none: all of it is built in
    schedule_proof: proof.ScheduleProof | None = None  # none: no convention is known by which schedules could be proved
    criteria: Annotated[tuple[str, ...], msgspec.Meta(max_length=200)] | None = None  # attributes that investors may use; None: all

    @property
    def fees_bp(self) -> tuple[int, ...]:
        """What a buyer pays above the sell price, by group."""
        return tuple(self.pricing.fee_bp if group.fee_bp is None else group.fee_bp for group in self.groups)

    @property
    def available(self) -> dict[str, Attribute]:
        """All that it could let investors use in their criteria, by name."""
        return available(kinds.kind_of(self.document), self.product, [group.name for group in self.groups])

    @property
    def attributes(self) -> dict[str, Attribute]:
        """What it lets them use."""
        return chosen(self.criteria, self.available)


def faults(product: Product, markets: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """What is wrong with a product that has all its fields: each field, by its path in the file, and why."""
    document = [("document", message) for message in kinds.faults(product.document, product.currency)]
    yield from document
    if product.currency not in markets:
        yield "currency", f"{product.currency!r} is no market; markets are {', '.join(markets)}"
    yield from amortisation.faults(product.amortisation)
    if not document and product.amortisation.kind == OWN_SCHEDULE and "schedule" not in kinds.kind_of(product.document).sources:
        yield "amortisation.kind", f"{OWN_SCHEDULE} needs a line of the document `as: schedule`"
    if product.schedule_proof:
        yield from proof.faults(product.schedule_proof)
    if product.service:
        yield from service_faults(product.service)
    if product.bid_cents_min > product.bid_cents_max:
        yield "bid_cents_min", "must not be above bid_cents_max"
    yield from bounds.faults(product.limits)
    yield from sale_faults(product.sale, () if document else product.document)
    yield from agreement_faults(product.agreements)
    yield from prices.faults(product.pricing, [group.price_bp for group in product.groups], product.fees_bp)
    if not document:
        yield from criteria_faults(product.criteria, product.available)
        columns = kinds.kind_of(product.document).columns
        yield from risk.faults(product.scorecard, product.logistic, product.grades, product.groups, columns)
