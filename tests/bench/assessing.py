"""`python -m tests.bench.assessing HOW ANSWERS --loans N`: assess so many loans on one core, say the rate, write the first answers down."""

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec
import pyarrow as pa

from agents.assessor.agent import ROWS_MAX
from agents.assessor.assessment import Assessor
from schemas.product import Product
from tests.bench.loans import Answer, made, product
from tests.bench.peers.lap import say

KEPT: Final = 200  # answers that are written down to be compared


def by_columns(rows: pa.RecordBatch, given: Product) -> Iterator[Answer]:
    """As the assessor's agent does: a thousand at a time, nothing decoded and nothing encoded."""
    assessor = Assessor({given.product: given})
    parts = [assessor.assess(rows.slice(place, ROWS_MAX)) for place in range(0, rows.num_rows, ROWS_MAX)]
    return (Answer(**row) for row in parts[0].select(Answer._fields).to_pylist())


def one_by_one(assess: Callable[..., Answer]) -> Callable[[list[dict[str, object]], Product], Iterator[Answer]]:
    return lambda rows, given: iter([assess(row, given) for row in rows])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("how", choices=("tranche", "decimal", "quantlib"))
    parser.add_argument("answers", type=Path)
    parser.add_argument("--loans", type=int, required=True)
    asked = parser.parse_args()
    rows, given = made(asked.loans), product()
    if asked.how == "tranche":
        run, loans = by_columns, rows
        run(loans.slice(0, ROWS_MAX), given)
    else:
        from tests.bench.peers import loan_by_loan  # noqa: PLC0415 - QuantLib's memory is not ours

        run, loans = one_by_one(getattr(loan_by_loan, f"by_{asked.how}")), rows.to_pylist()
    started = time.perf_counter()
    answers = run(loans, given)
    seconds = time.perf_counter() - started
    asked.answers.write_bytes(msgspec.json.encode([answer for answer, _ in zip(answers, range(KEPT), strict=False)]))
    say(asked.loans, seconds)


if __name__ == "__main__":
    main()
