"""What becomes of the loans of a risk group month by month: the `curve` of a group. `agents/assessor` weighs cash flows by it."""

from collections.abc import Iterator
from typing import Annotated, Final

import msgspec

MONTHS_MAX: Final = 600  # entries of a curve: the longest term there is
PPM: Final = 1_000_000

Share = Annotated[int, msgspec.Meta(ge=0, le=PPM)]  # parts per million
Shares = Annotated[tuple[Share, ...], msgspec.Meta(max_length=MONTHS_MAX)]


class Curve(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Monthly defaults and prepayments in parts per million of the loans that are alive at the month's beginning.

    The first entry is the month after the issue; the last one goes on; without entries there are none. These are the field's MDR and SMM:
    monthly default rate and single monthly mortality (SIFMA, Standard Formulas for the Analysis of Mortgage-Backed Securities, chapter SF).
    """

    default_ppm: Shares = ()
    prepayment_ppm: Shares = ()
    loss_given_default_ppm: Share = PPM  # of the balance at default
    recovery_months: Annotated[int, msgspec.Meta(ge=0, le=120)] = 0  # from the default to the day when the rest of it is recovered


NEVER: Final = Curve()  # of a group without a curve: no default, no prepayment


def faults(curve: Curve) -> Iterator[tuple[str, str]]:
    """What is wrong with a curve whose fields are each as they must be: the field, by its path in the curve, and why."""
    defaults, prepayments = curve.default_ppm, curve.prepayment_ppm
    for month in range(max(len(defaults), len(prepayments))):
        both = entry(defaults, month) + entry(prepayments, month)
        if both > PPM:
            longer = "default_ppm" if month < len(defaults) else "prepayment_ppm"
            yield f"{longer}[{month}]", f"defaults and prepayments of a month are {PPM} together at most, and these are {both}"
            return


def entry(shares: tuple[int, ...], month: int) -> int:
    """That of a month on book, from 0; the last one goes on."""
    return shares[min(month, len(shares) - 1)] if shares else 0
