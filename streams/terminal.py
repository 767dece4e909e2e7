"""What the commands that show the database's contents share: a connection, and texts that do no harm to a terminal."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg
import orjson
from rich.text import Text

from streams.embedded.errors import UserError
from streams.store import Store

# Originators' texts go to a terminal, which would obey what is in them.
_CONTROL: Final = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0)), "\N{REPLACEMENT CHARACTER}")


def plain(text: str, style: str = "") -> Text:
    """`text` as it is: neither control characters nor rich's markup mean anything in it."""
    return Text(text.translate(_CONTROL), style)


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
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as fault:
        where = dsn.rpartition("@")[2] or dsn
        raise UserError(f"PostgreSQL at {where} does not answer ({type(fault).__name__}: {fault}); see `tranche status`") from fault
    finally:
        await store.close()
