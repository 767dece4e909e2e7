"""Proof of schedules: the `schedule_proof` of a product. A schedule that names one of its conventions is computed again and compared.

`conventions` are as `amortisation` is, by the names by which documents call them. A principal or interest part may be off by
`tolerance_cents`; a due day may not be off at all.
"""

from collections.abc import Iterator
from typing import Annotated

import msgspec

from schemas import amortisation
from schemas.amortisation import KINDS, OWN_SCHEDULE, Amortisation

Name = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9_-]{1,64}\Z")]


class ScheduleProof(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """By which conventions schedules are computed again, and how far off they may be."""

    conventions: Annotated[dict[Name, Amortisation], msgspec.Meta(min_length=1, max_length=50)]
    tolerance_cents: Annotated[int, msgspec.Meta(ge=0, le=100_000)] = 0


def faults(said: ScheduleProof) -> Iterator[tuple[str, str]]:
    """What is wrong: the field, by its path in the file, and why."""
    for name, terms in said.conventions.items():
        path = f"schedule_proof.conventions.{name}"
        if terms.kind == OWN_SCHEDULE:
            yield f"{path}.kind", f"{OWN_SCHEDULE!r} is what is to be proved; one of {', '.join(KINDS)}"
        yield from amortisation.faults(terms, path)
