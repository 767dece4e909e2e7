import math
from fractions import Fraction

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.assessor.classifier import classify, compile_model
from schemas.amortisation import Amortisation
from schemas.product import Product
from schemas.risk import Attribute, Band, Grades, Group, Logistic, Term

RATE = Attribute("rate", missing=-7, bands=(Band(100, 50_000), Band(40, 90_000), Band(0)))
HOME = Attribute("borrower_home", missing=1, values={"own": 20, "rent": 5})
GROUPS = (Group("A", 100), Group("B", 50, 9_900), Group("C", 0, 9_800))


def product(*scorecard, groups=GROUPS, **model):
    return Product(
        product="p",
        version=1,
        currency="USD",
        amortisation=Amortisation("annuity", "up"),
        days_past_due_max=15,
        bid_cents_min=1,
        bid_cents_max=2,
        scorecard=tuple(scorecard),
        groups=tuple(groups),
        **model,
    )


def graded(one, rates, homes, originators=None):
    columns = (pa.array(rates, pa.int64()), pa.array(homes, pa.string()), pa.array(originators or ["bluebird"] * len(rates), pa.string()))
    rows = pa.RecordBatch.from_arrays([*columns], ["rate", "borrower_home", "originator_id"])
    grades = classify(compile_model(one), rows)
    return grades.score.tolist(), grades.group.tolist()


@pytest.mark.parametrize(("rate", "points"), [(-1, 100), (49_999, 100), (50_000, 40), (89_999, 40), (90_000, 0), (2**62, 0), (None, -7)])
def test_a_number_gets_the_points_of_the_first_band_that_exceeds_it(rate, points):
    assert graded(product(RATE), [rate], ["own"])[0] == [points]


@pytest.mark.parametrize(("home", "points"), [("own", 20), ("rent", 5), ("castle", 1), ("Own", 1), ("", 1), (None, 1)])
def test_a_text_gets_the_points_of_its_value_and_an_unlisted_one_those_of_missing(home, points):
    assert graded(product(HOME), [0], [home])[0] == [points]


@pytest.mark.parametrize(
    ("rate", "home", "place"), [(0, None, 0), (50_000, "own", 1), (50_000, "rent", 2), (90_000, "rent", 2), (None, None, 2)]
)
def test_the_group_is_the_first_that_the_score_reaches_else_the_last(rate, home, place):
    assert graded(product(RATE, HOME), [rate], [home])[1] == [place]


def test_no_rows_have_no_scores():
    assert graded(product(RATE, HOME), [], []) == ([], [])


def test_a_logistic_model_scores_by_what_it_adds_to_the_odds_of_not_being_repaid():
    rate = Term("rate", missing=500_000, weight=80_000, per=10_000, low=50_000, high=250_000)  # per percentage point
    home = Term("borrower_home", missing=100_000, values={"own": -200_000, "rent": 150_000})
    one = product(logistic=Logistic(-3_000_000, (rate, home)), groups=(Group("A", 2_300_000), Group("B", 1_000_000), Group("C", 0)))
    rates = [100_000, 109_999, 110_000, 10_000, 900_000, None]
    scores = [2_400_000, 2_320_008, 2_320_000, 2_800_000, 1_200_000, 2_700_000]
    assert graded(one, rates, ["own"] * 6) == ([*scores], [0, 0, 0, 0, 1, 0])
    assert graded(one, [100_000] * 3, ["rent", "castle", None])[0] == [2_050_000, 2_100_000, 2_100_000]


def test_a_grade_is_that_of_its_originator_and_of_all_others_where_it_has_none_of_its_own():
    grades = Grades("C", {"1": "A", "2": "B"}, {"harbor": {"1": "C", "2": "A"}}, column="borrower_home")
    who = ["bluebird", "harbor", "bluebird", "harbor", "harbor", "bluebird"]
    assert graded(product(grades=grades), [0] * 6, ["1", "1", "2", "2", None, "9"], who) == ([100, 0, 50, 100, 0, 0], [0, 2, 1, 0, 2, 2])


def naive(one, row):
    if one.grades:
        scale = one.grades.originators.get(row["originator_id"], one.grades.groups)
        name = scale.get(row["borrower_home"], one.grades.missing)
        place = next(n for n, group in enumerate(one.groups) if group.name == name)
        return one.groups[place].from_score, place
    score = 0 if one.logistic is None else -one.logistic.intercept
    for term in one.logistic.terms if one.logistic else ():
        value = row[term.column]
        if value is None or (term.values and value not in term.values):
            score -= term.missing
        elif term.values:
            score -= term.values[value]
        else:
            score -= math.floor(Fraction(term.weight * min(max(value, term.low), term.high), term.per))
    for line in one.scorecard:
        value = row[line.column]
        if value is None:
            score += line.missing
        elif line.values:
            score += line.values.get(value, line.missing)
        else:
            score += next(band.points for band in line.bands if band.below is None or value < band.below)
    place = next((n for n, group in enumerate(one.groups) if score >= group.from_score), len(one.groups) - 1)
    return score, place


numbers = st.integers(-20, 20)


@st.composite
def products(draw):
    below = sorted(draw(st.sets(numbers, max_size=4)))
    bands = tuple(Band(draw(numbers), limit) for limit in (*below, None))
    values = draw(st.dictionaries(st.sampled_from("abcd"), numbers, min_size=1))
    scores = sorted(draw(st.sets(numbers, min_size=1, max_size=5)), reverse=True)
    groups = [Group(str(score), score) for score in scores]
    names = st.sampled_from([group.name for group in groups])
    model = draw(st.sampled_from(("scorecard", "logistic", "grades")))
    if model == "grades":
        scale = st.dictionaries(st.sampled_from("abcd"), names)
        own = draw(st.dictionaries(st.sampled_from(("bluebird", "harbor")), scale))
        return product(grades=Grades(draw(names), draw(scale), own, "borrower_home"), groups=groups)
    if model == "logistic":
        rate = Term("rate", draw(numbers), draw(numbers), draw(st.integers(1, 7)), draw(st.integers(-20, 0)), draw(st.integers(1, 20)))
        return product(logistic=Logistic(draw(numbers), (rate, Term("borrower_home", draw(numbers), values=values))), groups=groups)
    lines = (Attribute("rate", draw(numbers), bands), Attribute("borrower_home", draw(numbers), values=values))
    return product(*lines, groups=groups)


said = st.tuples(st.none() | numbers, st.none() | st.sampled_from("abcdef"), st.sampled_from(("bluebird", "harbor", "prairie")))


@given(products(), st.lists(said, max_size=20))
def test_all_rows_at_once_are_graded_like_each_row_alone(one, rows):
    score, place = graded(one, *([row[column] for row in rows] for column in range(3)))
    names = ("rate", "borrower_home", "originator_id")
    assert list(zip(score, place, strict=True)) == [naive(one, dict(zip(names, row, strict=True))) for row in rows]
