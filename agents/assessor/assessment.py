"""The assessment of a record batch of changed assets: cash flow, score, risk group and price, appended as columns.

Pure. Rows keep their order; the assets of one batch may be of different products.
"""

import itertools
from collections.abc import Mapping
from dataclasses import fields
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from agents.assessor.attributes import told
from agents.assessor.cashflow import CashFlow, predict, predict_bullet
from agents.assessor.classifier import Ints, classify, compile_scorecard
from schemas.amortisation import BULLET
from schemas.asset import Field
from schemas.columns import ASSESSED
from schemas.kinds import kind_of
from schemas.product import Product, UnknownProductError

CASHFLOW_INPUTS: Final = ("principal", "rate", "term_months", "outstanding")


class Assessor:
    """All products, ready to assess: their scorecards compiled, their groups in one list."""

    def __init__(self, products: Mapping[str, Product]) -> None:
        groups = [group for product in products.values() for group in product.groups]
        starts = itertools.accumulate((len(product.groups) for product in products.values()), initial=0)
        self._names = pa.array([group.name for group in groups], pa.string())
        self._prices = np.array([group.price_bp for group in groups], np.int64)
        self._products = {
            name: (compile_scorecard(product), _scored(product), start)
            for (name, product), start in zip(products.items(), starts, strict=False)
        }
        self._bullets = pa.array([name for name, product in products.items() if product.amortisation.kind == BULLET], pa.string())

    def assess(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """`rows` (CHANGED) with the assessment's columns behind (ASSESSED).

        Raises:
            UnknownProductError: a row's product is not in the catalog.
            BoundsError: a row's amounts or terms are beyond `schemas/asset.py`.
        """
        flow = self._predict(rows)
        score, group = self._classify(rows)
        columns = (
            flow.remaining_months,
            flow.instalment_cents,
            flow.last_instalment_cents,
            flow.interest_cents,
            score,
            self._names.take(pa.array(group)),
            self._prices[group],
        )
        arrays = [column if isinstance(column, pa.Array) else pa.array(column) for column in columns]
        return pa.RecordBatch.from_arrays([*rows.columns, *arrays], schema=ASSESSED)

    def _predict(self, rows: pa.RecordBatch) -> CashFlow:
        inputs = [rows.column(name).to_numpy() for name in CASHFLOW_INPUTS]
        if not len(self._bullets):
            return predict(*inputs)
        bullet = pc.is_in(rows.column("product"), self._bullets).to_numpy(zero_copy_only=False)
        flows = (predict(*(values[~bullet] for values in inputs)), predict_bullet(*(values[bullet] for values in inputs)))
        return CashFlow(*(_placed(bullet, *(getattr(flow, field.name) for flow in flows)) for field in fields(CashFlow)))

    def _classify(self, rows: pa.RecordBatch) -> tuple[Ints, Ints]:
        """Score, and place in the list of all products' groups, of each row."""
        coded = rows.column("product").dictionary_encode()
        codes = coded.indices.to_numpy()
        score, group = np.empty(rows.num_rows, np.int64), np.empty(rows.num_rows, np.int64)
        for code, product in enumerate(coded.dictionary.to_pylist()):
            places = np.flatnonzero(codes == code)
            if product not in self._products:
                raise UnknownProductError(product, *_identity(rows, int(places[0])))
            scorecard, attributes, start = self._products[product]
            alike = rows if len(places) == rows.num_rows else rows.take(pa.array(places))
            score[places], place = classify(scorecard, told(alike, attributes))
            group[places] = place + start
        return score, group


def _scored(product: Product) -> list[Field]:
    """The attributes that the product's scorecard has lines for."""
    lines = {line.column for line in product.scorecard}
    return [field for field in kind_of(product.document).attributes if field.column in lines]


def _placed(where: NDArray[np.bool_], others: Ints, those: Ints) -> Ints:
    """`those` where it is true, `others` where not, each in its order."""
    both = np.empty(len(where), np.int64)
    both[where], both[~where] = those, others
    return both


def _identity(rows: pa.RecordBatch, row: int) -> tuple[str, str, int]:
    originator, asset, version = (rows.column(name)[row].as_py() for name in ("originator_id", "asset_id", "version"))
    return originator, asset, version
