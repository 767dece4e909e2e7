"""How a product grades its assets: one of `scorecard`, `logistic` and `grades` in its file, and the `groups`. `agents/assessor` does.

Each comes to a score, a whole number; more is better. What an originator does not say has its own place in each, `missing`: no hole is left
in which a wrong number could come about.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Final

import msgspec

from schemas import curves, pricing
from schemas.asset import Kind
from schemas.repeated import repeated

Points = Annotated[int, msgspec.Meta(ge=-1_000_000, le=1_000_000)]
ODDS_MAX: Final = 10**9  # millionths of log-odds: a thousand of them is beyond any loan, and a hundred terms of so much fit int64
Odds = Annotated[int, msgspec.Meta(ge=-ODDS_MAX, le=ODDS_MAX)]
Within = Annotated[int, msgspec.Meta(ge=-(10**9), le=10**9)]  # times a weight it fits int64
Whole = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
Score = Annotated[int, msgspec.Meta(ge=-(2**61), le=2**61)]  # the difference of two fits int64


class Band(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Points for a number: those of the first band whose `below` exceeds the value; the last band has none and takes the rest."""

    points: Points
    below: Whole | None = None


class Attribute(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of a scorecard: points by `bands` of a numeric column, or by `values` of a text column; `missing` for null or unlisted."""

    column: str
    missing: Points
    bands: tuple[Band, ...] = ()
    values: dict[str, Points] = {}


class Term(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One term of a logistic model, in millionths of log-odds of not being repaid.

    Of a number it is `weight` for each `per` units of its column, the value taken within `low` and `high`, down to the next whole one;
    of a text that of `values`. `missing` for null or unlisted.
    """

    column: str
    missing: Odds
    weight: Odds = 0
    per: Annotated[int, msgspec.Meta(ge=1, le=10**9)] = 1
    low: Within = 0
    high: Within = 0
    values: dict[str, Odds] = {}


class Logistic(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A logistic model: log-odds of not being repaid are `intercept` and all terms; the score is the same with the other sign.

    A score of 2,197,225 is a probability of not being repaid of 10 %: 1 / (1 + exp(score / 1,000,000)). Whole numbers, because a float's
    last digit differs between machines, and a loan at a group's boundary must be of one group on all of them.
    """

    intercept: Odds
    terms: Annotated[tuple[Term, ...], msgspec.Meta(min_length=1, max_length=100)]


class Grades(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The originator's own grade, `column`, to the name of a group: by `originators` where an originator has a scale of its own.

    `missing` is the group of a grade that is null or not listed. The score is that from which the group begins.
    """

    missing: str
    groups: dict[str, str] = {}
    originators: dict[str, dict[str, str]] = {}
    column: str = "grade"


class Group(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A risk group: from `from_score` points up, best group first, the last from the lowest score there is. `price_bp`: its sell price.

    `fee_bp` is what a buyer pays above that, where it is another than the product's.
    """

    name: Annotated[str, msgspec.Meta(min_length=1)]
    from_score: Score
    price_bp: Annotated[int, msgspec.Meta(ge=1, le=20_000)] = 10_000
    curve: curves.Curve = curves.NEVER
    fee_bp: pricing.Fee | None = None


def faults(
    scorecard: Sequence[Attribute], logistic: Logistic | None, grades: Grades | None, groups: Sequence[Group], columns: Mapping[str, Kind]
) -> Iterator[tuple[str, str]]:
    """What is wrong: the field, by its path in the file, and why. `columns` are those that a model may use."""
    if bool(scorecard) + (logistic is not None) + (grades is not None) != 1:
        yield "scorecard", "exactly one of scorecard, logistic, grades"
    if not groups:
        yield "groups", "at least one"
    if not _ascending([group.from_score for group in groups][::-1]):
        yield "groups", "best first, no two from the same score"
    for name in repeated(group.name for group in groups):
        yield "groups", f"{name!r} is defined twice"
    for place, group in enumerate(groups):
        yield from ((f"groups[{place}].curve.{path}", message) for path, message in curves.faults(group.curve))
    for column in repeated(line.column for line in scorecard):
        yield "scorecard", f"{column} is there twice"
    for place, line in enumerate(scorecard):
        yield from ((f"scorecard[{place}]", f"{line.column}: {message}") for message in _faults(line, columns))
    if logistic:
        for column in repeated(term.column for term in logistic.terms):
            yield "logistic.terms", f"{column} is there twice"
        for place, term in enumerate(logistic.terms):
            yield from ((f"logistic.terms[{place}]", f"{term.column}: {message}") for message in _of_term(term, columns))
    if grades:
        yield from _of_grades(grades, {group.name for group in groups}, columns)


def _of_term(term: Term, columns: Mapping[str, Kind]) -> Iterator[str]:
    if term.column not in columns:
        yield f"no such column; there are {', '.join(columns)}"
    elif bool(term.values) == bool(term.weight):
        yield "either weight or values"
    elif bool(term.values) != (columns[term.column] is Kind.TEXT):
        yield "a text column has values, a numeric column has a weight"
    elif term.weight and term.low >= term.high:
        yield "low must be below high: the value is taken within them"
    elif max(abs(term.weight * end) // term.per for end in (term.low, term.high)) > ODDS_MAX:
        yield f"at low or high it comes to more than {ODDS_MAX:,}"


def _of_grades(grades: Grades, names: set[str], columns: Mapping[str, Kind]) -> Iterator[tuple[str, str]]:
    if columns.get(grades.column) is not Kind.TEXT:
        yield "grades.column", f"{grades.column!r} is no text column"
    if not grades.groups and not grades.originators:
        yield "grades.groups", "at least one grade"
    said = [("grades.missing", grades.missing), *((f"grades.groups.{grade}", name) for grade, name in grades.groups.items())]
    said += [(f"grades.originators.{who}.{grade}", name) for who, own in grades.originators.items() for grade, name in own.items()]
    yield from ((path, f"{name!r} is no group; there are {', '.join(sorted(names))}") for path, name in said if name not in names)


def _faults(line: Attribute, columns: Mapping[str, Kind]) -> Iterator[str]:
    if line.column not in columns:
        yield f"no such column; there are {', '.join(columns)}"
    elif bool(line.bands) == bool(line.values):
        yield "either bands or values"
    elif bool(line.values) != (columns[line.column] is Kind.TEXT):
        yield "a text column has values, a numeric column has bands"
    below = [band.below for band in line.bands[:-1] if band.below is not None]
    if line.bands and (len(below) != len(line.bands) - 1 or line.bands[-1].below is not None):
        yield "only the last band is open"
    elif not _ascending(below):
        yield "each band's below must be above the one before"


def _ascending(numbers: list[int]) -> bool:
    return all(low < high for low, high in pairwise(numbers))
