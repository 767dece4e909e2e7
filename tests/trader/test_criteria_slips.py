"""What is said to those who slip in their criteria: why, and where."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agents.trader.criteria import read
from agents.trader.expression import DEPTH_MAX, CriteriaError
from agents.trader.language import TEXT_BYTES_MAX
from schemas.catalog import attributes_of
from tests.invoices import catalog

CATALOG = catalog()
EUR = attributes_of("EUR", CATALOG.products.values(), CATALOG.originators)


def slip(criteria):
    """What is wrong with criteria; None if they are taken."""
    try:
        read(criteria, EUR)
    except CriteriaError as found:
        return found
    return None


@pytest.mark.parametrize(
    ("text", "line", "column", "mark", "why"),
    [
        ("rat >= 6%", 1, 1, "rat", "'rat' is no attribute of this market; did you mean rate?"),
        ("Rate >= 6%", 1, 1, "Rate", "'Rate' is no attribute of this market; did you mean rate"),
        ("zzz = 1", 1, 1, "zzz", "'zzz' is no attribute of this market; there are borrower_debt_ratio, "),
        ("country = DE and\n  borrower_hom = rent", 2, 3, "borrower_hom", "'borrower_hom' is no attribute of this market; did you mean "),
        ("rate >= A", 1, 9, "A", "rate is a share, such as 6% or 0.06, with at most six decimals as a fraction; this is 'A'"),
        ("rate >= 6", 1, 9, "6", "6 without % is 600%; write 6%, or 600% if that is meant"),
        ("rate >= 200.1%", 1, 9, "200.1%", "rate is 0% to 200%"),
        ("rate = 6.00001%", 1, 8, "6.00001%", "rate is a share"),
        ("outstanding > 5%", 1, 15, "5%", "outstanding is an amount with at most two decimals"),
        ("outstanding > 0.001", 1, 15, "0.001", "outstanding is an amount with at most two decimals"),
        ("outstanding > 1.0000000000001", 1, 15, "1.0000000000001", "outstanding is an amount with at most two decimals"),
        ("score = 1.5", 1, 9, "1.5", "score is a whole number; this is '1.5'"),
        ("score = '1'", 1, 9, "'1'", "score is a whole number; this is '1'"),
        ("issued > 36", 1, 10, "36", "issued is a day, such as 2026-01-31; this is '36'"),
        ("issued > 2026-02-30", 1, 10, "2026-02-30", "issued is a day"),
        ("grade = 1", 1, 9, "1", 'grade is a text: write "1"'),
        ("grade > A", 1, 1, "grade", "grade is a text: ask for it with =, !=, in, not in or is known"),
        ("risk_group in (A, Z)", 1, 19, "Z", "risk_group is never 'Z'; there are A, B, C, D, E, F"),
        ("originator = blubird", 1, 14, "blubird", "originator is never 'blubird'; did you mean bluebird?"),
        ("industry = 'retale'", 1, 12, "'retale'", "industry is never 'retale'; did you mean retail?"),
        ("country = Germany", 1, 11, "Germany", "'Germany': a country is two capital letters, such as DE"),
        ("purpose = ''", 1, 11, "''", "a text must be 1 to 256 bytes, and printable"),
        ("rate between 6% and 5%", 1, 14, "6%", "no rate is between 6% and 5%: the range is empty"),
        ("days_past_due < 0", 1, 17, "0", "no days_past_due is < 0: the range is empty"),
        ("country in ()", 1, 13, ")", "')' cannot stand here; here can stand a value"),
        ("country in DE", 1, 12, "DE", "'DE' cannot stand here; here can stand ("),
        ("rate >= 6% rate", 1, 12, "rate", "'rate' cannot stand here; here can stand and, or, but not when or the end"),
        ("rate", 1, 5, "", "the criteria end too early; here can stand not, =, !=, <, <=, >, >=, between, in or is known"),
        ("(rate > 6%", 1, 11, "", "the criteria end too early; here can stand and, or, but not when or )"),
        ("purpose = ärger", 1, 11, "ä", "'ä' cannot stand here; a number is as 36 or 0.06, and a text of other than"),
        ("purpose = 'x", 1, 11, "'x", "a text that begins with a quote must end with it, on the same line"),
        ("purpose = and", 1, 11, "and", "'and' cannot stand here; here can stand a value"),
        ("", 1, 1, "", "the criteria end too early; here can stand an attribute, not or ("),
        ("not " * 40 + "rate > 6%", 1, 161, "rate", f"the criteria are nested deeper than {DEPTH_MAX} levels"),
    ],
)
def test_a_slip_is_told_with_line_and_column_and_marked(text, line, column, mark, why):
    found = slip(text)
    assert found.why.startswith(why)
    assert (found.line, found.column) == (line, column)
    shown, marks = found.shown.split("\n")
    assert shown[marks.index("^") :].startswith(mark)
    assert marks.count("^") == max(1, len(mark))


def test_of_a_long_line_the_part_around_the_slip_is_shown():
    found = slip("rate > 1% and " * 100 + "zzz = 1" + " and rate > 1%" * 100)
    shown, marks = found.shown.split("\n")
    assert len(shown) <= 120
    assert shown[marks.index("^") :].startswith("zzz")
    assert found.column == 1401


@pytest.mark.parametrize(
    ("given", "path", "why"),
    [
        (7, "", "must be an object: "),
        ({}, "", "must be an object: "),
        ({"all": {}}, "", "must be an object: "),
        ({"all": [], "any": []}, "", "must be an object: "),
        ({"any": [{"all": [{"not": 3}]}]}, ".any[0].all[0].not", "must be an object: "),
        ({"attribute": 3, "is": 3}, ".attribute", "must be an attribute's name"),
        ({"attribute": "rat", "is": 3}, ".attribute", "'rat' is no attribute of this market; did you mean rate?"),
        ({"attribute": "rate"}, "", "must have, besides the attribute, one of is, is_not, "),
        ({"attribute": "rate", "above": 0, "below": 1}, "", "must have, besides the attribute, one of is, is_not, "),
        ({"attribute": "rate", "over": 1}, "", "must have, besides the attribute, one of is, is_not, "),
        (
            {"attribute": "rate", "above": 0.06},
            ".above",
            'must be a text or a whole number; a number with decimals is written as a text, as "0.06"',
        ),
        ({"attribute": "rate", "above": True}, ".above", "must be a text or a whole number"),
        ({"attribute": "rate", "at_least": "6%", "at_most": "5%"}, ".at_least", "no rate is between 6% and 5%: the range is empty"),
        ({"attribute": "grade", "in": []}, ".in", "must be a list of at least one value"),
        ({"attribute": "grade", "in": ["A", 1]}, ".in[1]", 'grade is a text: write "1"'),
        ({"attribute": "grade", "known": False}, ".known", "must be true: "),
        ({"attribute": "score", "is": "9" * 4000}, ".is", "score is a whole number; this is '999"),
        ({"attribute": "issued", "is": "20260131"}, ".is", "issued is a day"),
        ({"attribute": "grade", "in": [f"g{n}" for n in range(1001)]}, "", "the criteria have 1001 values; at most 1000"),
    ],
)
def test_a_slip_in_json_is_told_with_its_path(given, path, why):
    found = slip(given)
    assert found.why.startswith(why)
    assert (found.path, found.line, found.shown) == (path, 0, "")
    assert len(str(found)) < 400


def test_depth_and_size_are_bounded():
    deep = {"attribute": "rate", "above": "6%"}
    for _ in range(DEPTH_MAX):
        deep = {"not": deep}
    assert slip(deep).why == f"the criteria are nested deeper than {DEPTH_MAX} levels"
    assert slip("rate > 6%" + " " * TEXT_BYTES_MAX).why == f"the criteria have {TEXT_BYTES_MAX + 9} bytes; at most {TEXT_BYTES_MAX}"
    assert slip("(" * 1500 + "rate > 6%" + ")" * 1500) is None, "brackets alone are no depth"


def test_criteria_that_nothing_can_fulfil_are_refused():
    for text in ("rate > 6% and rate < 5%", "not everything", "grade = A and grade = B", "not (grade is known)"):
        assert slip(text).why == "the criteria take nothing: what they ask contradicts itself"


WORDS = [
    *EUR,
    *"=<>(),%'\"",
    ">=",
    "!=",
    "6%",
    "0.06",
    "36",
    "2026-01-31",
    "A",
    "DE",
    "and",
    "or",
    "not",
    "but",
    "when",
    "in",
    "is",
    "known",
]


@given(st.text() | st.lists(st.sampled_from([*WORDS, "between", "everything", "\n"])).map(" ".join))
@example("\ud800")
@example("rate = \u0661%")
def test_any_text_is_criteria_or_a_slip_at_a_place_of_it(text):
    found = slip(text)
    assert found is None or (found.line <= text.count("\n") + 1 and found.column <= len(text) + 1)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda part: (
        st.lists(part, max_size=3)
        | st.dictionaries(st.sampled_from(["all", "any", "not", "attribute", "is", "in", "known", "x"]), part, max_size=3)
    ),
    max_leaves=6,
)


@given(JSON)
def test_any_json_is_criteria_or_a_slip(given):
    found = slip(given)
    assert found is None or str(found)
