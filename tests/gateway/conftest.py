"""A real gateway on a free port, in the test's own loop, and what it published. Every answer is checked against `schemas/openapi.yaml`."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import bson
import httpx
import pytest
import uvicorn
import yaml
from aiokafka import AIOKafkaConsumer, TopicPartition
from jsonschema import Draft202012Validator

import schemas
from streams import settings, topics
from streams.gateway import server
from streams.gateway.limits import Limits
from streams.tokens import issue
from tests.database import database, empty_database, store

__all__ = ["database", "empty_database", "store"]

SECRET = "0123456789abcdef0123456789abcdef"
QUICK = Limits(idle_s=5, ack_s=10, connect_s=2, linger_s=2)


CONTRACT = yaml.safe_load((Path(schemas.__file__).parent / "openapi.yaml").read_text())
PATHS = [(re.compile(re.sub(r"{\w+}", "[^/]+", path)), operations) for path, operations in CONTRACT["paths"].items()]


def valid(instance, schema):
    """Raises if `instance` is not what a schema of the contract says."""
    Draft202012Validator({**CONTRACT, **schema}).validate(instance)


async def keeps_contract(response: httpx.Response) -> None:
    """Raises if the contract does not have this answer: its status, its type, every member."""
    await response.aread()
    kind = response.headers["Content-Type"].partition(";")[0]
    operations = next((ops for path, ops in PATHS if path.fullmatch(response.request.url.path)), {})
    operation = operations.get(response.request.method.lower())
    if operation is None:
        assert (kind, response.status_code) == ("application/problem+json", 405 if operations else 404)
        valid(response.json(), {"$ref": "#/components/schemas/Problem"})
        return
    documented = operation["responses"][str(response.status_code)]
    if "$ref" in documented:
        documented = CONTRACT["components"]["responses"][documented["$ref"].rpartition("/")[2]]
    always = [name for name, header in documented.get("headers", {}).items() if header.get("required", True)]
    assert all(name in response.headers for name in always)
    schema = documented["content"][kind]["schema"]
    if kind.endswith("json"):
        valid(response.json(), schema)


class Client(httpx.AsyncClient):
    """Calls the gateway at `address`, (host, port)."""

    def __init__(self, port: int) -> None:
        super().__init__(base_url=f"http://127.0.0.1:{port}", timeout=60, event_hooks={"response": [keeps_contract]})
        self.address = ("127.0.0.1", port)

    def token(self, kind: str, name: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {issue(SECRET, kind, name)}"}

    async def upload(self, content, originator="bluebird", **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.post(
            f"/originators/{originator}/batches", content=content, headers={**self.token("originator", originator), **headers}
        )


class _Server(uvicorn.Server):
    async def startup(self, sockets=None) -> None:
        await super().startup(sockets)
        self.ready.set()


@asynccontextmanager
async def serve(kafka="127.0.0.1:1", postgres="", limits=QUICK, inbox="", **more) -> AsyncIterator[Client]:
    """A gateway; without a broker's address there is none at the other end."""
    environ = {"SECRET": SECRET, "KAFKA": kafka, "POSTGRES": postgres, "INBOX": str(inbox), **more}
    given = settings.load({f"TRANCHE_{name}": str(value) for name, value in environ.items()})
    running = _Server(server.server(given, limits).config)
    running.ready = asyncio.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        task = asyncio.create_task(running.serve([listening]))
        await running.ready.wait()
        async with Client(listening.getsockname()[1]) as client:
            yield client
        running.should_exit = True
        await task


@pytest.fixture(name="serve")
def _serve():
    return serve


@pytest.fixture
def contract():
    return CONTRACT


@pytest.fixture(name="valid")
def _valid():
    return valid


@pytest.fixture
async def alone() -> AsyncIterator[Client]:
    """A gateway with neither broker nor database."""
    async with serve() as client:
        yield client


@pytest.fixture
async def client(kafka) -> AsyncIterator[Client]:
    """A gateway with a broker."""
    async with serve(kafka) as client:
        yield client


@pytest.fixture
async def published(kafka):
    """Call it with a topic: all records that were published there since the test began; `least` waits for so many."""
    watched = [
        TopicPartition(t.name, p) for t in (topics.INGEST, topics.BATCHES, topics.REJECTED, topics.PORTFOLIOS) for p in range(t.partitions)
    ]
    async with AIOKafkaConsumer(bootstrap_servers=kafka, enable_auto_commit=False) as consumer:
        begin = await consumer.end_offsets(watched)

        async def read(topic, least=0):
            places, records = [place for place in watched if place.topic == topic.name], []
            end = await consumer.end_offsets(places)
            consumer.assign(places)
            for place in places:
                consumer.seek(place, begin[place])
            least = max(least, sum(end[place] - begin[place] for place in places))
            async with asyncio.timeout(30):
                while len(records) < least:
                    for got in (await consumer.getmany(timeout_ms=10_000)).values():
                        records += got
            return sorted(records, key=lambda record: (record.partition, record.offset))

        yield read


@pytest.fixture
def book():
    """Call it with a number: so many loans of bluebird, as BSON documents."""

    def make(loans, size=0):
        return [bson.encode({"originator_id": "bluebird", "asset_id": f"loan-{n}", "note": "x" * size}) for n in range(loans)]

    return make
