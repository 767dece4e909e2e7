"""How a product's assets are repaid: the `amortisation` of its file. `agents/assessor` computes by it."""

from collections.abc import Iterator
from datetime import date
from typing import Annotated, Final, Literal

import msgspec

ANNUITY, EQUAL_PRINCIPAL, INTEREST_ONLY, BULLET = "annuity", "equal_principal", "interest_only", "bullet"
OWN_SCHEDULE: Final = "own_schedule"
KINDS: Final = (ANNUITY, EQUAL_PRINCIPAL, INTEREST_ONLY, BULLET)  # that can be computed
UP, HALF_UP, HALF_EVEN, DOWN = "up", "half_up", "half_even", "down"
ROUNDINGS: Final = (UP, HALF_UP, HALF_EVEN, DOWN)


ACT_365F, ACT_360, ACT_ACT_ISDA = "ACT/365F", "ACT/360", "ACT/ACT ISDA"
THIRTY_360_US, THIRTY_E_360, THIRTY_E_360_ISDA = "30/360 US", "30E/360", "30E/360 ISDA"
DAY_COUNTS: Final = (ACT_365F, ACT_360, ACT_ACT_ISDA, THIRTY_360_US, THIRTY_E_360, THIRTY_E_360_ISDA)
EVERY_MONTHS: Final = (1, 2, 3, 4, 6, 12)
EVERY_WEEKS: Final = (1, 2, 4)
ROLLS: Final[dict[str, Literal["following", "modifiedfollowing", "preceding", "modifiedpreceding"]]] = {  # a product's words -> numpy's
    "following": "following", "modified_following": "modifiedfollowing",
    "preceding": "preceding", "modified_preceding": "modifiedpreceding",
}  # fmt: skip


class Amortisation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is paid with each instalment, and when.

    - `annuity`: the same each time, interest and principal together; without interest the principal in equal parts.
    - `equal_principal`: the same principal each time, and the interest on what was still owed.
    - `interest_only`: the interest, and all the principal with the last.
    - `bullet`: nothing, and with the last the principal and all its interest.
    - `own_schedule`: what the `schedule` of the document says, and when it says.

    `rounding` is that of the annuity's instalment, of the equal principal, or of the bullet's interest; `interest_rounding` that of a
    period's interest otherwise. Both are to the cent. The last instalment takes what is left over.

    Without `day_count` an instalment is due each month, and its interest is a twelfth of the year's. With it, interest is by the days
    between due days, which are every so many months or weeks; what of the term is left at its end is a shorter period. `end_of_month`: a
    loan of a month's last day is due on each month's last. `business_days` moves a due day off weekends and `holidays`, and interest too.
    """

    kind: str
    rounding: str
    interest_rounding: str = HALF_UP
    day_count: str | None = None
    every_months: int = 1
    every_weeks: int | None = None
    end_of_month: bool = False
    business_days: str | None = None
    holidays: Annotated[tuple[date, ...], msgspec.Meta(max_length=5_000)] = ()


def faults(said: Amortisation, path: str = "amortisation") -> Iterator[tuple[str, str]]:
    """What is wrong: the field, by its path in the file, and why; `path` is that of `said`."""
    allowed: dict[str, tuple[object, ...]] = {
        "kind": (*KINDS, OWN_SCHEDULE), "rounding": ROUNDINGS, "interest_rounding": ROUNDINGS, "every_months": EVERY_MONTHS,
        "day_count": (None, *DAY_COUNTS), "every_weeks": (None, *EVERY_WEEKS), "business_days": (None, *ROLLS),
    }  # fmt: skip
    for name, values in allowed.items():
        if getattr(said, name) not in values:
            listed = ", ".join(str(value) for value in values if value is not None)
            yield f"{path}.{name}", f"{getattr(said, name)!r} is none of {listed}"
    if said.kind == OWN_SCHEDULE and said.day_count is not None:
        yield f"{path}.day_count", "an own_schedule has its own due days and interest"
    if said.every_weeks is not None and said.every_months != 1:
        yield f"{path}.every_weeks", "either every_months or every_weeks"
    if said.holidays and said.business_days is None:
        yield f"{path}.holidays", "without business_days no due day is moved"
    if said.day_count is None:
        for name, plain in (("every_months", 1), ("every_weeks", None), ("end_of_month", False), ("business_days", None)):
            if getattr(said, name) != plain:
                yield f"{path}.{name}", f"needs a day_count: {', '.join(DAY_COUNTS)}"
