"""A small stage for one fault: two workers (`sabotaged_worker.py`), kept as the product keeps its own, a known input, and the check."""

import asyncio
import sys
from collections import defaultdict
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Self

import asyncpg
import psutil
from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.effects import Record
from streams.embedded.ports import free_ports
from streams.embedded.services import CommandService, keep
from streams.settings import inherited
from streams.store import migrate
from streams.topics import Topic
from tests.audit.findings import Findings
from tests.broker.tools import committed, make_topics, produce
from tests.chaos import sabotaged_worker as program
from tests.chaos.target import SESSION_S

ROOT: Final = Path(__file__).parents[2]
WORKERS: Final = ("w1", "w2")
KEYS: Final = [b"key-%d" % n for n in range(40)]
VALUE: Final = b"%-150d"  # a message's number among those of its key, and spaces
ROUND: Final = 40  # messages of each key in one delivery
START_S: Final = 60.0
REST_S: Final = 90.0  # bound on the wait until everything is done
STILL_S: Final = 4.0  # without anything new: the rest is lost
POLL_S: Final = 0.1


class Scene:
    """The workers of one test, as a context manager; `protection` is turned off in them, `parts` are AGENTS, SINK or both."""

    def __init__(self, kafka: str, postgres: str, name: str, home: Path, protection: str, parts: Collection[str]) -> None:
        self.kafka, self.postgres, self.name, self.parts = kafka, postgres, name, parts
        own = {"HOME": str(home), "KAFKA": kafka, "POSTGRES": postgres, "GROUP": name, "SESSION_TIMEOUT_S": str(SESSION_S)}
        environ = {**inherited(), **{f"TRANCHE_{variable}": value for variable, value in own.items()}, "PYTHONPATH": str(ROOT)}
        command = (sys.executable, "-m", program.__name__, name, protection, *parts)
        self.services = {
            worker: CommandService(worker, command, {**environ, "TRANCHE_WORKER": worker, "TRANCHE_OPS_PORT": str(port)}, home, "")
            for worker, port in zip(WORKERS, free_ports(len(WORKERS)), strict=True)
        }
        self.rounds = 0
        self._keepers: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        name = self.name
        tables = [program.table(name, agent) for agent in ("first", "second")]
        await make_topics(self.kafka, program.source(name), program.middle(name), program.out(name), *tables)
        await migrate(self.postgres)
        await self._sql(f"CREATE TABLE {program.rows(name)} (id bigserial, key text, count integer)")
        self._looker = AIOKafkaConsumer(bootstrap_servers=self.kafka)
        await self._looker.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._looker.stop()
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        for service in self.services.values():
            if service.pid and psutil.pid_exists(service.pid):
                psutil.Process(service.pid).kill()
            await service.ended()

    async def start(self) -> None:
        """Start the workers, and wait until each has partitions."""
        for service in self.services.values():
            await service.start()
            self._keepers.append(asyncio.create_task(keep(service, lambda: None)))
        async with asyncio.timeout(START_S):
            while not all(b"partition opened" in service.log.read_bytes() for service in self.services.values()):  # noqa: ASYNC110
                await asyncio.sleep(POLL_S)

    def process(self, worker: str) -> psutil.Process:
        pid = self.services[worker].pid
        assert pid is not None
        return psutil.Process(pid)

    async def kill(self, worker: str) -> None:
        """Kill the worker; one that has ended itself a moment before, when it is there again."""
        async with asyncio.timeout(START_S):
            while True:
                pid = self.services[worker].pid
                with suppress(psutil.NoSuchProcess):
                    if pid is not None:
                        return psutil.Process(pid).kill()
                await asyncio.sleep(POLL_S)

    async def deliver(self) -> None:
        """More input: far more than one Step takes."""
        self.rounds += 1
        source, done = program.source(self.name), self.rounds * ROUND
        numbers = range(done - ROUND + 1, done + 1)
        await produce(self.kafka, [Record(source, key, VALUE % i, n % program.PARTITIONS) for i in numbers for n, key in enumerate(KEYS)])

    async def working(self) -> None:
        """Deliver, and wait until the workers are in the middle of it."""
        before = await self._end()
        await self.deliver()
        async with asyncio.timeout(REST_S):
            while await self._end() <= before:  # noqa: ASYNC110 - other processes do it
                await asyncio.sleep(POLL_S / 10)

    async def asleep(self, worker: str) -> psutil.Process:
        """Deliver, and wait until the worker has stopped in the middle of a Step."""
        process = self.process(worker)
        process.send_signal(program.ASLEEP)
        await self.deliver()
        async with asyncio.timeout(REST_S):
            while process.status() != psutil.STATUS_STOPPED:  # noqa: ASYNC110 - it cannot tell
                await asyncio.sleep(POLL_S)
        return process

    async def rest(self) -> None:
        """Wait until everything that is expected is there, or nothing more comes."""
        expected, clock = self.rounds * ROUND * len(KEYS), asyncio.get_running_loop().time
        found, since = [0], clock()
        async with asyncio.timeout(REST_S):
            while min(found) < expected and (min(found) == 0 or clock() - since < SESSION_S + STILL_S):
                await asyncio.sleep(POLL_S)
                now = [len(await committed(self.kafka, topic)) for topic, _ in self._outputs]
                if program.SINK in self.parts:
                    now.append(await self._written())
                if now != found:
                    found, since = now, clock()
        await asyncio.sleep(1.0)  # what is done twice may be the last

    async def check(self) -> Findings:
        """Every count of every key once and in order, at each place."""
        findings, name, count = Findings(), self.name, self.rounds * ROUND
        each = range(1, count + 1)
        for topic, value in self._outputs:
            found = defaultdict(list)
            for record in await committed(self.kafka, topic):
                found[record.key].append(record.value)
            findings.compare(topic.name, {key: [value.format(n).encode() for n in each] for key in KEYS}, found)
        if program.SINK not in self.parts:
            return findings
        stored = defaultdict(list)
        for row in await self._sql(f"SELECT key, count FROM {program.rows(name)} ORDER BY id"):
            stored[row["key"].encode()].append(row["count"])
        findings.compare("PostgreSQL", {key: list(each) for key in KEYS}, stored)
        return findings

    async def skip(self) -> None:
        """Put the group's offsets of the input at its end."""
        async with AIOKafkaConsumer(bootstrap_servers=self.kafka, group_id=self.name, enable_auto_commit=False) as consumer:
            partitions = [TopicPartition(program.source(self.name).name, n) for n in range(program.PARTITIONS)]
            consumer.assign(partitions)
            await consumer.commit(await consumer.end_offsets(partitions))

    @property
    def _outputs(self) -> list[tuple[Topic, str]]:
        """The agents' topics, and what the values of a key are on each, of its numbers."""
        outputs = [(program.middle(self.name), "{0}"), (program.out(self.name), "{0} {0}")]
        return outputs if program.AGENTS in self.parts else []

    async def _written(self) -> int:
        """The rows of the sink."""
        return int((await self._sql(f"SELECT count(*) FROM {program.rows(self.name)}"))[0][0])

    async def _end(self) -> int:
        """Offsets that the topic between the agents has, markers included."""
        topic = program.middle(self.name).name
        return sum((await self._looker.end_offsets([TopicPartition(topic, n) for n in range(program.PARTITIONS)])).values())

    async def _sql(self, statement: str) -> Any:
        connection = await asyncpg.connect(self.postgres)
        try:
            return await connection.fetch(statement)
        finally:
            await connection.close()
