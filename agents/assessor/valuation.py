"""What the assessment of one product's assets finds: cash flow, score, risk group and why, price and what to expect, as columns. Pure."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from agents.assessor import dated, own
from agents.assessor.attributes import told
from agents.assessor.cashflow import CashFlow, predict
from agents.assessor.classifier import Grades, classify, compile_model
from agents.assessor.prediction import Curves
from agents.assessor.prediction import predict as predicted
from agents.assessor.reasons import reasons
from agents.assessor.schedule import Loans, Schedule, loans_of, to_come
from schemas.amortisation import OWN_SCHEDULE
from schemas.kinds import kind_of
from schemas.product import Product


class Valuer:
    """A product, ready to assess: its risk model compiled, the attributes that it uses picked out."""

    def __init__(self, product: Product) -> None:
        self._product = product
        self._model = compile_model(product)
        self._attributes = [field for field in kind_of(product.document).attributes if field.column in self._model.columns]
        self._groups = pa.array([group.name for group in product.groups], pa.string())
        self._curves = Curves([group.curve for group in product.groups])
        self._prices_bp = np.array([group.price_bp for group in product.groups], np.int64)
        self._fees_bp = np.array(product.fees_bp, np.int64)
        late = product.pricing.late
        self._late_from = np.array([one.from_days for one in late], np.int64)
        self._late_bp = np.array([0, *(one.price_bp for one in late)], np.int64)

    def graded(self, score: list[int], risk_group: list[str]) -> Grades:
        """What somebody else has graded; all groups are of this product."""
        place = {name: number for number, name in enumerate(self._groups.to_pylist())}
        group = np.array([place[name] for name in risk_group], np.int64)
        return Grades(np.array(score, np.int64), group, np.zeros((len(self._model.parts), len(group)), np.int64))

    def value(self, rows: pa.RecordBatch, graded: Grades | None = None) -> dict[str, pa.Array]:
        """The columns of ASSESSMENT but `model`, by name, for `rows` (CHANGED), which are all of this product.

        `graded` is in the place of its own risk model.

        Raises:
            BoundsError: a row's amounts or terms are beyond `schemas/asset.py`.
        """
        loans = loans_of(rows)
        flow, schedule = self._scheduled(loans, rows)
        grades = graded or classify(self._model, told(rows, self._attributes))
        group = grades.group
        late = np.searchsorted(self._late_from, rows.column("days_past_due").to_numpy(), side="right")
        price_bp = self._prices_bp[group] + self._late_bp[late]
        buyer_price_bp = price_bp + self._fees_bp[group]
        age_months = np.maximum(loans.months - flow.remaining_months, 0)
        expected = predicted(schedule, age_months, self._curves, group, buyer_price_bp)
        return {
            "remaining_months": pa.array(flow.remaining_months),
            "instalment_cents": pa.array(flow.instalment_cents),
            "last_instalment_cents": pa.array(flow.last_instalment_cents),
            "residual_cents": pa.nulls(rows.num_rows, pa.int64()) if flow.residual_cents is None else pa.array(flow.residual_cents),
            "interest_cents": pa.array(flow.interest_cents),
            "score": pa.array(grades.score),
            "risk_group": self._groups.take(pa.array(group)),
            "reasons": reasons([part.column for part in self._model.parts], grades.below_best),
            "price_bp": pa.array(price_bp),
            "buyer_price_bp": pa.array(buyer_price_bp),
            "expected_loss_ppm": pa.array(expected.loss_ppm),
            "expected_return_ppm": _whole(expected.return_ppm),
            "duration_days": _whole(expected.duration_days),
        }

    def _scheduled(self, loans: Loans, rows: pa.RecordBatch) -> tuple[CashFlow, Schedule]:
        terms = self._product.amortisation
        if terms.kind == OWN_SCHEDULE:
            return own.to_come(terms, loans, rows.column("schedule"))
        if terms.day_count:
            return dated.to_come(terms, loans)
        flow = predict(terms, loans.principal_cents, loans.rate_ppm, loans.months, loans.outstanding_cents)
        return flow, to_come(terms, loans, flow.remaining_months)


def _whole(numbers: NDArray[np.float64]) -> pa.Array:
    """Whole numbers; null where there is none (NaN)."""
    none = np.isnan(numbers)
    return pa.array(np.where(none, 0.0, numbers).astype(np.int64), mask=none)
