"""Agreements: what must be signed before assets of a product are sent, and before they are bought.

A product's file names what it needs (`agreements`); `originators.yaml` and `investors.yaml` list what each has signed, and on which day:
that is for the record, no clock decides. Who is in no file has signed nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Annotated, Final, Protocol

import msgspec

from schemas.repeated import repeated

AGREEMENTS_MAX: Final = 50  # that one needs, or has signed: each buy offer says them all

Name = Annotated[str, msgspec.Meta(pattern=r"\A[a-z0-9][a-z0-9.-]{0,63}\Z")]
Names = Annotated[tuple[Name, ...], msgspec.Meta(max_length=AGREEMENTS_MAX)]
Signed = Annotated[dict[Name, date], msgspec.Meta(max_length=AGREEMENTS_MAX)]  # the day of each


class Needed(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a product needs: of an originator to sell its assets, of an investor to buy them."""

    originator: Names = ()
    investor: Names = ()


class Signer(Protocol):
    """Who signs: an originator or an investor of the catalog."""

    @property
    def agreements(self) -> Mapping[str, date]: ...


Signers = Mapping[str, Signer]  # by id


def signed(who: str, listed: Signers) -> tuple[str, ...]:
    """What somebody has signed, in alphabetical order."""
    return tuple(sorted(listed[who].agreements)) if who in listed else ()


def lacking(needed: Sequence[str], who: str, listed: Signers) -> tuple[str, ...]:
    """What somebody needs and has not signed, in the product's order."""
    return tuple(name for name in needed if who not in listed or name not in listed[who].agreements)


def faults(needed: Needed) -> Iterator[tuple[str, str]]:
    """What is wrong: the field, by its path in the file, and why."""
    for who in needed.__struct_fields__:
        for name in repeated(getattr(needed, who)):
            yield f"agreements.{who}", f"{name!r} is there twice"
