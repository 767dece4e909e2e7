"""Criteria as investors and front ends write them: what they mean."""

import json

import pytest

from agents.trader import wording
from agents.trader.criteria import read
from schemas.catalog import attributes_of
from schemas.criteria import Criteria, Predicate
from tests.invoices import catalog

CATALOG = catalog()
EUR = attributes_of("EUR", CATALOG.products.values(), CATALOG.originators)
ON_TIME = Predicate("days_past_due", high=0)


def asked(criteria):
    """The predicates of criteria without alternatives, but not that on days past due."""
    ((*predicates,),) = read(criteria, EUR).any_of
    return [one for one in predicates if one != ON_TIME]


@pytest.mark.parametrize(
    ("text", "predicate"),
    [
        ("rate >= 6%", Predicate("rate", low=60_000)),
        ("rate >= 0.06", Predicate("rate", low=60_000)),
        ("rate > 6 %", Predicate("rate", low=60_001)),
        ("rate < 12.5%", Predicate("rate", high=124_999)),
        ("rate = 0.140701", Predicate("rate", low=140_701, high=140_701)),
        ("price <= 100.5%", Predicate("price", high=1_005_000)),
        ("expected_return >= -1.5%", Predicate("expected_return", low=-15_000)),
        ("outstanding between 100 and 2500.5", Predicate("outstanding", low=10_000, high=250_050)),
        ("debtor_limit > 0", Predicate("debtor_limit", low=1)),
        ("issued < 1970-01-02", Predicate("issued", high=0)),
        ("delivered == 2026-11-02", Predicate("delivered", low=20_759, high=20_759)),
        ("remaining_months <= 36", Predicate("remaining_months", high=36)),
        ("score = -5", Predicate("score", low=-5, high=-5)),
        ("risk_group = A", Predicate("risk_group", ("A",))),
        ("risk_group in (B, 'A', \"B\")", Predicate("risk_group", ("A", "B"))),
        ("country <> US", Predicate("country", ("US",), excluded=True)),
        ("NOT country IN (US)", Predicate("country", ("US",), excluded=True)),
        (r'purpose = "a \"b\" \\ c"', Predicate("purpose", (r'a "b" \ c',))),
        (r"purpose = 'it\'s'", Predicate("purpose", ("it's",))),
        ("purpose = 'Köln (Süd)'", Predicate("purpose", ("Köln (Süd)",))),
        ("purpose = small-business.2", Predicate("purpose", ("small-business.2",))),
        ("grade is known", Predicate("grade", excluded=True)),
        ("score is known", Predicate("score")),
        ("borrower_inquiries_12m = 0", Predicate("borrower_inquiries_12m", high=0)),
        ("rate >= 0%", Predicate("rate")),
    ],
)
def test_a_question_is_a_predicate_in_the_unit_of_its_attribute(text, predicate):
    assert asked(text) == [predicate]


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"attribute": "rate", "at_least": "0.06"}, "rate >= 6%"),
        ({"attribute": "rate", "at_least": "6%"}, "rate >= 6%"),
        ({"attribute": "rate", "at_least": 1}, "rate >= 100%"),
        ({"attribute": "rate", "above": "0.06"}, "rate > 6%"),
        ({"attribute": "rate", "below": "0.06"}, "rate < 6%"),
        ({"attribute": "score", "at_least": 1, "at_most": 9}, "score between 1 and 9"),
        ({"attribute": "issued", "is": "2026-01-31"}, "issued = 2026-01-31"),
        ({"attribute": "outstanding", "at_most": "2500.00"}, "outstanding <= 2500"),
        ({"attribute": "country", "in": ["DE", "EE"]}, "country in (DE, EE)"),
        ({"attribute": "country", "not_in": ["DE", "EE"]}, "country not in (DE, EE)"),
        ({"attribute": "country", "is_not": "DE"}, "country != DE"),
        ({"attribute": "grade", "known": True}, "grade is known"),
        ({"not": {"any": [{"attribute": "grade", "is": "1"}, {"attribute": "score", "is": 1}]}}, "not (grade = '1' or score = 1)"),
        ({"all": []}, "everything"),
    ],
)
def test_json_says_the_same_as_the_language(given, text):
    assert read(given, EUR) == read(text, EUR)


def test_precedence_is_not_then_and_then_or_then_but_not_when():
    assert read("score = 1 or score = 3 and not grade = A and rate > 1%", EUR) == read(
        "score = 1 or (score = 3 and (not (grade = A)) and rate > 1%)", EUR
    )
    assert read("score = 1 or score = 3 but not when grade = A or grade = B", EUR) == read(
        "(score = 1 or score = 3) and not (grade = A or grade = B)", EUR
    )
    assert read("score < 9 but not when score < 3 but not score = 5", EUR) == read("(score < 9 and not score < 3) and not score = 5", EUR)


def test_what_says_nothing_of_days_past_due_takes_nothing_that_is_past_due():
    assert read("rate >= 6% or score > 3", EUR) == read("(rate >= 6% or score > 3) and days_past_due <= 0", EUR)
    assert read("everything", EUR) == Criteria(((ON_TIME,),))


def test_what_says_something_of_days_past_due_is_taken_at_its_word():
    assert read("rate >= 6% or days_past_due between 1 and 5", EUR).any_of == (
        (Predicate("days_past_due", low=1, high=5),),
        (Predicate("rate", low=60_000),),
    )
    assert read("days_past_due >= 0", EUR) == Criteria(((Predicate("days_past_due"),),))


def test_a_market_whose_products_have_no_attributes_has_criteria_all_the_same():
    assert read("everything", {}) == Criteria(((ON_TIME,),))


def test_criteria_are_told_in_both_forms_as_they_can_be_sent_again():
    text = (
        "country in (DE, EE) and rate between 6% and 12.5% but not when purpose = 'a \"b\"' or issued < 2026-01-31 or outstanding <= 99.50"
    )
    criteria = read(text, EUR)
    assert wording.text(criteria, EUR) == (
        "country in (DE, EE) and days_past_due <= 0 and issued >= 2026-01-31 and outstanding >= 99.51 "
        'and purpose != "a \\"b\\"" and rate between 6% and 12.5%'
    )
    told = wording.form(criteria, EUR)
    assert {"attribute": "rate", "at_least": "0.06", "at_most": "0.125"} in told["all"]
    assert read(json.loads(json.dumps(told)), EUR) == read(wording.text(criteria, EUR), EUR) == criteria


def test_criteria_on_what_the_market_has_no_more_are_told_all_the_same():
    criteria = Criteria(((Predicate("gone", low=3), Predicate("rate", high=60_000)),))
    assert wording.text(criteria, EUR) == "gone >= 3 and rate <= 6%"
    assert wording.text(Criteria(), EUR) == "everything"
    assert wording.text(Criteria(()), EUR) == "not everything"
