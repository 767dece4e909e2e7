import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.assessor.classifier import classify, compile_scorecard
from schemas.amortisation import Amortisation
from schemas.product import Product
from schemas.risk import Attribute, Band, Group

RATE = Attribute("rate", missing=-7, bands=(Band(100, 50_000), Band(40, 90_000), Band(0)))
HOME = Attribute("borrower_home", missing=1, values={"own": 20, "rent": 5})
GROUPS = (Group("A", 100), Group("B", 50, 9_900), Group("C", 0, 9_800))


def product(*scorecard, groups=GROUPS):
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
    )


def graded(one, rates, homes):
    rows = pa.RecordBatch.from_arrays([pa.array(rates, pa.int64()), pa.array(homes, pa.string())], ["rate", "borrower_home"])
    score, place = classify(compile_scorecard(one), rows)
    return score.tolist(), place.tolist()


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


def naive(one, row):
    score = 0
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
    lines = (Attribute("rate", draw(numbers), bands), Attribute("borrower_home", draw(numbers), values=values))
    return product(*lines, groups=[Group(str(score), score) for score in scores])


@given(products(), st.lists(st.tuples(st.none() | numbers, st.none() | st.sampled_from("abcdef")), max_size=20))
def test_all_rows_at_once_are_graded_like_each_row_alone(one, rows):
    score, place = graded(one, [rate for rate, _ in rows], [home for _, home in rows])
    assert list(zip(score, place, strict=True)) == [naive(one, {"rate": rate, "borrower_home": home}) for rate, home in rows]
