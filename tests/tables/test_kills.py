"""Real workers with their tables in RocksDB, killed (-9) under load: whatever moment it is, a table on disk is what its changelog says."""

import asyncio
import random
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from streams.broker import KafkaBroker
from streams.changelog import load
from streams.effects import Record, Table
from streams.embedded.ports import free_port
from streams.rocks import RocksTables
from streams.settings import inherited
from tests.broker import counting_worker as counting
from tests.broker.tools import committed, make_topics, produce
from tests.tables.keeping import WORKER, ReadingBroker, rows

ROOT = Path(__file__).parents[2]
KILLS, KEYS, PARTITIONS = 5, 300, 2
SEED = 11

pytestmark = pytest.mark.crash


class System:
    """One worker at a time, started again with the same name and another port; input flows until it is told to stop."""

    def __init__(self, kafka, name, home):
        self.kafka, self.name, self.home = kafka, name, home
        self.sent, self.flowing = [], True
        self.process = None

    def start(self):
        own = {"KAFKA": self.kafka, "GROUP": self.name, "HOME": self.home, "TABLES": "rocksdb", "WORKER": WORKER, "OPS_PORT": free_port()}
        given = {f"TRANCHE_{name}": str(value) for name, value in own.items()}
        command = [sys.executable, "-m", "tests.broker.counting_worker", self.name]
        with (self.home / "worker.log").open("ab") as log:
            self.process = subprocess.Popen(command, env={**inherited(), **given}, cwd=ROOT, stdout=log, stderr=log)

    async def deliver(self, rng):
        while self.flowing:
            keys = [rng.randrange(KEYS) for _ in range(50)]
            await produce(self.kafka, [Record(counting.source(self.name), b"%d" % key, b"", key % PARTITIONS) for key in keys])
            self.sent += keys
            await asyncio.sleep(0.05)  # the pace of the input: about 500 messages a second

    async def counted(self):
        """How many messages each agent has counted; an end offset would count what was aborted, too."""
        return [len(await committed(self.kafka, counting.out(self.name, agent))) for agent in counting.AGENTS]

    async def until(self, count):
        """Wait until each agent has counted so many messages."""
        async with asyncio.timeout(60):
            while min(await self.counted()) < count:
                assert self.process.poll() is None, (self.home / "worker.log").read_text()
                await asyncio.sleep(0.05)

    def on_disk(self, home, agent, number):
        return RocksTables(home, WORKER).open(f"{self.name}.{agent}.{number}", counting.table(self.name, agent))

    async def check(self, home):
        """Each table of a copy of the home is exactly its changelog up to its Place; returns how far those are, in all."""
        reached = 0
        for agent in counting.AGENTS:
            for number in range(PARTITIONS):
                with closing(self.on_disk(home, agent, number)) as table:
                    expected = Table()
                    end = 0 if table.place is None else table.place.offset + 1
                    async for records in KafkaBroker(self.kafka).read(counting.table(self.name, agent).name, number, 0, end):
                        expected.apply({record.key: record.value for record in records})
                    assert rows(table) == expected
                    reached += end
        return reached


@pytest.fixture
async def system(kafka, group, tmp_path):
    topics = [of(group, agent) for of in (counting.out, counting.table) for agent in counting.AGENTS]
    await make_topics(kafka, counting.source(group), *topics)
    system = System(kafka, group, tmp_path)
    yield system
    if system.process:
        system.process.kill()
        system.process.wait()


async def test_tables_of_killed_workers_are_what_their_changelogs_say(system, tmp_path):
    rng = random.Random(SEED)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(system.deliver(random.Random(SEED)))
        reached = []
        for kill in range(KILLS):
            system.start()
            await system.until(max(await system.counted()) + rng.randrange(1, 500))
            system.process.kill()
            system.process.wait()
            copy = tmp_path / f"killed-{kill}"
            shutil.copytree(tmp_path / "tables", copy / "tables")
            reached.append(await system.check(copy))
        system.flowing = False
    assert reached == sorted(set(reached)), "each life went on"
    system.start()
    await system.until(len(system.sent))
    system.process.terminate()
    assert await asyncio.to_thread(system.process.wait, 30) == 0
    log = (tmp_path / "worker.log").read_text()
    assert "table thrown away" not in log, "a kill tears nothing"
    for agent in counting.AGENTS:
        found = {}
        for number in range(PARTITIONS):
            broker = ReadingBroker(system.kafka)
            with closing(system.on_disk(tmp_path, agent, number)) as table:
                await load(table, broker, counting.table(system.name, agent), number)
                assert broker.records == 1, "what was closed in peace has missed nothing"
                found |= rows(table)
        assert {key: int(value) for key, value in found.items() if key != b"\0offset"} == {
            b"%d" % key: system.sent.count(key) for key in set(system.sent)
        }
