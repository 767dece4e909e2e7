"""A loan by days, in Python's fractions: slow, plain, exact. What `agents/assessor/dated.py` computes for many loans at a time."""

from datetime import date, timedelta
from fractions import Fraction

EPOCH = date(1970, 1, 1)


def rounded(exact: Fraction, mode: str) -> int:
    """To whole cents, without a float and without the product's code."""
    low, rest = exact.numerator // exact.denominator, exact - exact.numerator // exact.denominator
    if mode == "up":
        return low + (rest > 0)
    if mode == "down":
        return low
    if rest == Fraction(1, 2):
        return low + (1 if mode == "half_up" else low % 2)
    return low + (rest > Fraction(1, 2))


def part(convention: str, start: int, end: int, maturity: int) -> Fraction:
    """The part of a year, written down from the definitions day by day where they are by days."""
    first, last = EPOCH + timedelta(start), EPOCH + timedelta(end)
    if start == end:
        return Fraction(0)
    if convention == "ACT/365F":
        return Fraction(end - start, 365)
    if convention == "ACT/360":
        return Fraction(end - start, 360)
    if convention == "ACT/ACT ISDA":
        total = Fraction(0)
        for year in range(first.year, last.year + 1):
            days = (min(last, date(year + 1, 1, 1)) - max(first, date(year, 1, 1))).days
            total += Fraction(days, (date(year + 1, 1, 1) - date(year, 1, 1)).days)
        return total
    return Fraction(_thirties(convention, first, last, matures=end == maturity), 360)


def _thirties(convention: str, first: date, last: date, *, matures: bool) -> int:
    d1, d2 = first.day, last.day
    if convention == "30/360 US":
        if _ends_february(first) and _ends_february(last):
            d2 = 30
        if _ends_february(first):
            d1 = 30
        if d2 == 31 and d1 >= 30:
            d2 = 30
        d1 = min(d1, 30)
    else:
        isda = convention == "30E/360 ISDA"
        d1 = 30 if d1 == 31 or (isda and _ends_february(first)) else d1
        d2 = 30 if d2 == 31 or (isda and _ends_february(last) and not matures) else d2
    return 360 * (last.year - first.year) + 30 * (last.month - first.month) + d2 - d1


def _ends_february(day: date) -> bool:
    return day.month == 2 and (day + timedelta(1)).month == 3


def schedule(terms, principal: int, rate: int, issued: int, due: list[int]) -> list[tuple[int, int]]:
    """Interest and principal of each instalment, of a loan due on these days."""
    yearly, parts = Fraction(rate, 10**6), [part(terms.day_count, a, b, due[-1]) for a, b in zip([issued, *due], due, strict=False)]
    if terms.kind == "bullet":
        return [(0, 0)] * (len(due) - 1) + [(rounded(principal * yearly * sum(parts), terms.rounding), principal)]
    factor, worth = Fraction(1), Fraction(0)
    for one in parts:
        factor /= 1 + yearly * one
        worth += factor
    exact = principal / worth if terms.kind == "annuity" and rate else Fraction(principal, len(due))
    regular, balance, found = max(rounded(exact, terms.rounding), 1), principal, []
    for place, one in enumerate(parts):
        interest = rounded(balance * yearly * one, terms.interest_rounding)
        wanted = {"annuity": max(regular - interest, 0), "equal_principal": regular, "interest_only": 0}[terms.kind]
        paid = balance if place == len(due) - 1 else min(wanted, balance)
        found.append((interest, paid))
        balance -= paid
    return found
