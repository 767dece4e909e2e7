"""Documents of all kinds to the columns of CHANGED that a document has: the loan's, and the attributes of the others.

Documents are decoded in groups of one kind, each with its kind's own fields, so that what is refused is told in the words of its
document. Where all products are loans there is one group, and nothing is looked for.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import numpy as np
import pyarrow as pa

from schemas.asset import LOAN
from schemas.columns import ARROW, ATTRIBUTES
from schemas.kinds import LOAN_KIND, AssetKind, kind_of
from schemas.product import Product
from schemas.values import written
from streams.decode import Decoded, Fault, Ints, decode
from streams.frames import text_of

_SCHEMA: Final = pa.schema([*(pa.field(f.column, ARROW[f.kind]) for f in LOAN), ATTRIBUTES])
_TERM: Final = next(f for f in LOAN if f.name == "term_months")
_IDENTITY: Final = tuple(f for f in LOAN if f.name in ("originator_id", "asset_id", "product"))


def read(docs: Sequence[bytes], products: Mapping[str, Product]) -> Decoded:
    """As `streams.decode.decode`, by the kinds that the products declare: columns LOAN and ATTRIBUTES; faults name documents' fields."""
    if not any(product.document for product in products.values()):
        return _placed(decode(docs, LOAN), LOAN_KIND)
    kinds = {name.encode(): kind_of(product.document) for name, product in products.items()}
    groups: defaultdict[AssetKind | None, list[int]] = defaultdict(list)
    for i, doc in enumerate(docs):
        groups[kinds.get(text_of(doc, b"product") or b"")].append(i)
    if len(groups) == 1:
        return _read(docs, next(iter(groups)))
    return _together([(_read([docs[i] for i in index], kind), np.array(index, np.int64)) for kind, index in groups.items()])


def not_known(product: str) -> str:
    return f"{product!r} is not known"


def _read(docs: Sequence[bytes], kind: AssetKind | None) -> Decoded:
    """Documents of one kind; None: of products that are not known, none of which is accepted."""
    if kind:
        return _placed(decode(docs, kind.fields), kind)
    decoded = decode(docs, _IDENTITY)
    rows = zip(decoded.rows.tolist(), decoded.columns["product"].to_pylist(), strict=True)
    faults = [*decoded.faults, *(Fault(row, "product", not_known(product)) for row, product in rows)]
    return Decoded(pa.RecordBatch.from_pylist([], schema=_SCHEMA), np.empty(0, np.int64), sorted(faults))


def _together(groups: Sequence[tuple[Decoded, Ints]]) -> Decoded:
    """The groups as one, in the order of the documents; with each group, where its documents stood."""
    rows = np.concatenate([index[decoded.rows] for decoded, index in groups])
    order = np.argsort(rows)
    columns = pa.concat_batches([decoded.columns for decoded, _ in groups]).take(pa.array(order))
    faults = [fault._replace(row=int(index[fault.row])) for decoded, index in groups for fault in decoded.faults]
    return Decoded(columns, rows[order], sorted(faults))


def _placed(decoded: Decoded, kind: AssetKind) -> Decoded:
    """What a kind's documents say, each where the loan has it, and its attributes."""
    if kind is LOAN_KIND:
        columns = [*decoded.columns.columns, pa.nulls(len(decoded.rows), pa.string())]
        return decoded._replace(columns=pa.RecordBatch.from_arrays(columns, schema=_SCHEMA))
    decoded, months = _months(decoded, kind)
    count = len(decoded.rows)
    columns = []
    for field in LOAN:
        source = kind.sources.get(field.column)
        if source:
            columns.append(decoded.columns[source.column])
        elif field is _TERM and months is not None:
            columns.append(pa.array(months))
        else:
            columns.append(pa.array([kind.constants.get(field.column)] * count, ARROW[field.kind]))
    columns.append(pa.array(_attributes(decoded.columns, kind), pa.string()))
    return decoded._replace(columns=pa.RecordBatch.from_arrays(columns, schema=_SCHEMA))


def _months(decoded: Decoded, kind: AssetKind) -> tuple[Decoded, Ints | None]:
    """Months from `issued` to the due day, one that has begun counts; without the documents whose due day gives no term."""
    if kind.due is None:
        return decoded, None
    issued, due = (decoded.columns[field.column].to_numpy().astype("datetime64[D]") for field in (kind.sources["issued"], kind.due))
    (first, day), (last, end) = (((month := days.astype("datetime64[M]")), days - month) for days in (issued, due))
    months = (last - first).astype(np.int64) + (end > day)
    good = (due > issued) & (months <= _TERM.high)
    if good.all():
        return decoded, months
    other = kind.path("issued")
    reasons = (
        Fault(
            decoded.rows[i].item(),
            kind.due.name,
            f"must be after {other}" if due[i] <= issued[i] else f"is over {_TERM.high} months after {other}",
        )
        for i in np.flatnonzero(~good).tolist()
    )
    return Decoded(decoded.columns.filter(pa.array(good)), decoded.rows[good], sorted([*decoded.faults, *reasons])), months[good]


def _attributes(columns: pa.RecordBatch, kind: AssetKind) -> list[str]:
    """The attributes of each row as a JSON object, in the order of their declaration, without those that are absent."""
    names = [field.name for field in kind.attributes]
    values = [
        [None if value is None else written(field.kind, value) for value in columns[field.column].to_pylist()] for field in kind.attributes
    ]
    rows = zip(*values, strict=True) if values else [()] * columns.num_rows
    encode = msgspec.json.Encoder().encode
    return [encode({name: value for name, value in zip(names, row, strict=True) if value is not None}).decode() for row in rows]
