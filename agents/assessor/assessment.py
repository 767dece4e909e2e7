"""The assessment of a record batch of changed assets, appended as columns.

Pure. Rows keep their order; the assets of one batch may be of different products, and each product assesses its own.
"""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from agents.assessor.answers import Answer
from agents.assessor.valuation import Valuer
from schemas.columns import ASSESSED, BUILT_IN, FALLBACK, by_product
from schemas.product import Product
from schemas.published import Products
from schemas.service import CASH_FLOW, CLASSIFICATION

# By product and version, what its service says of all rows by it in their order, or why it says nothing.
Said = Mapping[tuple[str, int], Answer | str]


class Assessor:
    """All versions of all products, ready to assess; those that come later are made ready where they are first met."""

    def __init__(self, products: Mapping[str, Product]) -> None:
        self._products = Products.of(products)
        self._valuers = {(one.product, one.version): Valuer(one) for one in self._products.values()}

    def assess(self, rows: pa.RecordBatch, said: Said = {}) -> pa.RecordBatch:  # noqa: B006 - nobody writes to it
        """`rows` (CHANGED) with the assessment's columns behind (ASSESSED).

        What nothing is `said` of is assessed by the built-in models.

        Raises:
            UnknownProductError: a row is by a version of a product that is not known.
            BoundsError: a row's amounts or terms are beyond `schemas/asset.py`.
        """
        products, place = by_product(rows, self._products)
        if len(products) == 1:
            return self._assess(products[0], rows, said)
        places = [np.flatnonzero(place == one) for one in range(len(products))]
        parts = [self._assess(product, rows.take(pa.array(theirs)), said) for product, theirs in zip(products, places, strict=True)]
        if not parts:
            return pa.RecordBatch.from_pylist([], schema=ASSESSED)
        order = np.argsort(np.concatenate(places), kind="stable")
        return pa.concat_batches(parts).take(pa.array(order))

    def _assess(self, product: Product, rows: pa.RecordBatch, all_said: Said) -> pa.RecordBatch:
        """Rows that are all by `product`."""
        key = (product.product, product.version)
        if key not in self._valuers:
            self._valuers[key] = Valuer(product)
        valuer, said = self._valuers[key], all_said.get(key)
        answer = said if isinstance(said, Answer) else None
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
