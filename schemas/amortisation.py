"""How a product's assets are repaid: the `amortisation` of its file. `agents/assessor` computes by it."""

from collections.abc import Iterator
from typing import Final

import msgspec

ANNUITY, EQUAL_PRINCIPAL, INTEREST_ONLY, BULLET = "annuity", "equal_principal", "interest_only", "bullet"
KINDS: Final = (ANNUITY, EQUAL_PRINCIPAL, INTEREST_ONLY, BULLET)
UP, HALF_UP, HALF_EVEN, DOWN = "up", "half_up", "half_even", "down"
ROUNDINGS: Final = (UP, HALF_UP, HALF_EVEN, DOWN)


class Amortisation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is paid each month.

    - `annuity`: the same every month, interest and principal together; without interest the principal in equal parts.
    - `equal_principal`: the same principal every month, and the interest on what was still owed.
    - `interest_only`: the interest, and all the principal with the last.
    - `bullet`: nothing, and with the last the principal and all its interest.

    `rounding` is that of the annuity's instalment, of the monthly principal, or of the bullet's interest; `interest_rounding` that of a
    month's interest otherwise. Both are to the cent. The last instalment takes what is left over.
    """

    kind: str
    rounding: str
    interest_rounding: str = HALF_UP


def faults(said: Amortisation) -> Iterator[tuple[str, str]]:
    """What is wrong: the field, by its path in the file, and why."""
    for name, allowed in (("kind", KINDS), ("rounding", ROUNDINGS), ("interest_rounding", ROUNDINGS)):
        value = getattr(said, name)
        if value not in allowed:
            yield f"amortisation.{name}", f"{value!r} is none of {', '.join(allowed)}"
