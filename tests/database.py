"""A migrated database for each test, a proxy that loses connections, and sample messages of the merger's topics."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from os import getpid
from typing import Self
from urllib.parse import urlsplit

import asyncpg
import pyarrow as pa
import pytest

from schemas import columns, events
from streams import topics
from streams.effects import Message
from streams.store import Store, migrate

_NAME = f"test_{getpid()}"


@pytest.fixture
async def empty_database(postgres) -> str:
    """DSN of an empty database that no other process has; it goes with the test run's server."""
    server = str(postgres)
    admin = await asyncpg.connect(server)
    await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", _NAME)
    if not await admin.fetchval("SELECT count(*) FROM pg_database WHERE datname = $1", _NAME):
        await admin.execute(f"CREATE DATABASE {_NAME}")
    await admin.close()
    dsn = urlsplit(server)._replace(path=f"/{_NAME}").geturl()
    connection = await asyncpg.connect(dsn)
    await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")  # a new database takes ten times as long
    await connection.close()
    return dsn


@pytest.fixture
async def database(empty_database) -> str:
    await migrate(empty_database)
    return empty_database


@pytest.fixture
async def store(database) -> AsyncIterator[Store]:
    store = Store(database)
    yield store
    await store.close()


@pytest.fixture
async def sql(database) -> AsyncIterator[asyncpg.Connection]:
    """A connection to look with."""
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


class Proxy:
    """Stands before a PostgreSQL server on TCP; `judge(bytes of the client)` says "pass", "cut", or "cut after" the server has done it."""

    def __init__(self, dsn: str, judge: Callable[[bytes], str]) -> None:
        self.judge, self._dsn, self._server = judge, dsn, None

    async def __aenter__(self) -> Self:
        await self.listen(0)
        return self

    async def listen(self, port: int) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        self.port = self._server.sockets[0].getsockname()[1]
        parts = urlsplit(self._dsn)
        netloc = parts.netloc.replace(f":{parts.port}", f":{self.port}")
        self.dsn = parts._replace(netloc=netloc, query="sslmode=disable").geturl()

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        parts = urlsplit(self._dsn)
        back_reader, back_writer = await asyncio.open_connection(parts.hostname, parts.port)
        answers = asyncio.create_task(self._pump(back_reader, writer))
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 20):
                verdict = self.judge(data)
                if verdict != "pass":
                    answers.cancel()
                    await asyncio.wait([answers])
                if verdict != "cut":
                    back_writer.write(data)
                    await back_writer.drain()
                if verdict == "cut after":
                    with contextlib.suppress(TimeoutError):  # it has no answer to a part of something
                        await asyncio.wait_for(back_reader.read(1), 0.2)  # it has, so it is done
                if verdict != "pass":
                    break
        back_writer.close()
        writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 20):
                writer.write(data)
                await writer.drain()
        writer.close()


def message(topic: topics.Topic, value: bytes, offset: int = 0, partition: int = 0, timestamp_ms: int = 1_700_000_000_000) -> Message:
    return Message(topic.name, partition, offset, timestamp_ms, None, value, ())


def assessed(*rows: dict, nulls: bool = False) -> bytes:
    """A message's value of `assets.assessed`: a row each, with what it does not name made up; `nulls` where a column may be null."""
    texts = {"originator_id": "bluebird", "status": "current", "currency": "USD", "sale": "partial", "batch": "b1", "risk_group": "A"}
    texts["attributes"] = '{"some": "attribute"}'
    made_up = {name: texts.get(name, f"some {name}") for name in columns.ASSESSED.names}

    def value(field: pa.Field, row: dict, number: int) -> object:
        if field.name in row:
            return row[field.name]
        if nulls and field.nullable:
            return None
        if pa.types.is_string(field.type):
            return made_up[field.name]
        if pa.types.is_list(field.type):
            return [dict.fromkeys((part.name for part in field.type.value_type), 3)]
        return bytes(16) if field.name == "digest" else number + 1

    data = {field.name: [value(field, row, number) for row in rows] for number, field in enumerate(columns.ASSESSED)}
    return columns.encode(pa.RecordBatch.from_pydict(data, schema=columns.ASSESSED))


def investment(number: int, investor: str = "ann", originator: str = "bluebird", cents: int = 2_500, currency: str = "USD") -> bytes:
    sell = f"{originator}/loan-7/1"
    return events.encode(
        events.Investment(
            investment=f"{sell}/{number}",
            sell_offer=sell,
            buy_offer="p1/1/main",
            originator=originator,
            asset="loan-7",
            version=1,
            investor=investor,
            portfolio="p1",
            bucket="main",
            currency=currency,
            amount_cents=cents,
            price_bp=10_000,
            rate_ppm=120_000,
            risk_group="A",
        )
    )


async def feed(store: Store, sink, messages: list[Message]) -> None:
    """Write messages of one partition through a sink, as the worker does."""
    topic, partition = sink.source.name, messages[0].partition
    at = await store.next_offset(sink.name, topic, partition)
    await store.write(sink.name, topic, partition, at, messages[-1].offset + 1, sink.compute(messages))
