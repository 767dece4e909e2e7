"""What a model service is asked of assets of one product, and its answer (`schemas/model-service.openapi.yaml`). Pure.

An answer that is not exactly what it must be is none: nothing of it is used.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec
import pyarrow as pa

from schemas.asset import CENTS_MAX
from schemas.columns import BUILT_IN, CHANGED
from schemas.product import Product
from schemas.service import CASH_FLOW, CLASSIFICATION

TOLD: Final = (*CHANGED.names[: CHANGED.get_field_index("version")], "price_bp", "buyer_price_bp")  # of each asset, besides its id
QUOTED_MAX: Final = 3  # ids that a message names

Model = Annotated[str, msgspec.Meta(pattern=r"\A[!-~]{1,100}\Z")]
Cents = Annotated[int, msgspec.Meta(ge=0, le=CENTS_MAX)]
Score = Annotated[int, msgspec.Meta(ge=-(10**15), le=10**15)]


class _Grade(msgspec.Struct, forbid_unknown_fields=True):
    id: str
    score: Score
    risk_group: str
    reasons: Annotated[str, msgspec.Meta(max_length=500, pattern=r"\A[ -~]*\Z")] = ""


class _CashFlow(msgspec.Struct, forbid_unknown_fields=True):
    id: str
    remaining_months: Annotated[int, msgspec.Meta(ge=0, le=600)]
    instalment_cents: Cents
    last_instalment_cents: Cents
    interest_cents: Cents
    expected_loss_ppm: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
    expected_return_ppm: Annotated[int, msgspec.Meta(ge=-1_000_000, le=10**12)] | None
    duration_days: Annotated[int, msgspec.Meta(ge=0, le=100_000)] | None


class _Grades(msgspec.Struct, forbid_unknown_fields=True):
    model: Model
    assets: list[_Grade]


class _CashFlows(msgspec.Struct, forbid_unknown_fields=True):
    model: Model
    assets: list[_CashFlow]


_KINDS: Final[dict[str, tuple[Any, type[msgspec.Struct]]]] = {CLASSIFICATION: (_Grades, _Grade), CASH_FLOW: (_CashFlows, _CashFlow)}


@dataclass(frozen=True, slots=True)
class Answer:
    """Columns of ASSESSMENT, by name, an entry for each asset that was asked about, in that order; `model` is the service's word."""

    predicts: str
    model: str
    columns: Mapping[str, list[Any]]


class WrongAnswerError(ValueError):
    """What came back is no answer: the message says what of it, and where."""


def ids_of(rows: pa.RecordBatch) -> list[str]:
    """originator/asset/version of each row, by which a service names it."""
    parts = (rows.column(name).to_pylist() for name in ("originator_id", "asset_id", "version"))
    return [f"{originator}/{asset}/{version}" for originator, asset, version in zip(*parts, strict=True)]


def question(product: Product, rows: pa.RecordBatch) -> bytes:
    """The request's body for `rows` (ASSESSED by the built-in models), all of `product`: the buyer's price counts for the return."""
    assert product.service
    told = rows.select(list(TOLD)).to_pylist()
    assets = [{"id": one, **row} for one, row in zip(ids_of(rows), told, strict=True)]
    head = {"product": product.product, "product_version": product.version, "predicts": product.service.predicts}
    return msgspec.json.encode({**head, "groups": [group.name for group in product.groups], "assets": assets})


def read(product: Product, ids: Sequence[str], body: bytes) -> Answer:
    """The answer about the assets `ids`.

    Raises:
        WrongAnswerError: it is not of the contract; a value is out of bounds; not each asset is answered, once;
            a group is not the product's.
    """
    assert product.service
    whole, one = _KINDS[product.service.predicts]
    try:
        said = msgspec.json.decode(body, type=whole)
    except (ValueError, RecursionError) as fault:
        raise WrongAnswerError(str(fault)[:200]) from None
    if said.model.startswith(BUILT_IN):
        raise WrongAnswerError(f"model: {BUILT_IN!r} is not a service's")
    found = {asset.id: asset for asset in said.assets}
    _once(ids, [asset.id for asset in said.assets])
    answers = [found[id_] for id_ in ids]
    groups = {group.name for group in product.groups}
    for asset in answers:
        if isinstance(asset, _Grade) and asset.risk_group not in groups:
            raise WrongAnswerError(f"{asset.id}: risk_group {asset.risk_group[:40]!r} is none of {', '.join(sorted(groups))}")
        if isinstance(asset, _CashFlow) and (asset.expected_return_ppm is None) != (asset.duration_days is None):
            raise WrongAnswerError(f"{asset.id}: expected_return_ppm and duration_days are null together, or neither is")
    names = [name for name in one.__struct_fields__ if name != "id"]
    return Answer(product.service.predicts, said.model, {name: [getattr(asset, name) for asset in answers] for name in names})


def _once(asked: Sequence[str], said: Sequence[str]) -> None:
    known, counts = set(asked), Counter(said)
    wrong = {
        "not answered": [one for one in asked if one not in counts],
        "answered twice": [one for one, count in counts.items() if count > 1],
        "not asked about": [one for one in counts if one not in known],
    }
    for what, these in wrong.items():
        if these:
            more = f" and {len(these) - QUOTED_MAX} more" if len(these) > QUOTED_MAX else ""
            raise WrongAnswerError(f"{', '.join(one[:140] for one in these[:QUOTED_MAX])}{more}: {what}")
