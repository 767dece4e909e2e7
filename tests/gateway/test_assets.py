"""`GET /originators/{originator}/assets/{asset}`; what a trace holds is in tests/trace."""

import asyncpg
import pytest

from streams.store import Store, migrate
from tests.stories import tell

PATH = "/originators/bluebird/assets/loan-7"


@pytest.fixture
async def reader(serve, postgres, group):
    """A gateway whose database has one asset's story."""
    server = await asyncpg.connect(postgres)
    await server.execute(f'CREATE DATABASE "{group[-60:]}"')
    await server.close()
    dsn = postgres.rpartition("/")[0] + "/" + group[-60:]
    await migrate(dsn)
    store = Store(dsn)
    await tell(store)
    await store.close()
    async with serve(postgres=dsn) as client:
        yield client


async def test_an_originator_and_operators_see_the_story_of_an_asset(reader):
    told = []
    for kind, name in (("originator", "bluebird"), ("operator", "ops")):
        response = await reader.get(PATH, headers=reader.token(kind, name))
        assert response.status_code == 200
        told.append(response.json())
    assert told[0] == told[1]
    assert told[0]["counts"] == {"versions": 4, "investments": 13, "rejections": 2}
    assert told[0]["versions"][1]["differences"][0] == {"field": "outstanding", "before": "1000.00", "after": "960.00"}
    assert told[0]["batches"]["bluebird.one"]["first_event"] == "2026-02-02T02:40:00Z"


async def test_an_originator_sees_of_investments_what_it_sees_elsewhere(reader):
    token = reader.token("originator", "bluebird")
    every = (await reader.get("/investments", headers=token)).json()["investments"]
    told = (await reader.get(PATH, headers=token)).json()["investments"]
    assert told == [one for one in every if one["asset"] == "loan-7"]


async def test_pages_go_back_to_the_first_version(reader):
    found, path = [], f"{PATH}?limit=1"
    while path:
        page = (await reader.get(path, headers=reader.token("operator", "ops"))).json()
        found += [one["version"] for one in page["versions"]]
        path = page["earlier"] and f"{PATH}?limit=1&before={page['earlier']}"
    assert found == [4, 3, 2, 1]


@pytest.mark.parametrize(
    ("kind", "name", "path", "status", "problem"),
    [
        ("originator", "harbor", PATH, 403, "forbidden"),
        ("investor", "bluebird", PATH, 403, "forbidden"),
        ("originator", "nobody", "/originators/nobody/assets/loan-7", 404, "unknown-originator"),
        ("originator", "bluebird", "/originators/bluebird/assets/loan-9", 404, "unknown-asset"),
        ("originator", "bluebird", "/originators/bluebird/assets/loan%007", 404, "unknown-asset"),
        ("operator", "ops", "/originators/nobody/assets/loan-7", 404, "unknown-asset"),
        ("operator", "ops", "/originators/%00/assets/loan-7", 404, "unknown-asset"),
    ],
)
async def test_whoever_may_not_see_it_is_refused_and_what_nobody_sent_is_not_found(reader, kind, name, path, status, problem):
    response = await reader.get(path, headers=reader.token(kind, name))
    assert (response.status_code, response.json()["type"]) == (status, f"urn:tranche:problem:{problem}")


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "before=0", "before=2147483649", "before=-1", "before="])
async def test_a_parameter_without_a_valid_value_is_400_and_named(reader, query):
    response = await reader.get(f"{PATH}?{query}", headers=reader.token("operator", "ops"))
    assert (response.status_code, response.json()["field"]) == (400, query.partition("=")[0])


async def test_without_a_database_it_is_503(alone):
    response = await alone.get(PATH, headers=alone.token("operator", "ops"))
    assert (response.status_code, response.json()["type"]) == (503, "urn:tranche:problem:database-unavailable")
    assert response.headers["Retry-After"]
