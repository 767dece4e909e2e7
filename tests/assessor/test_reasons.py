"""What costs a score most is told with it: the largest first, and nothing that costs nothing."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from test_classifier import product, products, said

from agents.assessor.classifier import classify, compile_model
from agents.assessor.reasons import REASONS_MAX, reasons
from schemas.risk import Attribute, Band, Grades, Logistic, Term

NAMES = ("rate", "term_months", "purpose", "grade", "country")


def told(below_best):
    return reasons(NAMES[: len(below_best)], np.array(below_best, np.int64)).to_pylist()


def graded(one, rates, homes):
    rows = pa.RecordBatch.from_pydict(
        {"rate": pa.array(rates, pa.int64()), "borrower_home": pa.array(homes, pa.string()), "originator_id": ["bluebird"] * len(rates)}
    )
    model = compile_model(one)
    return reasons([part.column for part in model.parts], classify(model, rows).below_best).to_pylist()


def test_the_largest_come_first_and_equal_ones_in_the_order_of_the_file():
    assert told([[5], [9], [5], [0], [7]]) == ["term_months -9, country -7, rate -5, purpose -5"]


def test_there_are_four_at_most_and_none_where_nothing_is_lost():
    assert told([[1, 0], [2, 0], [3, 0], [4, 0], [5, 0]]) == ["country -5, grade -4, purpose -3, term_months -2", ""]
    assert told([[]]) == []


def test_what_is_missing_or_not_listed_costs_what_the_best_band_or_value_would_have_given():
    rate = Attribute("rate", missing=-7, bands=(Band(100, 50_000), Band(40, 90_000), Band(0)))
    home = Attribute("borrower_home", missing=30, values={"own": 20, "rent": 5})
    one = product(rate, home)
    assert graded(one, [0, 60_000, None, 95_000], [None, "own", "rent", "castle"]) == [
        "", "rate -60, borrower_home -10", "rate -107, borrower_home -25", "rate -100",
    ]  # fmt: skip


def test_a_logistic_models_reasons_are_what_its_terms_add_to_the_odds_above_their_least():
    rate = Term("rate", missing=500_000, weight=80_000, per=10_000, low=50_000, high=250_000)
    home = Term("borrower_home", missing=100_000, values={"own": -200_000, "rent": 150_000})
    one = product(logistic=Logistic(-3_000_000, (rate, home)))
    assert graded(one, [150_000, 10_000], ["rent", "own"]) == ["rate -800000, borrower_home -350000", ""]


def test_a_mapped_grade_costs_what_the_best_group_begins_above_its_own():
    assert graded(product(grades=Grades("C", {"1": "A", "2": "B"}, column="borrower_home")), [0] * 3, ["1", "2", None]) == [
        "", "borrower_home -50", "borrower_home -100",
    ]  # fmt: skip


@given(products(), st.lists(said, max_size=20))
def test_where_all_reasons_are_told_they_are_what_the_score_is_below_the_best(one, rows):
    model = compile_model(one)
    columns = {"rate": pa.int64(), "borrower_home": pa.string(), "originator_id": pa.string()}
    batch = pa.RecordBatch.from_arrays([pa.array([row[n] for row in rows], kind) for n, kind in enumerate(columns.values())], [*columns])
    grades = classify(model, batch)
    assert len(model.parts) <= REASONS_MAX
    best = model.base + sum(part.best for part in model.parts)
    texts = reasons([part.column for part in model.parts], grades.below_best).to_pylist()
    for text, score in zip(texts, grades.score.tolist(), strict=True):
        assert sum(int(reason.split(" ")[1]) for reason in text.split(", ") if reason) == score - best
