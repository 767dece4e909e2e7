"""What is read from the database, and what happens without it."""

import asyncpg
import pytest

from streams.gateway.database import Database
from streams.gateway.limits import Limits
from streams.gateway.problems import ProblemError
from streams.store import migrate

INVESTMENT = """INSERT INTO investments SELECT $1, 'bluebird/loan-1/1', 'p/1/main', $2, 'loan-1', 1, $3, 'p', 'main', 'USD', 2500, 10000,
    120000, 'A', 0, $4, now()"""
BATCH = """INSERT INTO batches (batch, originator, received, documents, created, first_event, last_event)
    VALUES ('bluebird-1', 'bluebird', true, 2, 2, now(), now())"""
NO_BACKUPS = {"store": "not configured", "bytes": 0, "batches": 0, "oldest_s": 0}


@pytest.fixture
async def database(postgres, group):
    """DSN of a database with one batch and three investments."""
    server = await asyncpg.connect(postgres)
    await server.execute(f'CREATE DATABASE "{group[-60:]}"')
    await server.close()
    dsn = postgres.rpartition("/")[0] + "/" + group[-60:]
    await migrate(dsn)
    connection = await asyncpg.connect(dsn)
    await connection.execute(BATCH)
    for number, (originator, investor) in enumerate([("bluebird", "ann"), ("harbor", "ann"), ("bluebird", "bob")]):
        await connection.execute(INVESTMENT, f"i{number}", originator, investor, number)
    await connection.close()
    return dsn


@pytest.fixture
async def reader(serve, database):
    async with serve(postgres=database) as client:
        yield client


async def test_a_batch_has_its_status(reader):
    for kind, name in (("originator", "bluebird"), ("operator", "ops")):
        response = await reader.get("/batches/bluebird-1", headers=reader.token(kind, name))
        assert response.status_code == 200
        status = response.json()
        assert (status["batch"], status["state"], status["documents"], status["counts"]["created"]) == ("bluebird-1", "done", 2, 2)


@pytest.mark.parametrize(("kind", "name"), [("originator", "harbor"), ("investor", "bluebird")])
async def test_a_batch_is_nobody_elses(reader, kind, name):
    assert (await reader.get("/batches/bluebird-1", headers=reader.token(kind, name))).status_code == 403


async def test_an_originator_and_operators_see_its_latest_batches(reader):
    for kind, name in (("originator", "bluebird"), ("operator", "ops")):
        response = await reader.get("/originators/bluebird/batches", headers=reader.token(kind, name))
        assert [(batch["batch"], batch["state"]) for batch in response.json()["batches"]] == [("bluebird-1", "done")]
    assert (await reader.get("/originators/harbor/batches", headers=reader.token("operator", "ops"))).json() == {"batches": []}


@pytest.mark.parametrize(("path", "status"), [("harbor/batches", 403), ("nobody/batches", 404), ("bluebird/batches?limit=0", 400)])
async def test_what_is_not_its_own_an_originator_does_not_see(reader, path, status):
    response = await reader.get(f"/originators/{path}", headers=reader.token("originator", "bluebird"))
    assert response.status_code == status


@pytest.mark.parametrize(("path", "name"), [("bluebird-2", "bluebird-2"), ("a%00b", "a\0b")])
async def test_an_unknown_batch_is_404(reader, path, name):
    response = await reader.get(f"/batches/{path}", headers=reader.token("operator", "ops"))
    assert (response.status_code, response.json()["batch"]) == (404, name)


async def test_a_batch_that_the_database_does_not_show_yet_is_received(serve, kafka, database, book):
    async with serve(kafka, database) as client:
        where = (await client.upload(b"".join(book(3)))).headers["Location"]
        status = (await client.get(where, headers=client.token("originator", "bluebird"))).json()
        assert (status["state"], status["documents"]) == ("received", 3)
        assert (await client.get(where, headers=client.token("originator", "harbor"))).status_code == 403


@pytest.mark.parametrize(
    ("kind", "name", "expected"),
    [
        ("investor", "ann", ["i0", "i1"]),
        ("investor", "eve", []),
        ("originator", "bluebird", ["i0", "i2"]),
        ("operator", "ops", ["i0", "i1", "i2"]),
    ],
)
async def test_everybody_sees_the_investments_that_concern_them(reader, kind, name, expected):
    response = await reader.get("/investments", headers=reader.token(kind, name))
    assert [one["investment"] for one in response.json()["investments"]] == expected
    assert response.json()["next"] is None


async def test_pages_follow_each_other(reader):
    found, path = [], "/investments?limit=1"
    while path:
        page = (await reader.get(path, headers=reader.token("operator", "ops"))).json()
        found += [one["investment"] for one in page["investments"]]
        path = page["next"] and f"/investments?limit=1&after={page['next']}"
    assert found == ["i0", "i1", "i2"]


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "limit=-1", "limit=ten", "limit=", "limit=1e2", "limit=" + "9" * 5000, "after=x"]
)
async def test_a_parameter_without_a_valid_value_is_400_and_named(reader, query):
    response = await reader.get(f"/investments?{query}", headers=reader.token("operator", "ops"))
    assert (response.status_code, response.json()["field"]) == (400, query.partition("=")[0])


async def test_without_a_database_reading_is_503_and_uploading_works(client, book):
    for path in ("/batches/b", "/investments"):
        response = await client.get(path, headers=client.token("operator", "ops"))
        assert response.status_code == 503
        assert response.headers["Retry-After"]
        assert response.json()["type"] == "urn:tranche:problem:database-unavailable"
    assert (await client.upload(b"".join(book(3)))).status_code == 202


async def test_a_database_that_does_not_answer_is_503_and_said_by_health(serve, kafka):
    async with serve(kafka, "postgresql://tranche@127.0.0.1:1/tranche") as client:
        response = await client.get("/investments", headers=client.token("operator", "ops"))
        assert (response.status_code, response.json()["type"]) == (503, "urn:tranche:problem:database-unavailable")
        health = await client.get("/health")
        assert health.status_code == 200
        assert health.json()["database"] == "down"


@pytest.mark.parametrize(
    "fault",
    [asyncpg.InternalClientError(), asyncpg.InterfaceError("closed"), asyncpg.AdminShutdownError(), ConnectionResetError(), TimeoutError()],
)
async def test_a_connection_that_breaks_under_a_query_is_503_however_it_is_told(database, fault):
    async def query(_pool):
        raise fault

    with pytest.raises(ProblemError, match=type(fault).__name__) as told:
        await Database(database, Limits())._ask(query)
    assert (told.value.status, told.value.kind) == (503, "database-unavailable")


async def test_health_reports_both(serve, kafka, database):
    async with serve(kafka, database) as client:
        response = await client.get("/health")
        assert (response.status_code, response.json()) == (
            200,
            {"status": "up", "broker": "up", "database": "up", "inbox": "not configured", "backups": NO_BACKUPS},
        )
