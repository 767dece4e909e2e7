"""The columns of `assets.changed` and `assets.assessed`: a message is one Arrow IPC stream with one record batch, a row an asset version.

The first part of a row is the asset document's fields (`schemas/asset.py`), by column name, for all kinds of assets; then what a kind has
besides, its attributes, as JSON in the words of its documents (null for loans, which have none; `schemas/kinds.py`); then what the proof of
its schedule found; then what intake knows of the change (CHANGE), then what the assessor found (ASSESSMENT).
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from schemas.asset import LINE, LOAN, Kind
from schemas.product import Product, UnknownProductError
from schemas.published import Products

LINES: Final = pa.list_(pa.struct([pa.field(f.column, pa.int64()) for f in LINE]))
DIFFERENCES: Final = pa.list_(pa.struct([pa.field(name, pa.int64()) for name in ("line", "principal", "interest")]))
ARROW: Final = {**dict.fromkeys(Kind, pa.int64()), Kind.TEXT: pa.string(), Kind.SCHEDULE: LINES}

CHANGE: Final = (
    pa.field("version", pa.int32(), nullable=False),  # 1, 2, 3 … of the asset, without gaps
    pa.field("change", pa.string(), nullable=False),  # a Change
    pa.field("digest", pa.binary(16), nullable=False),  # XXH3-128 of the document's bytes
    pa.field("batch", pa.string(), nullable=False),
    pa.field("position", pa.int64(), nullable=False),  # byte position of the document in its batch
    pa.field("delta_principal", pa.int64(), nullable=False),  # cents paid since the version before
    pa.field("delta_interest", pa.int64(), nullable=False),
    pa.field("delta_fees", pa.int64(), nullable=False),
    pa.field("product_version", pa.int32(), nullable=False),  # of the product that it was taken by, and that it is assessed and offered by
)

ASSESSMENT: Final = (
    pa.field("remaining_months", pa.int64(), nullable=False),  # instalments still to come, one a month
    pa.field("instalment_cents", pa.int64(), nullable=False),  # 0 where all is paid with the last
    pa.field("last_instalment_cents", pa.int64(), nullable=False),  # takes the rounding residual
    pa.field("residual_cents", pa.int64()),  # that residual (`cashflow.CashFlow`); null: by a schedule or a service that is not ours
    pa.field("interest_cents", pa.int64(), nullable=False),  # of all instalments of the original schedule
    pa.field("score", pa.int64(), nullable=False),  # points of the product's scorecard
    pa.field("risk_group", pa.string(), nullable=False),
    pa.field("reasons", pa.string(), nullable=False),  # what costs the score most: "rate -65, purpose -14"; empty: nothing
    pa.field("price_bp", pa.int64(), nullable=False),  # sell price, basis points of the amount
    pa.field("buyer_price_bp", pa.int64(), nullable=False),  # that and the product's fee
    pa.field("expected_loss_ppm", pa.int64(), nullable=False),  # principal lost, of what is outstanding; undiscounted
    pa.field("expected_return_ppm", pa.int64()),  # XIRR a year at the buyer's price; null: nothing is outstanding, or no such rate
    pa.field("duration_days", pa.int64()),  # Macaulay's at that return; null with it
    pa.field("model", pa.string(), nullable=False),  # that gave it: BUILT_IN, a service's name for its own, or FALLBACK
)

BUILT_IN: Final = "built_in"
FALLBACK: Final = "built_in (fallback)"  # the product has a service, which gave no answer

ATTRIBUTES: Final = pa.field("attributes", pa.string())
# The document's schedule less the computed one, cents: the lines that differ, from 0. Null where it names no convention.
SCHEDULE_DIFFERENCES: Final = pa.field("schedule_differences", DIFFERENCES)

CHANGED: Final = pa.schema(
    [*(pa.field(f.column, ARROW[f.kind], nullable=not f.required) for f in LOAN), ATTRIBUTES, SCHEDULE_DIFFERENCES, *CHANGE]
)
ASSESSED: Final = pa.schema([*CHANGED, *ASSESSMENT])


def encode(batch: pa.RecordBatch) -> bytes:
    """One record batch as an Arrow IPC stream: schema, batch, end."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


def encode_within(batch: pa.RecordBatch, bytes_max: int) -> Iterator[bytes]:
    """The batch as one `encode`, or in halves as often as it takes for each to be of `bytes_max` at most, unless it is a single row."""
    value = encode(batch)
    if len(value) <= bytes_max or batch.num_rows == 1:
        yield value
        return
    middle = batch.num_rows // 2
    yield from encode_within(batch.slice(0, middle), bytes_max)
    yield from encode_within(batch.slice(middle), bytes_max)


def by_product(rows: pa.RecordBatch, products: Products) -> tuple[list[Product], NDArray[np.int64]]:
    """The versions of products that `rows` (CHANGED) were taken by, and for each row the place of its own among them.

    Raises:
        UnknownProductError: one of them is not known.
    """
    names, numbers = (rows.column(name).dictionary_encode() for name in ("product", "product_version"))
    known = numbers.dictionary.to_pylist()
    pairs, places = np.unique(names.indices.to_numpy().astype(np.int64) * len(known) + numbers.indices.to_numpy(), return_inverse=True)
    found: list[Product] = []
    for place, pair in enumerate(pairs.tolist()):
        name, number = names.dictionary[pair // len(known)].as_py(), known[pair % len(known)]
        product = products.version(name, number)
        if product is None:
            row = int(np.argmax(places == place))
            raise UnknownProductError(name, number, *(rows.column(one)[row].as_py() for one in ("originator_id", "asset_id", "version")))
        found.append(product)
    return found, places


def decode(value: bytes, schema: pa.Schema) -> pa.RecordBatch:
    """The record batch of `encode`.

    Raises:
        ValueError: it is no such stream, or its columns are not those of `schema`: writer and reader are of different versions.
    """
    try:
        with pa.ipc.open_stream(value) as reader:
            if not reader.schema.equals(schema):
                raise ValueError(f"columns differ: expected {schema.names}, got {reader.schema.names}")
            return reader.read_next_batch()
    except (pa.ArrowException, OSError, StopIteration) as fault:
        raise ValueError(f"no Arrow stream of one record batch: {fault}") from fault
