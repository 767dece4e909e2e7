"""`tranche criteria`: investors' criteria, tried before they are placed."""

import sys
from collections.abc import Mapping
from typing import Any

import click
import msgspec

from schemas.attributes import Attribute
from schemas.catalog import attributes_of
from streams import settings as settings_module
from streams import topics
from streams.embedded.errors import UserError


@click.command()
@click.argument("text", metavar="[CRITERIA]", required=False)
@click.option("--market", type=click.Choice(topics.MARKETS), default=topics.MARKETS[0], show_default=True, help="Whose attributes.")
def criteria(text: str | None, market: str) -> None:
    """Check CRITERIA, in the language or as JSON, and show their normal form in both; "-" reads them from standard input.

    Without them, list the attributes that the products of the market let investors use.
    """
    catalog = settings_module.load().load_catalog()
    attributes = attributes_of(market, catalog.products.values(), catalog.originators)
    if text is None:
        for attribute in attributes.values():
            click.echo(f"{attribute.name:28}{', '.join(attribute.values) or attribute.kind}")
    else:
        _check(sys.stdin.read() if text == "-" else text, attributes)


def _check(text: str, attributes: Mapping[str, Attribute]) -> None:
    from agents.trader import criteria as criteria_module  # noqa: PLC0415 - help is instant
    from agents.trader import wording  # noqa: PLC0415
    from agents.trader.expression import CriteriaError  # noqa: PLC0415

    try:
        found = criteria_module.read(_json(text) if text.lstrip().startswith("{") else text, attributes)
    except CriteriaError as fault:
        raise UserError("\n".join(filter(None, (str(fault), fault.shown)))) from fault
    click.echo(wording.text(found, attributes))
    click.echo(msgspec.json.encode(wording.form(found, attributes)).decode())


def _json(text: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (ValueError, RecursionError) as fault:
        raise UserError(f"no JSON object: {fault}") from fault
