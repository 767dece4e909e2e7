"""The normal form of criteria means what was asked, and is one for all who ask the same."""

from itertools import product

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from agents.trader import form, language, meaning, normal, wording
from agents.trader.expression import CriteriaError
from schemas.asset import Kind
from schemas.attributes import Attribute
from schemas.criteria import CONJUNCTIONS_MAX, Criteria, fault, takes

TEXTS, NUMBERS = "ABC", range(6)
ATTRIBUTES = {
    "g": Attribute("g", Kind.TEXT, "g"),
    "h": Attribute("h", Kind.TEXT, "h"),
    "n": Attribute("n", Kind.WHOLE, "n", 0, 5),
    "m": Attribute("m", Kind.WHOLE, "m", 0, 5),
}
EVERY = [  # assets, with and without each attribute
    {name: value for name, value in zip(ATTRIBUTES, values, strict=True) if value is not None}
    for values in product([*TEXTS, None], [*"AB", None], [*NUMBERS, None], [0, 3, None])
]
_values = st.lists(st.sampled_from(TEXTS), min_size=1, max_size=3)
_of_text = st.builds(lambda name, test: {"attribute": name, **test}, st.sampled_from("gh"), st.one_of(
    st.builds(lambda v: {"is": v}, st.sampled_from(TEXTS)), st.builds(lambda v: {"is_not": v}, st.sampled_from(TEXTS)),
    st.builds(lambda v: {"in": v}, _values), st.builds(lambda v: {"not_in": v}, _values), st.just({"known": True}),
))  # fmt: skip
_inner = st.integers(1, 4)
_of_number = st.builds(lambda name, test: {"attribute": name, **test}, st.sampled_from("nm"), st.one_of(
    *(st.builds(lambda v, test=test: {test: v}, _inner) for test in ("is", "is_not", "below", "at_most", "above", "at_least")),
    st.builds(lambda v: {"in": v}, st.lists(_inner, min_size=1, max_size=3)),
    st.builds(lambda a, b: {"at_least": min(a, b), "at_most": max(a, b)}, _inner, _inner), st.just({"known": True}),
))  # fmt: skip
_of_limit = st.builds(
    lambda name, test, v: {"attribute": name, test: v}, st.sampled_from("nm"), st.sampled_from(["at_least", "at_most"]), _inner
)
AT_LEAST_3 = {"attribute": "n", "at_least": 3}
A_FROM_1 = {"all": [{"attribute": "g", "is": "A"}, {"attribute": "n", "at_least": 1}]}
B_FROM_2 = {"all": [{"attribute": "g", "is": "B"}, {"attribute": "n", "at_least": 2}]}
EXPRESSIONS = st.recursive(
    _of_text | _of_number,
    lambda part: st.one_of(
        st.builds(lambda of: {"all": of}, st.lists(part, max_size=3)),
        st.builds(lambda of: {"any": of}, st.lists(part, max_size=3)),
        st.builds(lambda of: {"not": of}, part),
    ),
    max_leaves=8,
)


def says(expression, asset):
    """What the expression says of an asset: true, false, or None: unknown. Kleene's strong three-valued logic, as its tables have it."""
    match expression:
        case {"not": part}:
            found = says(part, asset)
            return None if found is None else not found
        case {"all": parts}:
            found = [says(part, asset) for part in parts]
            return False if False in found else None if None in found else True
        case {"any": parts}:
            found = [says(part, asset) for part in parts]
            return True if True in found else None if None in found else False
    value = asset.get(expression["attribute"])
    if value is None:
        return None
    tests = {
        "is": lambda v: value == v, "is_not": lambda v: value != v, "in": lambda v: value in v, "not_in": lambda v: value not in v,
        "below": lambda v: value < v, "at_most": lambda v: value <= v, "above": lambda v: value > v, "at_least": lambda v: value >= v,
        "known": lambda _: True,
    }  # fmt: skip
    return all(tests[name](v) for name, v in expression.items() if name != "attribute")


def normalised(node):
    return normal.normal(node, lambda ask: meaning.predicates(ask, ATTRIBUTES))


def of(expression) -> Criteria:
    try:
        return normalised(form.parse(expression))
    except CriteriaError:
        assume(False)


