"""`tranche calibrate`: the curves of a product's risk groups from a loan tape, shown with what they rest on, and written into its file."""

import math
from datetime import date
from pathlib import Path
from typing import Final

from rich import box
from rich.table import Table

from agents.assessor.calibration import CalibrationError, Fitted, calibrate
from schemas.curves import PPM, Curve
from schemas.product import Product
from schemas.splice import with_curves
from streams import tapes
from streams.embedded.errors import UserError
from streams.terminal import plain, wide

SHOWN: Final = 3  # months of a curve that the table has


def main(
    file: Path,
    text: str,
    product: Product,
    path: Path | None,
    as_of: date | None,
    *,
    dry_run: bool,
    loss_given_default: float | None,
    recovery_months: int | None,
) -> None:
    """Fit, show, and write unless `dry_run`.

    Raises:
        UserError: the tape cannot be read or says too little, or the file cannot be written.
    """
    tape = tapes.load(product, path, as_of)
    try:
        fitted = calibrate(tape.watched, tape.group, len(product.groups))
    except CalibrationError as fault:
        raise UserError(f"{tape.name}: {fault}") from fault
    console = wide()
    console.print(table_of(product, fitted))
    curves = []
    for group, one in zip(product.groups, fitted, strict=True):
        loss = group.curve.loss_given_default_ppm if loss_given_default is None else round(loss_given_default * PPM)
        months = group.curve.recovery_months if recovery_months is None else recovery_months
        curves.append(
            Curve(default_ppm=one.default_ppm, prepayment_ppm=one.prepayment_ppm, loss_given_default_ppm=loss, recovery_months=months)
        )
    if dry_run:
        console.print(plain(f"{file} stays as it is."))
        return
    try:
        file.write_text(with_curves(str(file), text, curves))
    except OSError as fault:
        raise UserError(f"{file}: cannot be written: {fault.strerror}") from fault
    console.print(plain(f"{file}: the curves of {len(curves)} groups, version {product.version + 1}"))
    console.print(plain(f"Workers go by it after `tranche products publish {file}`."))


def table_of(product: Product, fitted: list[Fitted]) -> Table:
    """A line a group."""
    table = Table("group", box=box.SIMPLE_HEAD)
    for name in ("loans", "months", "defaults", "to all's", "95 %", "prepaid", "default, month 1 …", "prepayment, month 1 …"):
        table.add_column(name, justify="right", no_wrap=True)
    for group, one in zip(product.groups, fitted, strict=True):
        interval = "none" if math.isnan(one.low) else f"{one.low:.2f} to {one.high:.2f}"
        counts = (f"{count:,}" for count in (one.loans, one.months, one.defaults))
        shares = (_shares(one.default_ppm), _shares(one.prepayment_ppm))
        table.add_row(plain(group.name), *counts, f"{one.factor:.2f}", interval, f"{one.prepayments:,}", *shares)
    return table


def _shares(ppm: tuple[int, ...]) -> str:
    return " ".join(f"{share / PPM:.3%}" for share in ppm[:SHOWN]) + (" …" if len(ppm) > SHOWN else "")
