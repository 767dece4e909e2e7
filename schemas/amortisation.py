"""How a product's assets are repaid: the `amortisation` of its file. `agents/assessor` computes by it."""

from collections.abc import Iterator
from typing import Final

import msgspec

ANNUITY, BULLET = "annuity", "bullet"
KINDS: Final = frozenset({ANNUITY, BULLET})
ROUNDINGS: Final = frozenset({"up"})


class Amortisation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`annuity`: equal monthly instalments; `bullet`: all of it, interest included, with the last."""

    kind: str
    rounding: str  # of the instalment: "up" to the next cent


def faults(said: Amortisation) -> Iterator[tuple[str, str]]:
    """What is wrong: the field, by its path in the file, and why."""
    if said.kind not in KINDS:
        yield "amortisation.kind", f"{said.kind!r} is none of {', '.join(sorted(KINDS))}"
    if said.rounding not in ROUNDINGS:
        yield "amortisation.rounding", f"{said.rounding!r} is none of {', '.join(sorted(ROUNDINGS))}"