def in_other_words(expression, chance):
    """The same with other brackets, in another order, and with negations that undo each other."""
    match expression:
        case {"not": part}:
            said = {"not": in_other_words(part, chance)}
        case {"all": parts} | {"any": parts}:
            (name,) = expression
            parts = [in_other_words(part, chance) for part in parts]
            chance.shuffle(parts)
            if len(parts) > 1 and chance.random() < 0.5:
                parts = [{name: parts[:1]}, {name: parts[1:]}]
            if parts and chance.random() < 0.3:
                parts.append(chance.choice(parts))
            other = "any" if name == "all" else "all"
            said = {"not": {other: [{"not": part} for part in parts]}} if chance.random() < 0.3 else {name: parts}
        case _:
            said = dict(expression)
    return {"not": {"not": said}} if chance.random() < 0.3 else said


@given(EXPRESSIONS)
def test_it_takes_what_is_true_and_not_what_is_false_or_unknown(expression):
    criteria = of(expression)
    for asset in EVERY:
        assert takes(criteria, asset) == (says(expression, asset) is True)


@given(EXPRESSIONS, st.randoms())
def test_it_is_the_same_for_the_same_in_other_words(expression, chance):
    assert of(in_other_words(expression, chance)) == of(expression)


@given(EXPRESSIONS)
def test_it_is_in_the_form_that_its_readers_expect_and_its_own_normal_form(expression):
    criteria = of(expression)
    assert fault(criteria) == ""
    assert normalised(form.parse(wording.form(criteria, ATTRIBUTES))) == criteria


@example({"any": [A_FROM_1, B_FROM_2]}, [AT_LEAST_3])
@given(EXPRESSIONS, st.lists(_of_limit, max_size=2, unique_by=lambda one: one["attribute"]))
def test_within_limits_it_is_as_if_the_criteria_had_said_them(expression, limits):
    (all_of,) = of({"all": limits}).any_of
    found = normal.within(of(expression), all_of)
    assert found == of({"all": [expression, *limits]})
    assert fault(found) == ""
    for asset in EVERY:
        assert takes(found, asset) == all(says(one, asset) is True for one in (expression, *limits))


@given(EXPRESSIONS)
def test_as_text_it_is_read_again(expression):
    criteria = of(expression)
    assert normalised(language.parse(wording.text(criteria, ATTRIBUTES))) == criteria


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("g = A or g = B", "g in (B, A)"),
        ("not g = A", "g != A"),
        ("not g in (A, B) and g != C", "g not in (C, A, B)"),
        ("n > 2", "n >= 3"),
        ("n <= 0", "n = 0"),
        ("n between 0 and 5", "n is known"),
        ("n in (2, 3, 4)", "n between 2 and 4"),
        ("n <= 2 or n >= 3", "n is known"),
        ("n <= 2 or n <= 1", "n <= 2"),
        ("n = 1 or n = 1 and g = A", "n = 1"),
        ("g = A and (n = 1 or m = 1)", "g = A and n = 1 or m = 1 and g = A"),
        ("g = A but not when n = 1 or m = 1", "g = A and n != 1 and not m = 1"),
        ("g = A and g = B or n = 1", "n = 1"),
        ("g = A or g != A", "g is known"),
        ("everything or g = A", "everything"),
    ],
)
def test_equal_criteria_are_equal(one, other):
    assert normalised(language.parse(one)) == normalised(language.parse(other))


def test_different_criteria_are_not():
    assert normalised(language.parse("everything")) != normalised(language.parse("n is known"))


def test_a_contradiction_takes_nothing():
    assert normalised(language.parse("g = A and g = B")).any_of == ()


def test_alternatives_are_bounded():
    def alternatives(count):
        return " or ".join(f"n = {n % 6} and g = v{n} and h = v{n}" for n in range(count))

    assert len(normalised(language.parse(alternatives(CONJUNCTIONS_MAX))).any_of) == CONJUNCTIONS_MAX
    with pytest.raises(CriteriaError, match="65 alternatives; at most 64"):
        normalised(language.parse(alternatives(CONJUNCTIONS_MAX + 1)))


def test_values_are_bounded_as_they_stand_in_the_alternatives():
    listed = {"attribute": "g", "in": [f"v{n}" for n in range(600)]}
    twice = {"all": [listed, {"any": [{"attribute": "h", "is": "x"}, {"attribute": "n", "is": 1}]}]}
    assert len(normalised(form.parse(listed)).any_of) == 1
    with pytest.raises(CriteriaError, match="list 1201 values; at most 1000"):
        normalised(form.parse(twice))


def test_the_work_is_bounded():
    pairs = [f"(g != v{n} or h != w{n})" for n in range(12)]  # 4,096 ways to take one of each, and none includes another
    with pytest.raises(CriteriaError, match="too complex"):
        normalised(language.parse(" and ".join(pairs)))
