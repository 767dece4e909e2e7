"""Which system a command is about: the one that is up in a home, or the environment's."""

from streams import settings
from streams.embedded.errors import UserError
from streams.settings import Settings


def given(**over: object) -> Settings:
    """The environment's settings, with the options that were given before them."""
    return settings.load(over={f"TRANCHE_{name.upper()}": str(value) for name, value in over.items() if value not in {None, ""}})


def running(own: Settings) -> Settings:
    """The settings of the system that is up in this home; `own` itself if none is."""
    from streams.embedded import runfile  # noqa: PLC0415 - help is instant

    run = runfile.running(own.home)
    return settings.load(run.environ) if run and run.ready else own


def secret(home: str | None) -> str:
    """The secret of the environment, or of the system that is up in this home.

    Raises:
        UserError: there is none.
    """
    found = running(given(home=home))
    if not found.secret:
        raise UserError(f"nothing runs in {found.home}, and TRANCHE_SECRET, which signs, is not set; try `tranche up`")
    return found.secret


def database(home: str | None) -> str:
    """The DSN of the environment, or of the system that is up in this home.

    Raises:
        UserError: there is none.
    """
    own = given(home=home)
    dsn = own.postgres or running(own).postgres
    if not dsn:
        raise UserError(f"nothing runs in {own.home}, and TRANCHE_POSTGRES, which names the database, is not set; try `tranche up`")
    return dsn
