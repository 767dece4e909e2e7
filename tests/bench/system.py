"""What the benches run on: the embedded Kafka and PostgreSQL, new for each use, and a worker as a process of its own."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient

from streams.admin import create_topics
from streams.embedded.kafka import Kafka
from streams.embedded.ports import free_port
from streams.embedded.postgres import Postgres
from streams.store import migrate
from tests.bench.process import Running, running
from tests.broker.tools import group_of

JOIN_S: Final = 60.0
SESSION_TIMEOUT_S: Final = 30  # longer than any pause that a bench makes


@contextmanager
def kafka_with_topics(home: Path) -> Iterator[str]:
    """The address of a broker that has Tranche's topics and nothing in them."""
    with Kafka(home) as kafka:
        make_topics(kafka.address)
        yield kafka.address


def make_topics(kafka: str) -> None:
    """Give a new broker Tranche's topics."""
    asyncio.run(create_topics(kafka))


def wait_for_members(kafka: str, group: str, members: int) -> None:
    """Wait until a consumer group has so many members and is at rest. Raises TimeoutError."""
    asyncio.run(_wait_for_members(kafka, group, members))


async def _wait_for_members(kafka: str, group: str, members: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        async with asyncio.timeout(JOIN_S):
            state, found = "", 0
            while state != "Stable" or found < members:
                await asyncio.sleep(0.2)  # the protocol has no event for it
                state, found = await group_of(admin, group)
    finally:
        await admin.close()


@contextmanager
def postgres_with_tables(home: Path) -> Iterator[str]:
    """The DSN of a database that has Tranche's tables and nothing in them."""
    with Postgres(home) as postgres:
        asyncio.run(migrate(postgres.address))
        yield postgres.address


def run_worker(
    job: str, assets: int, *, kafka: str, group: str, log: Path, postgres: str = "", tables: str = "memory", name: str = "worker-1"
) -> AbstractContextManager[Running]:
    """A worker under measurement (`tests/bench/worker.py`), with the environment of any worker; its home is named as its log."""
    environ = {
        "TRANCHE_HOME": str(log.with_suffix("")),
        "TRANCHE_TABLES": tables,
        "TRANCHE_WORKER": name,
        "TRANCHE_KAFKA": kafka,
        "TRANCHE_POSTGRES": postgres,
        "TRANCHE_GROUP": group,
        "TRANCHE_OPS_PORT": str(free_port()),
        "TRANCHE_SESSION_TIMEOUT_S": str(SESSION_TIMEOUT_S),
    }
    return running([sys.executable, "-m", "tests.bench.worker", job, str(assets)], log, environ)
