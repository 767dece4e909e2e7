"""A portfolio's limits of rate, term and days past due: predicates that go into the criteria of each of its buckets. Pure."""

from typing import Final

from schemas.attributes import DAYS_PAST_DUE, RATE, TERM_MONTHS
from schemas.criteria import NUMBER_END, Conjunction, Predicate
from schemas.events import Portfolio

NAMES: Final = ("rate_ppm_min", "term_months_max", "days_past_due_max")


def predicates(portfolio: Portfolio) -> Conjunction:
    """Those that the portfolio has."""
    low, months, days = (getattr(portfolio, name) for name in NAMES)
    every = (Predicate(DAYS_PAST_DUE, high=days), Predicate(RATE, low=low), Predicate(TERM_MONTHS, high=months))
    return tuple(one for one in every if (one.low, one.high) != (None, None))


def fault(portfolio: Portfolio) -> str:
    """The first that is no bound, empty if there is none."""
    for name in NAMES:
        given = getattr(portfolio, name)
        if given is not None and not 0 <= given < NUMBER_END:
            return f"{name}: {given}; must be 0 or more, and below {NUMBER_END}"
    return ""
