"""What the commands that show the database's contents share: a connection, and texts that do no harm to a terminal."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import orjson
from rich.console import Console
from rich.text import Text

from streams.embedded.errors import UserError
from streams.store import AWAY, Store

WIDTH: Final = 132  # columns
# Originators' texts go to a terminal, which would obey what is in them.
_CONTROL: Final = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0)), "\N{REPLACEMENT CHARACTER}")


def plain(text: str, style: str = "") -> Text:
    """`text` as it is: neither control characters nor rich's markup mean anything in it."""
    return Text(text.translate(_CONTROL), style)


def wide() -> Console:
    """Standard output for tables of ids: a narrower terminal breaks the lines itself, but an id is never cut off."""
    return Console(width=max(Console().width, WIDTH))


def print_json(body: object) -> None:
    """Print `body` as the gateway answers it, as one line."""
    print(orjson.dumps(body, option=orjson.OPT_UTC_Z).decode())


@asynccontextmanager
async def database(dsn: str) -> AsyncIterator[Any]:
    """The pool of a database, for `streams/queries.py`, as a context manager.

    Raises:
        UserError: the database does not answer, now or later.
    """
    store = Store(dsn)
    try:
        yield await store.pool()
    except AWAY as fault:
        raise away(dsn, fault) from fault
    finally:
        await store.close()


def away(dsn: str, fault: Exception) -> UserError:
    """What to say of a database that does not answer; its password is not in it."""
    where = dsn.rpartition("@")[2] or dsn
    return UserError(f"PostgreSQL at {where} does not answer ({type(fault).__name__}: {fault}); see `tranche status`")
