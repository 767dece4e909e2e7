"""One migrated database for all tests of the ledger, emptied before each: a new one would take longer than the tests."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from os import getpid
from urllib.parse import urlsplit

import asyncpg
import pytest

from streams import settings
from streams.ledger.desk import Desk
from streams.store import migrate
from tests.conftest import run_apart

# Only a superuser can: triggers refuse it, and are off while the server takes itself for a replica.
EMPTY = """
    SET session_replication_role = replica; TRUNCATE accounts, balances, transfers, legs, carried; RESET session_replication_role"""


@pytest.fixture(scope="session")
def ledger_database(postgres) -> str:
    name = f"ledger_{getpid()}"
    dsn = urlsplit(postgres)._replace(path=f"/{name}").geturl()

    async def create() -> None:
        server = await asyncpg.connect(postgres)
        if not await server.fetchval("SELECT count(*) FROM pg_database WHERE datname = $1", name):  # of the bench's tests
            await server.execute(f"CREATE DATABASE {name}")
        await server.close()
        await migrate(dsn)

    run_apart(create())
    return dsn


@pytest.fixture
async def sql(ledger_database) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(ledger_database)
    await connection.execute(EMPTY)
    yield connection
    await connection.close()


@pytest.fixture
def desk(sql) -> Desk:
    return Desk(sql)


@pytest.fixture
def sql_apart(ledger_database) -> Iterator[tuple[asyncio.AbstractEventLoop, asyncpg.Connection]]:
    """A connection with a loop of its own, for a test that runs no loop itself."""
    loop = asyncio.new_event_loop()
    connection = loop.run_until_complete(asyncpg.connect(ledger_database))
    loop.run_until_complete(connection.execute(EMPTY))
    yield loop, connection
    loop.run_until_complete(connection.close())
    loop.close()


@pytest.fixture
def tranche(tmp_path, ledger_database):
    def run(*arguments, given="", dsn=ledger_database):
        environ = {**settings.inherited(), "TRANCHE_HOME": str(tmp_path / "home"), "TRANCHE_POSTGRES": dsn, "COLUMNS": "160"}
        command = [sys.executable, "-m", "streams.cli", *arguments]
        return subprocess.run(command, env=environ, input=given, capture_output=True, text=True, timeout=60, check=False)

    return run
