"""A loan by months, in Decimal: slow and plain. What `agents/assessor/cashflow.py` computes for many loans at a time."""

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal, localcontext
from typing import Final

from schemas.amortisation import Amortisation

MODES: Final = {"up": ROUND_CEILING, "down": ROUND_FLOOR, "half_up": ROUND_HALF_UP, "half_even": ROUND_HALF_EVEN}
CENT: Final = Decimal(1)
DIGITS: Final = Context(prec=80)
NOTHING: Final = Decimal("1e-45")  # what is so close to a boundary lies on it: a power is not exact in any number of digits


def rounded(exact: Decimal, mode: str) -> Decimal:
    """To whole cents."""
    at_boundary = (exact * 2).quantize(CENT, ROUND_HALF_UP) / 2
    return (at_boundary if abs(exact - at_boundary) < NOTHING else exact).quantize(CENT, MODES[mode])


def schedule(terms: Amortisation, principal: int, rate: int, months: int) -> list[tuple[int, int]]:
    """Interest and principal of each instalment; principal in cents, rate in parts per million a year."""
    with localcontext(DIGITS):
        i, balance, found = Decimal(rate) / 12_000_000, Decimal(principal), []
        if terms.kind == "bullet":
            interest = rounded(Decimal(principal) * rate * months / 12_000_000, terms.rounding)
            return [(0, 0)] * (months - 1) + [(int(interest), principal)]
        annuity = terms.kind == "annuity"
        exact = principal * i / (1 - (1 + i) ** -months) if rate and annuity else Decimal(principal) / months
        regular = max(rounded(exact, terms.rounding), CENT)
        for month in range(1, months + 1):
            owed = rounded(balance * rate / 12_000_000, terms.interest_rounding)
            wanted = max(regular - owed, Decimal(0)) if annuity else regular if terms.kind == "equal_principal" else Decimal(0)
            paid = balance if month == months else min(wanted, balance)
            found.append((int(owed), int(paid)))
            balance -= paid
        return found
