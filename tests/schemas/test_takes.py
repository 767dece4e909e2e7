"""Criteria in normal form: what they take, and what is none."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.trader import gap
from schemas.criteria import CONJUNCTIONS_MAX, NUMBER_END, VALUES_MAX, Criteria, Predicate, fault, takes
from schemas.events import Bucket, Portfolio
from streams.dry_run.asked import Asked

RATE, GROUP = Predicate("rate", low=10, high=20), Predicate("group", ("A", "B"))


@pytest.mark.parametrize(
    ("predicate", "taken", "not_taken"),
    [
        (RATE, [10, 15, 20], [9, 21, "A", None]),
        (Predicate("rate", low=10), [10, 99], [9, None]),
        (Predicate("rate", high=20), [-5, 20], [21, None]),
        (Predicate("rate"), [-5, 0], ["A", None]),
        (Predicate("rate", ("A", "B")), ["A", "B"], ["C", 0, None]),
        (Predicate("rate", ("A", "B"), excluded=True), ["C", ""], ["A", 0, None]),
        (Predicate("rate", excluded=True), ["C"], [0, None]),
    ],
)
def test_a_predicate_is_fulfilled_by_what_the_offer_says(predicate, taken, not_taken):
    criteria = Criteria(((predicate,),))
    assert all(takes(criteria, {"rate": value}) for value in taken)
    assert not any(takes(criteria, {} if value is None else {"rate": value}) for value in not_taken)


def test_all_of_one_alternative_must_be_fulfilled():
    criteria = Criteria(((GROUP, RATE), (Predicate("score", low=5),)))
    assert takes(criteria, {"group": "A", "rate": 15})
    assert not takes(criteria, {"group": "A", "rate": 9})
    assert takes(criteria, {"score": 5})
    assert takes(Criteria(), {})
    assert not takes(Criteria(()), {"score": 5})


PREDICATES = st.one_of(
    st.builds(Predicate, st.sampled_from("ab"), low=st.none() | st.integers(0, 2), high=st.none() | st.integers(1, 3)),
    st.builds(Predicate, st.sampled_from("ab"), st.sampled_from([(), ("x",), ("x", "y")]), st.booleans()),
)
OFFERS = [
    {name: value for name, value in (("a", a), ("b", b)) if value is not None} for a, b in product([None, 0, 1, 2, 3, *"xyz"], repeat=2)
]


@given(st.lists(st.lists(PREDICATES, max_size=3).map(tuple), max_size=3).map(tuple))
def test_many_offers_at_once_are_taken_as_each_alone(any_of):
    criteria = Criteria(any_of)
    assert np.array_equal(Asked(OFFERS).taken(criteria), [takes(criteria, offer) for offer in OFFERS])


@pytest.mark.parametrize(
    ("any_of", "why"),
    [
        (((RATE,), (GROUP,)), "the conjunctions are not sorted, or one is there twice"),
        (((RATE,), (RATE,)), "the conjunctions are not sorted, or one is there twice"),
        (((RATE, GROUP),), "the predicates of a conjunction are not sorted by attribute, or two are on one"),
        (((RATE, RATE),), "the predicates of a conjunction are not sorted by attribute, or two are on one"),
        (((Predicate("group", ("B", "A")),),), "'group': the values are not sorted, or one is there twice"),
        (((Predicate("group", ("A", "A")),),), "'group': the values are not sorted, or one is there twice"),
        (((Predicate("group", ("A",), low=3),),), "'group': has values and bounds"),
        (((Predicate("group", excluded=True, low=3),),), "'group': has values and bounds"),
        (((Predicate("rate", low=3, high=2),),), "'rate': the bounds are in the wrong order, or beyond"),
        (((Predicate("rate", high=NUMBER_END),),), "'rate': the bounds are in the wrong order, or beyond"),
        (((Predicate("", high=1),),), "'': the name of an attribute has 1 to 81 characters"),
        (((Predicate("n" * 82, high=1),),), "the name of an attribute has 1 to 81 characters"),
        (((Predicate("group", ("é" * 129,)),),), "'group': a value longer than 256 bytes"),
        (((Predicate("group", tuple(f"{n:04}" for n in range(VALUES_MAX + 1))),),), "more than 1000 values"),
        (tuple((Predicate("rate", low=n),) for n in range(CONJUNCTIONS_MAX + 1)), "more than 64 conjunctions"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_what_is_not_in_normal_form_is_told_and_not_traded(any_of, why):
    assert why in fault(Criteria(any_of))
    portfolio = Portfolio("p", "ann", 1, "EUR", 1_000, (Bucket("b", 100, Criteria(any_of)),), 500)
    assert gap.fault(portfolio, ("EUR",)).startswith("buckets: b: criteria: ")


def test_what_is_in_normal_form_has_no_fault():
    assert fault(Criteria()) == fault(Criteria(())) == ""
    assert fault(Criteria(((GROUP, RATE), (Predicate("rate"),), (Predicate("rate", low=3),)))) == ""
    assert fault(Criteria(tuple((Predicate("rate", low=n),) for n in range(CONJUNCTIONS_MAX)))) == ""
