import asyncio
from collections.abc import Iterator
from os import getpid
from urllib.parse import urlsplit

import asyncpg
import pytest

from streams.ledger.desk import Desk
from streams.store import migrate
from tests.database import database, empty_database, sql, store

__all__ = ["database", "empty_database", "sql", "store"]


@pytest.fixture
def desk(sql) -> Desk:
    return Desk(sql)


@pytest.fixture
def sql_apart(postgres) -> Iterator[tuple[asyncio.AbstractEventLoop, asyncpg.Connection]]:
    """A migrated database of its own, and a loop, for a test that runs no loop itself."""
    loop = asyncio.new_event_loop()

    async def connect() -> asyncpg.Connection:
        name = f"histories_{getpid()}"
        server = await asyncpg.connect(postgres)
        await server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        await server.execute(f"CREATE DATABASE {name}")
        await server.close()
        dsn = urlsplit(postgres)._replace(path=f"/{name}").geturl()
        await migrate(dsn)
        return await asyncpg.connect(dsn)

    connection = loop.run_until_complete(connect())
    yield loop, connection
    loop.run_until_complete(connection.close())
    loop.close()
