"""`tranche model-service`."""

import click

from streams import settings


@click.command("model-service")
@click.option("--port", type=click.IntRange(1, 65535), default=8090, show_default=True, help="On loopback.")
def model_service(port: int) -> None:
    """Run the reference model service: what a product's `service` may ask, answered by its built-in models."""
    from streams.model_service import run  # noqa: PLC0415 - help is instant

    run(settings.load().load_catalog(), port)
