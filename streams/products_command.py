"""`tranche products`: its options. What it does is in `streams/products_console.py`, which is imported when it runs."""

import importlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from streams.running import given, running
from streams.settings import Settings

HOME = click.option("--home", type=click.Path(file_okay=False), help="Of the system that is up. [default: $TRANCHE_HOME or .tranche]")


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="One line of JSON.")
@HOME
@click.pass_context
def products(context: click.Context, as_json: bool, home: str | None) -> None:
    """Show the products that workers go by: every version, and since when. `publish` puts new ones there."""
    if context.invoked_subcommand is None:
        _console().show(_system(home), as_json=as_json)


@products.command()
@click.argument("files", nargs=-1, type=click.Path(dir_okay=False, exists=True, path_type=Path), metavar="[FILE]...")
@click.option("--catalog", envvar="TRANCHE_CATALOG", help="The catalog's folder. [default: $TRANCHE_CATALOG, or that of what is up]")
@click.option("--check", is_flag=True, help="Only say what is new, and what is wrong.")
@HOME
def publish(files: tuple[Path, ...], catalog: str | None, check: bool, home: str | None) -> None:
    """Have all workers go by the catalog's product files, or by FILEs of it, while they run. All are checked before."""
    _console().publish(_system(home, catalog), files, check=check)


def _console() -> Any:
    importlib.import_module("streams.logs").warnings_only()
    return importlib.import_module("streams.products_console")


def _system(home: str | None, catalog: str | None = None) -> Settings:
    """The settings of the system that is up in this home, or else of the environment; with the catalog that is said."""
    found = running(given(home=home))
    return replace(found, catalog=Path(catalog).absolute()) if catalog else found
