"""Documents outside of what their product takes (`schemas/limits.py`): found for a whole Step's columns at once. Pure."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from schemas.asset import LOAN
from schemas.kinds import kind_of
from schemas.product import Product
from schemas.values import written

_KINDS = {field.column: field.kind for field in LOAN}


def beyond(columns: pa.RecordBatch, products: Mapping[str, Product]) -> dict[int, tuple[str, str]]:
    """The rows (columns of LOAN) that are outside of their product's limits: the document's field, and why; of several the first."""
    limited = [product for product in products.values() if any(True for _ in product.limits.bounds())]
    if not limited:
        return {}
    coded = columns["product"].dictionary_encode()
    names, codes = coded.dictionary.to_pylist(), coded.indices.to_numpy()
    found: dict[int, tuple[str, str]] = {}
    for product in limited:
        if product.product not in names:
            continue
        ours = codes == names.index(product.product)
        for column, low, high in product.limits.bounds():
            values = columns[column].to_numpy()
            for row in np.flatnonzero(ours & ((values < low) | (values > high))).tolist():
                value, least, most = (written(_KINDS[column], number) for number in (int(values[row]), low, high))
                reason = f"is {value}, must be between {least} and {most} for product {product.product!r}"
                found.setdefault(row, (kind_of(product.document).path(column), reason))
    return found
