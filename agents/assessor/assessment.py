"""The assessment of a record batch of changed assets, appended as columns.

Pure. Rows keep their order; the assets of one batch may be of different products, and each product assesses its own.
"""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from agents.assessor.answers import Answer
from agents.assessor.valuation import Valuer
from schemas.columns import ASSESSED, BUILT_IN, FALLBACK
from schemas.product import Product, UnknownProductError
from schemas.service import CASH_FLOW, CLASSIFICATION

Said = Mapping[str, Answer | str]  # by product, what its service says of all rows of it in their order, or why it says nothing


class Assessor:
    """All products, ready to assess."""

    def __init__(self, products: Mapping[str, Product]) -> None:
        self._valuers = {name: Valuer(product) for name, product in products.items()}

    def assess(self, rows: pa.RecordBatch, said: Said = {}) -> pa.RecordBatch:  # noqa: B006 - nobody writes to it
        """`rows` (CHANGED) with the assessment's columns behind (ASSESSED).

        What nothing is `said` of is assessed by the built-in models.

        Raises:
            UnknownProductError: a row's product is not in the catalog.
            BoundsError: a row's amounts or terms are beyond `schemas/asset.py`.
        """
        coded = rows.column("product").dictionary_encode()
        names = coded.dictionary.to_pylist()
        if len(names) == 1:
            return self._assess(names[0], rows, said.get(names[0]))
        codes = coded.indices.to_numpy()
        places = [np.flatnonzero(codes == code) for code in range(len(names))]
        parts = [self._assess(name, rows.take(pa.array(places)), said.get(name)) for name, places in zip(names, places, strict=True)]
        if not parts:
            return pa.RecordBatch.from_pylist([], schema=ASSESSED)
        order = np.argsort(np.concatenate(places), kind="stable")
        return pa.concat_batches(parts).take(pa.array(order))

    def _assess(self, product: str, rows: pa.RecordBatch, said: Answer | str | None) -> pa.RecordBatch:
        """Rows that are all of `product`."""
        if product not in self._valuers:
            raise UnknownProductError(product, *(rows.column(name)[0].as_py() for name in ("originator_id", "asset_id", "version")))
        valuer, answer = self._valuers[product], said if isinstance(said, Answer) else None
        graded = (
            valuer.graded(answer.columns["score"], answer.columns["risk_group"]) if answer and answer.predicts == CLASSIFICATION else None
        )
        found = valuer.value(rows, graded)
        if answer:
            found |= {name: pa.array(values, ASSESSED.field(name).type) for name, values in answer.columns.items()}
            if answer.predicts == CASH_FLOW:  # the residual of instalments that are not ours is not known
                found["residual_cents"] = pa.nulls(rows.num_rows, pa.int64())
        model = answer.model if answer else BUILT_IN if said is None else FALLBACK
        found["model"] = pa.array([model]).take(pa.array(np.zeros(rows.num_rows, np.int64)))
        return pa.RecordBatch.from_arrays([*rows.columns, *(found[name] for name in ASSESSED.names[len(rows.columns) :])], schema=ASSESSED)
