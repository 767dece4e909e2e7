"""What the sinks rely on, asked of the in-memory database and of PostgreSQL alike."""

import asyncio
import random

import asyncpg
import pytest

from streams.effects import Execute
from streams.store import Fenced, Store, migrate
from tests.simulation.clock import Process, VirtualLoop
from tests.simulation.network import Network
from tests.simulation.store import Database, SimulatedStore

KEY = ("a sink", "a topic", 3)


class InMemory:
    def run(self, scenario):
        self.network, self.database = Network(VirtualLoop(), random.Random(1)), Database()
        self.network.loop.run(scenario(self))

    def store(self):
        return SimulatedStore(self.network, self.database, Process("p"))

    async def written(self):
        return [arguments for one in self.database.committed for statement in one.statements for arguments in statement.arguments]


class OnPostgres:
    def __init__(self, dsn):
        self._dsn, self._stores = dsn, []

    def run(self, scenario):
        async def whole():
            await migrate(self._dsn)
            await self._ask("DROP TABLE IF EXISTS contract; DELETE FROM sink_offsets WHERE sink = 'a sink'")
            await self._ask("CREATE TABLE contract (number bigint)")
            await scenario(self)
            for store in self._stores:
                await store.close()

        asyncio.run(whole())

    def store(self):
        self._stores.append(Store(self._dsn))
        return self._stores[-1]

    async def written(self):
        return [tuple(row) for row in await self._ask("SELECT number FROM contract ORDER BY number")]

    async def _ask(self, sql):
        connection = await asyncpg.connect(self._dsn)
        try:
            return await (connection.fetch(sql) if sql.startswith("SELECT") else connection.execute(sql))
        finally:
            await connection.close()


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.broker)])
def server(request):
    return InMemory() if request.param == "memory" else OnPostgres(request.getfixturevalue("postgres"))


def rows(*numbers):
    return [Execute("INSERT INTO contract VALUES ($1)", [(number,) for number in numbers])]


def test_rows_and_offset_are_written_together_and_found_by_the_next_opening(server):
    async def scenario(server):
        store = server.store()
        assert await store.next_offset(*KEY) == 0
        await store.write(*KEY, 0, 5, rows(1))
        await store.write(*KEY, 5, 9, rows(2, 3))
        assert await server.store().next_offset(*KEY) == 9
        assert await server.written() == [(1,), (2,), (3,)]

    server.run(scenario)


def test_a_writer_that_expects_another_offset_is_fenced_and_writes_nothing(server):
    async def scenario(server):
        store = server.store()
        await store.next_offset(*KEY)
        await store.write(*KEY, 0, 5, rows(1))
        for expected in (0, 4, 6):
            with pytest.raises(Fenced):
                await store.write(*KEY, expected, 9, rows(2))
        assert await server.written() == [(1,)]
        assert await store.next_offset(*KEY) == 5

    server.run(scenario)


def test_opening_fences_the_earlier_writer_even_at_the_offset_that_it_expects(server):
    async def scenario(server):
        zombie, holder = server.store(), server.store()
        await zombie.next_offset(*KEY)
        assert await holder.next_offset(*KEY) == 0
        with pytest.raises(Fenced):
            await zombie.write(*KEY, 0, 5, rows(1))
        await holder.write(*KEY, 0, 5, rows(2))
        assert await server.written() == [(2,)]

    server.run(scenario)


def test_who_never_opened_writes_nothing(server):
    async def scenario(server):
        with pytest.raises(Fenced):
            await server.store().write(*KEY, 0, 5, rows(1))
        assert await server.written() == []

    server.run(scenario)


def test_source_partitions_are_apart(server):
    async def scenario(server):
        store = server.store()
        await store.next_offset(*KEY)
        await store.write(*KEY, 0, 5, rows(1))
        assert await store.next_offset("a sink", "a topic", 4) == 0
        assert await store.next_offset("another", "a topic", 3) == 0
        await store.write(*KEY, 5, 6, rows(2))

    server.run(scenario)
