"""`tranche tape`, `calibrate` and `model-report`: their options. What they do is imported when they run."""

import importlib
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from schemas.product import Product
from streams import settings as settings_module
from streams.embedded.errors import UserError

DAY = click.DateTime(["%Y-%m-%d"])
C = TypeVar("C", bound=Callable[..., Any])


def _of_tape(command: C) -> C:
    """Which tape; without one it is the real LendingClub loans."""
    path = click.option("--tape", type=click.Path(dir_okay=False, path_type=Path), help="A loan book. [default: real LendingClub loans]")
    as_of = click.option("--as-of", type=DAY, help="The day as of which the tape tells.")
    return path(as_of(command))


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def tape(file: Path) -> None:
    """Write the real LendingClub loans to FILE, as a tape for the other two commands or a book for an upload."""
    tapes = importlib.import_module("streams.tapes")
    docs = tapes.lending_club()
    try:
        file.write_bytes(b"".join(docs))
    except OSError as fault:
        raise UserError(f"{file}: cannot be written: {fault.strerror}") from fault
    click.echo(f"{file}: {len(docs):,} loans as of {tapes.LENDING_CLUB}")


@click.command()
@click.argument("product")
@_of_tape
@click.option("--loss-given-default", type=click.FloatRange(0, 1), help="Share of the balance that a default costs. [default: as it was]")
@click.option("--recovery-months", type=click.IntRange(0, 120), help="From a default to the recovery of the rest. [default: as it was]")
@click.option("--dry-run", is_flag=True, help="Only show the curves; the product's file stays as it is.")
def calibrate(product: str, tape: Path | None, as_of: datetime | None, dry_run: bool, **given: Any) -> None:
    """Fit the default and prepayment curves of PRODUCT's risk groups to a loan tape, and write them into its file."""
    file, text, found = _product(product)
    main = importlib.import_module("streams.calibrating").main
    main(file, text, found, tape, _day(tape, as_of), dry_run=dry_run, **given)


@click.command("model-report")
@click.argument("product")
@_of_tape
@click.option("--picture", type=click.Path(dir_okay=False, path_type=Path), help="Draw it, too: a PNG, PDF or SVG file.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON.")
def model_report(product: str, tape: Path | None, as_of: datetime | None, picture: Path | None, as_json: bool) -> None:
    """Show how well PRODUCT's risk groups separate the loans of a tape that went bad from those that did not."""
    _, _, found = _product(product)
    importlib.import_module("streams.model_report").main(found, tape, _day(tape, as_of), picture, as_json=as_json)


def _day(tape: Path | None, as_of: datetime | None) -> date | None:
    if (tape is None) != (as_of is None):
        raise click.UsageError("--tape and --as-of go together: what a loan book tells depends on the day")
    return as_of.date() if as_of else None


def _product(wanted: str) -> tuple[Path, str, Product]:
    """A product of the catalog with the file that it is in.

    Raises:
        CatalogError: a file of the catalog is wrong.
        UserError: there is no such product.
    """
    settings = settings_module.load()
    products = settings.load_catalog().products
    if wanted not in products:
        raise UserError(f"{wanted!r} is no product of {settings.catalog}; there are {', '.join(sorted(products))}")
    return (*settings.product_file(wanted), products[wanted])
