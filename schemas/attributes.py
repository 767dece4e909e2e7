"""The attributes of an asset for sale that a product lets investors use in their criteria: names, types, what they can be.

What is known of every asset is ASSET; what a kind of its own says besides (`schemas/kinds.py`) goes by the name that a scorecard has for
it. A name of ASSET is not free for a kind's own; nor is a moment an attribute, nor a text that may be longer than TEXT_BYTES_MAX. A product
lets investors use all of them, or those that its file lists as `criteria`, and DAYS_PAST_DUE in any case.
"""

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from schemas.asset import CENTS_MAX, LOAN, Kind
from schemas.criteria import TEXT_BYTES_MAX
from schemas.kinds import AssetKind
from schemas.repeated import repeated

DAYS_PAST_DUE: Final = "days_past_due"
RATE: Final = "rate"
TERM_MONTHS: Final = "term_months"
PPM: Final = 1_000_000
RETURN_PPM_MAX: Final = 10**12
PRICE_BP_MAX: Final = 10**7
SCORE_MAX: Final = 10**9
BP: Final = 100  # parts per million: prices are columns in basis points, attributes in the unit of all shares


@dataclass(frozen=True, slots=True)
class Attribute:
    """What criteria may say of an attribute: numbers in the unit of `kind` from `low` to `high`, both included and never to change.

    `values` lists what a text may be, empty: any text. `source` is its column of ASSESSED, of which one is `scale` here; of a kind's own it
    is the path in the document.
    """

    name: str
    kind: Kind
    source: str
    low: int = 0
    high: int = CENTS_MAX
    values: tuple[str, ...] = ()
    scale: int = 1
    own: bool = False

    @property
    def is_text(self) -> bool:
        return self.kind is Kind.TEXT


_FIELDS: Final = {field.column: field for field in LOAN}


def _of_field(name: str, column: str) -> Attribute:
    field = _FIELDS[column]
    return Attribute(name, field.kind, column, field.low, field.high, tuple(map(str, field.choices)))


_LOAN: Final = (
    "product", "status", "country", "sale", "issued", "term_months", "rate", "principal", "outstanding", "days_past_due", "purpose",
    "grade", "borrower_region", "borrower_home", "borrower_income", "borrower_employment_years", "borrower_debt_ratio",
    "borrower_delinquencies_2y", "borrower_inquiries_12m",
)  # fmt: skip
ASSET: Final = (
    _of_field("originator", "originator_id"),
    *(_of_field(name, name) for name in _LOAN),
    Attribute("risk_group", Kind.TEXT, "risk_group"),
    Attribute("remaining_months", Kind.WHOLE, "remaining_months", high=_FIELDS["term_months"].high),
    Attribute("score", Kind.WHOLE, "score", -SCORE_MAX, SCORE_MAX),
    Attribute("price", Kind.RATE, "price_bp", high=PRICE_BP_MAX * BP, scale=BP),
    Attribute("buyer_price", Kind.RATE, "buyer_price_bp", high=PRICE_BP_MAX * BP, scale=BP),
    Attribute("expected_loss", Kind.RATE, "expected_loss_ppm", high=PPM),
    Attribute("expected_return", Kind.RATE, "expected_return_ppm", -PPM, RETURN_PPM_MAX),
)


def available(kind: AssetKind, product: str, groups: Sequence[str]) -> dict[str, Attribute]:
    """All that a product of this kind with these risk groups can let investors use, by name."""
    known = {"product": (product,), "risk_group": tuple(groups)}
    of_all = {one.name: replace(one, values=known.get(one.name, one.values)) for one in ASSET if _filled(one, kind)}
    taken = {one.name for one in ASSET}
    own = [
        Attribute(f.column, f.kind, f.name, *_ever(f.kind), f.choices, own=True)
        for f in kind.attributes
        if f.column not in taken and f.kind is not Kind.MOMENT and (f.kind is not Kind.TEXT or f.length <= TEXT_BYTES_MAX)
    ]
    return {**of_all, **{one.name: one for one in own}}


def _filled(attribute: Attribute, kind: AssetKind) -> bool:
    """Whether assets of the kind have the attribute: what is no field of a document is computed for all."""
    column = attribute.source
    return column not in _FIELDS or column == "term_months" or column in kind.sources or column in kind.constants


def _ever(kind: Kind) -> tuple[int, int]:
    """What a kind's own number can be at all: a product's file may say otherwise tomorrow, and criteria stay."""
    return (_FIELDS["issued"].low, _FIELDS["issued"].high) if kind is Kind.DAY else (-CENTS_MAX, CENTS_MAX)


def chosen(names: Sequence[str] | None, there: Mapping[str, Attribute]) -> dict[str, Attribute]:
    """Those of `there` that a product's `criteria` names; all where it has none. It has passed `faults`."""
    return dict(there) if names is None else {name: there[name] for name in dict.fromkeys((*names, DAYS_PAST_DUE))}


def faults(names: Sequence[str] | None, there: Mapping[str, Attribute]) -> Iterator[tuple[str, str]]:
    """What is wrong with a product's `criteria`: each field, by its path in the file, and why."""
    for place, name in enumerate(names or ()):
        if name not in there:
            yield f"criteria[{place}]", f"{name!r}: there is no such attribute; {nearest(name, there)}"
    for name in repeated(names or ()):
        yield f"criteria[{len(names or ()) - 1 - list(names or ())[::-1].index(name)}]", f"{name!r} is there twice"


def conflicts(attributes: Mapping[str, Attribute], others: Mapping[str, Attribute]) -> Iterator[tuple[str, str]]:
    """Each attribute that is of another type in another product of the market, and its type there: criteria could not mean both."""
    for name in attributes.keys() & others.keys():
        if attributes[name].kind is not others[name].kind:
            yield name, others[name].kind


def united(products: Iterable[Mapping[str, Attribute]], originators: Iterable[str]) -> dict[str, Attribute]:
    """The attributes of a market: those of all its products together. A text that one product leaves open is open."""
    every: dict[str, Attribute] = {}
    for attributes in products:
        for name, one in attributes.items():
            before = every.get(name, one)
            values = dict.fromkeys((*before.values, *one.values)) if before.values and one.values else ()
            every[name] = replace(one, values=tuple(values))
    if "originator" in every:
        every["originator"] = replace(every["originator"], values=tuple(originators))
    return every


def nearest(name: str, names: Iterable[str]) -> str:
    """What somebody who wrote `name` may have meant, as the end of a message; all there are, where nothing is near."""
    known = sorted(names)
    near = difflib.get_close_matches(name[:64], known, 3, 0.6)
    return f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(known) or 'none'}"
