"""What is to come of a loan by its originator's own schedule: one loan, line by line. What `agents/assessor/own.py` computes for many."""

from fractions import Fraction

from tests.oracles.dated import rounded


def to_come(terms, lines: list[tuple[int, int, int]], outstanding: int) -> tuple[int, list[tuple[int, int, int]]]:
    """How many of `lines` (due, principal, interest) are past, and the others as they are paid from now on."""
    if not outstanding:
        return len(lines), []
    openings = [sum(principal for _, principal, _ in lines[place:]) for place in range(len(lines))]
    spare = min(len(lines), (lines[0][1] + lines[0][2]) // 2)
    covering = [place for place, opening in enumerate(openings) if opening + spare >= outstanding]
    past = openings.index(openings[covering[-1]]) if covering else 0
    found, balance = [], outstanding
    for place in range(past, len(lines)):
        due, principal, interest = lines[place]
        if openings[place]:
            interest = rounded(Fraction(interest * balance, openings[place]), terms.interest_rounding)
        paid = balance if place == len(lines) - 1 else min(principal, balance)
        found.append((due, paid, interest))
        balance -= paid
    return past, found
