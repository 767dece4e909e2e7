"""What a product takes: the `limits` of its file. A document outside of them is refused with its field and reason, as any bad document."""

from collections.abc import Iterator
from typing import Annotated, Final

import msgspec

from schemas.asset import CENTS_MAX, LOAN

_FIELDS: Final = {field.column: field for field in LOAN}

Rate = Annotated[int, msgspec.Meta(ge=0, le=_FIELDS["rate"].high)]
Months = Annotated[int, msgspec.Meta(ge=1, le=_FIELDS["term_months"].high)]
Cents = Annotated[int, msgspec.Meta(ge=1, le=CENTS_MAX)]


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Bounds, both included; None: those of `schemas/asset.py`."""

    rate_ppm_min: Rate | None = None
    rate_ppm_max: Rate | None = None
    term_months_min: Months | None = None
    term_months_max: Months | None = None
    principal_cents_min: Cents | None = None
    principal_cents_max: Cents | None = None

    def bounds(self) -> Iterator[tuple[str, int, int]]:
        """Each column that has a limit, with its least and its most."""
        for column, unit in (("rate", "rate_ppm"), ("term_months", "term_months"), ("principal", "principal_cents")):
            low, high = getattr(self, f"{unit}_min"), getattr(self, f"{unit}_max")
            if low is not None or high is not None:
                field = _FIELDS[column]
                yield column, field.low if low is None else low, field.high if high is None else high


def faults(limits: Limits) -> Iterator[tuple[str, str]]:
    """What is wrong: the field, by its path in the file, and why."""
    for column, low, high in limits.bounds():
        if low > high:
            unit = next(name for name in limits.__struct_fields__ if name.startswith(column))
            yield f"limits.{unit}", f"{low} must not be above {unit.removesuffix('_min')}_max, {high}"
