"""What the assessment of one product's assets finds: cash flow, score, risk group and price, as columns. Pure."""

import numpy as np
import pyarrow as pa

from agents.assessor.attributes import told
from agents.assessor.cashflow import predict
from agents.assessor.classifier import classify, compile_model
from schemas.kinds import kind_of
from schemas.product import Product

CASHFLOW_INPUTS = ("principal", "rate", "term_months", "outstanding")


class Valuer:
    """A product, ready to assess: its risk model compiled, the attributes that it uses picked out."""

    def __init__(self, product: Product) -> None:
        self._product = product
        self._model = compile_model(product)
        self._attributes = [field for field in kind_of(product.document).attributes if field.column in self._model.columns]
        self._groups = pa.array([group.name for group in product.groups], pa.string())
        self._prices_bp = np.array([group.price_bp for group in product.groups], np.int64)

    def value(self, rows: pa.RecordBatch) -> dict[str, pa.Array]:
        """The columns of ASSESSMENT, by name, for `rows` (CHANGED), which are all of this product.

        Raises:
            BoundsError: a row's amounts or terms are beyond `schemas/asset.py`.
        """
        flow = predict(self._product.amortisation, *(rows.column(name).to_numpy() for name in CASHFLOW_INPUTS))
        score, group = classify(self._model, told(rows, self._attributes))
        return {
            "remaining_months": pa.array(flow.remaining_months),
            "instalment_cents": pa.array(flow.instalment_cents),
            "last_instalment_cents": pa.array(flow.last_instalment_cents),
            "interest_cents": pa.array(flow.interest_cents),
            "score": pa.array(score),
            "risk_group": self._groups.take(pa.array(group)),
            "price_bp": pa.array(self._prices_bp[group]),
        }
