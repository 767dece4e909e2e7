"""The `tranche` command. Every command imports what it needs when it runs: the gateway stays small, and help is instant."""

import importlib
import signal
import sys
from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from schemas.asset import VERSION_END
from schemas.yamls import CatalogError
from streams import checkout, modelling
from streams import settings as settings_module
from streams.allocation_command import allocation_report
from streams.criteria_command import criteria
from streams.embedded.errors import UserError
from streams.ledger import commands as ledger_commands
from streams.model_command import model_service
from streams.products_command import products
from streams.replay import replay
from streams.restart import restart
from streams.running import HOME, database, given, running, secret
from streams.settings import SettingsError
from streams.tokens import KINDS, Kind, TokenError, issue
from streams.why.command import why

KAFKA_PORT: Final = int(settings_module.DEFAULTS["kafka"].rpartition(":")[2])
FAULT: Final = 2  # exit code: the message on stderr says what to put right
C = TypeVar("C", bound=Callable[..., Any])


class _Commands(click.Group):
    """Faults that a person can put right are one message on stderr and exit code 2, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (SettingsError, CatalogError, TokenError, UserError) as fault:
            click.echo(f"tranche: {fault}", err=True)
            ctx.exit(FAULT)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tranche")
def main() -> None:
    """Tranche: a lending marketplace as a streaming dataflow on Kafka. Settings are TRANCHE_* variables; options go before them."""


main.add_command(restart)
main.add_command(why)


def _system(command: C) -> C:
    """The options that say what `up` starts; `supervise` is its other half."""
    options = (
        click.option("--kafka", envvar="TRANCHE_KAFKA", default="", metavar="HOST:PORT", help="An outside broker instead of the embedded."),
        click.option(
            "--postgres", envvar="TRANCHE_POSTGRES", default="", metavar="DSN", help="An outside PostgreSQL instead of the embedded."
        ),
        click.option("--workers", type=click.IntRange(0, 64), default=1, show_default=True, help="How many workers share the partitions."),
        click.option(
            "--gateway-port", type=click.IntRange(0, 65535), help="0 chooses a free one. [default: $TRANCHE_GATEWAY_PORT or 8080]"
        ),
        click.option("--ops-port", type=click.IntRange(0, 65535), help="Of the first worker; the others follow. [default: 6066]"),
        HOME,
    )
    for option in reversed(options):
        command = option(command)
    return command


@main.command()
@_system
def up(kafka: str, postgres: str, workers: int, **over: Any) -> None:
    """Start Kafka, PostgreSQL, workers and the gateway, and leave them running."""
    settings = given(kafka=kafka, postgres=postgres, **over)
    settings_module.model_tokens(settings.load_catalog().products.values())
    _call("streams.embedded.console:up", settings, kafka=kafka, postgres=postgres, workers=workers)


@main.command(hidden=True)
@_system
def supervise(kafka: str, postgres: str, workers: int, **over: Any) -> None:
    """The process that `up` leaves running."""
    settings = given(kafka=kafka, postgres=postgres, **over)
    _call("streams.logs:configure", "supervisor")
    _call("streams.embedded.console:supervise", settings, kafka=kafka, postgres=postgres, workers=workers, kafka_port=KAFKA_PORT)


@main.command()
@HOME
def down(home: str | None) -> None:
    """Stop what `up` started. Its data stays."""
    _call("streams.embedded.console:down", given(home=home).home)


@main.command()
@HOME
def status(home: str | None) -> None:
    """Show what runs, and where; exit code 1 if nothing does."""
    sys.exit(_call("streams.embedded.console:status", given(home=home).home))


@main.command()
def worker() -> None:
    """Run one worker: every agent, on its share of the partitions. It ends on a fault; who started it starts it again."""
    settings = settings_module.load()
    _call("streams.logs:configure", settings.worker)
    _call("streams.app:run", settings)


@main.command()
def gateway() -> None:
    """Run one gateway: the HTTP side for originators and investors."""
    settings = settings_module.load()
    _call("streams.logs:configure", "gateway")
    _call("streams.gateway.server:run", settings)


@main.command()
def topics() -> None:
    """Show every topic: what it carries, its partitions, how long it is kept."""
    _call("streams.embedded.console:show_topics")


@main.command()
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("id_", metavar="ID")
@HOME
def token(kind: Kind, id_: str, home: str | None) -> None:
    """Print a bearer token for the gateway: `Authorization: Bearer TOKEN`."""
    click.echo(issue(secret(home), kind, id_))


@main.command("webhook-secret")
@click.argument("originator")
@HOME
def webhook_secret(originator: str, home: str | None) -> None:
    """Print what an originator checks the signatures of Tranche's requests with (Standard Webhooks): `whsec_…`."""
    click.echo(_call("streams.webhooks.signing:webhook_secret", secret(home), originator))


@main.command()
@click.argument("originator", required=False)
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many, the newest.")
@click.option("--follow", is_flag=True, help="Show them as they go on, until interrupted.")
@click.option("--json", "as_json", is_flag=True, help="What the gateway answers, as one line.")
@HOME
def batches(originator: str | None, limit: int, follow: bool, as_json: bool, home: str | None) -> None:
    """Show the latest batches, of all originators or of one: how far they are, and what came of their documents."""
    if follow and as_json:
        raise UserError("--follow and --json do not go together; ask again instead")
    _call("streams.batches:main", database(home), originator, limit, follow=follow, as_json=as_json)


@main.command()
@click.argument("asset", metavar="ORIGINATOR/ASSET")
@click.option(
    "--before", type=click.IntRange(1, VERSION_END), default=VERSION_END, metavar="VERSION", help="Only versions before this one."
)
@click.option("--json", "as_json", is_flag=True, help="What the gateway answers, as one line.")
@HOME
def trace(asset: str, before: int, as_json: bool, home: str | None) -> None:
    """Show all that is stored of one asset: versions and where they came from, differences, assessments, investments, refusals."""
    originator, slash, name = asset.partition("/")
    if not (originator and slash and name):
        raise UserError(f"{asset!r} is no ORIGINATOR/ASSET; an example: tranche trace bluebird/DE-2026-000117")
    _call("streams.trace.console:main", database(home), originator, name, before, as_json=as_json)


@main.command()
@HOME
def demo(home: str | None) -> None:
    """Run the demo on what is up, or on a system of its own that it stops at its end."""
    own = given(home=home)
    settings = running(own)
    _stop_on_sigterm()
    _call("streams.logs:warnings_only")
    _call("streams.demo.run:main", settings, running=settings is not own)


main.add_command(checkout.bench)
main.add_command(checkout.chaos)
main.add_command(replay)
main.add_command(ledger_commands.audit)
main.add_command(ledger_commands.ledger)
for command in (modelling.tape, modelling.calibrate, modelling.model_report):
    main.add_command(command)
main.add_command(model_service)
main.add_command(products)
main.add_command(allocation_report)
main.add_command(criteria)


def _call(where: str, *arguments: Any, **named: Any) -> Any:
    """Import `module:function` and call it."""
    module, _, function = where.partition(":")
    return getattr(importlib.import_module(module), function)(*arguments, **named)


def _stop_on_sigterm() -> None:
    """SIGTERM ends a command as Ctrl-C does: what it started is stopped."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


if __name__ == "__main__":
    main()
