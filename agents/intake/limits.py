"""What a product does not take. Pure.

Documents outside of its limits and ways of sale (`schemas/limits.py`, `schemas/sale.py`) are found for a whole Step's columns at once.
"""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from agents.intake.kinds import not_known
from schemas.agreements import Signers, lacking
from schemas.asset import LOAN
from schemas.kinds import kind_of
from schemas.product import Product
from schemas.sale import WAYS
from schemas.values import written

_KINDS = {field.column: field.kind for field in LOAN}


def beyond(columns: pa.RecordBatch, products: Mapping[str, Product]) -> dict[int, tuple[str, str]]:
    """The rows (columns of LOAN) outside of their product's limits or ways of sale: the document's field, and why; of several the first."""
    limited = [product for product in products.values() if set(product.sale) < set(WAYS) or any(True for _ in product.limits.bounds())]
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
        if set(product.sale) < set(WAYS):
            other = pc.invert(pc.is_in(columns["sale"], pa.array(product.sale, pa.string()))).to_numpy(zero_copy_only=False)
            for row in np.flatnonzero(ours & other).tolist():
                reason = f"is {columns['sale'][row].as_py()!r}, must be {' or '.join(product.sale)} for product {product.product!r}"
                found.setdefault(row, (kind_of(product.document).path("sale"), reason))
    return found


def unknown(product: str, known: Product | None) -> tuple[str, str]:
    """The document's field and why, of a product that is not known, or not in the document's currency."""
    if known is None:
        return "product", not_known(product)
    return kind_of(known.document).path("currency"), f"must be {known.currency} for product {product!r}"


def unsigned(product: Product, originator: str, originators: Signers) -> str:
    """The agreements that the originator lacks, empty if none."""
    needed = product.agreements.originator
    return ", ".join(lacking(needed, originator, originators)) if needed else ""
