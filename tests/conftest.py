"""For all tests: one real Kafka and one real PostgreSQL a session, both on free ports below a temporary folder.

A test that uses `kafka` or `postgres` gets the marker `broker` and runs after those that need nothing.
"""

import asyncio
import re
import signal
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import settings

from streams import admin
from streams.embedded.kafka import Kafka
from streams.embedded.postgres import Postgres
from streams.publishing import publish_files
from streams.settings import load
from tests.beside import Beside, Ended, running

SERVERS = {"kafka", "postgres"}

settings.register_profile("tranche", deadline=None, print_blob=True)
settings.load_profile("tranche")


def pytest_configure() -> None:
    """A terminated session stops its servers as an interrupted one does."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if SERVERS.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.broker)
    items.sort(key=lambda item: [item.get_closest_marker(marker) is not None for marker in ("simulation", "crash", "broker")])


@pytest.fixture(scope="session", autouse=True)
def beside(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Beside]]:
    """What runs beside the tests of this session, by the id of the test that waits for it."""
    marks = {item.nodeid: item.get_closest_marker("beside") for item in request.session.items}
    with ExitStack() as stack:
        yield {id_: stack.enter_context(running(tmp_path_factory.mktemp("beside"), mark)) for id_, mark in marks.items() if mark}


@pytest.fixture
def ended(request: pytest.FixtureRequest, beside: dict[str, Beside]) -> Ended:
    """Of a test that is marked `beside`: how its process ended."""
    return beside[request.node.nodeid].ended()


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Bootstrap server of a broker that has every topic, and the products that come with Tranche."""

    async def prepare(address: str) -> None:
        await admin.create_topics(address)
        await publish_files(load({"TRANCHE_KAFKA": address}))

    with Kafka(tmp_path_factory.mktemp("servers")) as server:
        run_apart(prepare(server.address))
        yield server.address


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """DSN of a database that is empty at first."""
    with Postgres(tmp_path_factory.mktemp("servers")) as server:
        yield server.address


@pytest.fixture
def group(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A name that no other test of this session has: for consumer groups, transactional ids, topics and databases of its own."""
    return re.sub(r"[^a-z0-9]+", "-", f"{request.node.name[:60].lower()}-{tmp_path.parent.name}-{tmp_path.name[-4:]}").strip("-")


def run_apart(coroutine: Coroutine[object, object, None]) -> None:
    """Run a coroutine to its end on a loop of its own, from where a loop may be running already."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, coroutine).result()
