"""The loans that `assess` is about: new 36-month annuities, each different, the same on every machine, and a product that has curves."""

import itertools
from typing import Final, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa

from schemas.columns import CHANGED
from schemas.curves import Curve
from schemas.product import Product
from tests.rows import CATALOG, CHANGED_ROW

SEED: Final = 20_080_815
MONTHS: Final = 36
HOMES: Final = ("mortgage", "rent", "own")
PURPOSES: Final = ("debt_consolidation", "credit_card", "home_improvement", "car", "medical", "other")


class Answer(NamedTuple):
    """What every subject finds out about a loan."""

    instalment_cents: int
    interest_cents: int
    score: int
    risk_group: str
    price_bp: int
    expected_loss_ppm: int
    expected_return_ppm: int


def product() -> Product:
    """The shipped product for US dollars, whose groups here default and prepay more each month for two years, the worse the sooner."""
    shipped = CATALOG.products[CHANGED_ROW["product"]]
    groups = tuple(msgspec.structs.replace(group, curve=_curve(place)) for place, group in enumerate(shipped.groups, 1))
    return msgspec.structs.replace(shipped, groups=groups)


def _curve(place: int) -> Curve:
    return Curve(
        default_ppm=tuple(place * 50 * month for month in range(1, 25)),
        prepayment_ppm=tuple(400 * month for month in range(1, 25)),
        loss_given_default_ppm=850_000,
        recovery_months=9,
    )


def made(count: int) -> pa.RecordBatch:
    """The first `count` loans, as columns of `assets.changed`."""
    seeds = itertools.count(SEED)  # one a column: the first loans are the same, however many there are

    def numbers(low: int, high: int, step: int = 1) -> pa.Array:
        return pa.array(np.random.default_rng(next(seeds)).integers(low, high, count) * step)

    def texts(of: tuple[str, ...]) -> pa.Array:
        return pa.array(np.array(of)[np.random.default_rng(next(seeds)).integers(0, len(of), count)])

    principal = numbers(1_000, 40_000, 100)
    varied = {
        "principal": principal,
        "outstanding": principal,
        "term_months": pa.array(np.full(count, MONTHS)),
        "rate": numbers(5_000, 30_000, 10),
        "issued": numbers(17_000, 20_000),
        "borrower_income": numbers(15_000, 200_000, 100),
        "borrower_debt_ratio": numbers(0, 600_000),
        "borrower_employment_years": numbers(0, 11),
        "borrower_delinquencies_2y": numbers(0, 4),
        "borrower_inquiries_12m": numbers(0, 8),
        "borrower_home": texts(HOMES),
        "purpose": texts(PURPOSES),
    }
    said = {
        name: pa.repeat(pa.scalar(CHANGED_ROW.get(name), CHANGED.field(name).type), count) for name in CHANGED.names if name not in varied
    }
    columns = [varied[field.name].cast(field.type) if field.name in varied else said[field.name] for field in CHANGED]
    return pa.RecordBatch.from_arrays(columns, schema=CHANGED)
