"""The faults, each made for sure: it returns when it was made, and what it took away is given back."""

import asyncio
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import psutil
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from streams import admin, topics
from streams.topics import Topic
from tests.chaos.disk import Disk
from tests.chaos.plan import Fault
from tests.chaos.recovery import Kill, now_ms
from tests.chaos.senders import Senders
from tests.chaos.target import SESSION_S, WORKERS, StuckError, Target

END_S: Final = 60.0  # bound on a worker's or a server's clean stop
FULL_S: Final = 30.0  # bound on the wait for what a full disk does
REFUSED_S: Final = 30.0  # bound on the wait for the first refused produce
READY_S: Final = 60.0  # bound on the wait for the workers after a fault of the servers
TINY_BYTES: Final = 150  # more than a transaction's marker, less than any record batch with a record and its offset
STEPS_WRITE: Final = (topics.CHANGED, topics.ASSESSED, topics.OFFERS, topics.BATCHES, topics.INTAKE_TABLE, topics.ROUTER_TABLE)
POLL_S: Final = 0.1


@dataclass
class Faults:
    """Makes faults on a target and counts them; `kills` are those whose recovery is measured."""

    target: Target
    disk: Disk
    senders: Senders
    made: Counter[str] = field(default_factory=Counter)
    kills: list[Kill] = field(default_factory=list)

    async def make(self, fault: Fault) -> None:
        """Make one fault.

        Raises:
            StuckError: something that should come back by itself has not.
        """
        await FAULTS[fault.name](self, random.Random(fault.seed))

    async def kill(self, rng: random.Random) -> None:
        (await self.target.alive(rng.choice(self.target.workers))).kill()
        self.made["kills"] += 1

    async def measured_kill(self, rng: random.Random) -> None:
        await self.target.ready(READY_S)
        await asyncio.sleep(2.0)  # the input flows again
        name = rng.choice(WORKERS)
        process = await self.target.alive(name)
        self.kills.append(Kill(now_ms(), name))
        process.kill()
        self.made["kills"] += 1

    async def pause(self, rng: random.Random) -> None:
        process = await self.target.alive(rng.choice(self.target.workers))
        process.suspend()
        try:
            await asyncio.sleep(SESSION_S + rng.uniform(2, 4))  # the fault itself: longer than the group waits for it
        finally:
            process.resume()
        self.made["pauses"] += 1

    async def leave(self, rng: random.Random) -> None:
        process = await self.target.alive(rng.choice(self.target.workers))
        process.terminate()
        await _ended(process)
        self.made["leaves"] += 1

    async def gateway(self, _: random.Random) -> None:
        (await self.target.alive("gateway")).kill()
        self.made["gateway_kills"] += 1

    async def join(self, _: random.Random) -> None:
        await self.target.join()
        self.made["joins"] += 1

    async def remove(self, _: random.Random) -> None:
        await self.target.remove()
        self.made["removals"] += 1

    async def server(self, name: str, number: signal.Signals) -> None:
        """End a server; its supervisor starts it again."""
        process = await self.target.alive(name)
        process.send_signal(number)
        await _ended(process)
        await self.target.alive(name, but=process.pid)
        self.made[f"{'broker' if name == 'kafka' else name}_restarts"] += 1
        await self.target.ready(READY_S)

    async def full_disk(self, _: random.Random) -> None:
        """No room for anybody, until a server has ended of it, or FULL_S."""
        if self.disk.why_not:
            return
        servers = [await self.target.alive(name) for name in ("kafka", "postgres")]
        self.disk.fill()
        try:
            async with asyncio.timeout(FULL_S):
                while all(map(_runs, servers)):  # noqa: ASYNC110 - other processes end
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            if self.disk.free_bytes > 0:
                raise StuckError("the disk did not become full") from None
        finally:
            self.disk.free()
        self.made["full_disk"] += 1
        for server in ("kafka", "postgres"):
            await self.target.alive(server)
        await self.target.ready(READY_S)

    async def refusal(self, rng: random.Random) -> None:
        """The broker refuses a topic's batches as too large, until a Step has met that and a little longer."""
        topic, before = rng.choice(STEPS_WRITE), self._fail_stops("MessageSizeTooLarge")
        async with refusing(self.target.run.kafka, topic):
            await self._until(lambda: self._fail_stops("MessageSizeTooLarge") > before, f"no Step was refused on {topic.name}")
            await asyncio.sleep(rng.uniform(1, 3))
        self.made["refused"] += 1

    async def topic(self, rng: random.Random) -> None:
        """The topic of refused documents goes before there are any; then they come, and after a while it is made anew."""
        async with _admin(self.target.run.kafka) as client:
            await client.delete_topics([topics.REJECTED.name])
        self.senders.refusable.set()
        await asyncio.sleep(rng.uniform(3, 6))
        await admin.create_topics(self.target.run.kafka)
        self.made["topics_deleted"] += 1

    def _fail_stops(self, why: str) -> int:
        return sum(line.get("event") == "fail-stop" and why in line["fault"] for line in self.target.said())

    async def _until(self, done: Callable[[], bool], otherwise: str) -> None:
        try:
            async with asyncio.timeout(REFUSED_S):
                while not done():  # noqa: ASYNC110 - other processes do it
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise StuckError(f"{otherwise} within {REFUSED_S:.0f} s") from None


FAULTS: Final[dict[str, Callable[[Faults, random.Random], Awaitable[None]]]] = {
    "kill": Faults.kill,
    "measured kill": Faults.measured_kill,
    "pause": Faults.pause,
    "leave": Faults.leave,
    "gateway kill": Faults.gateway,
    "join": Faults.join,
    "removal": Faults.remove,
    "broker kill": lambda faults, _: faults.server("kafka", signal.SIGKILL),
    "broker stop": lambda faults, _: faults.server("kafka", signal.SIGTERM),
    "postgres kill": lambda faults, _: faults.server("postgres", signal.SIGKILL),
    "postgres stop": lambda faults, _: faults.server("postgres", signal.SIGINT),
    "disk": Faults.full_disk,
    "refusal": Faults.refusal,
    "topic": Faults.topic,
}


@asynccontextmanager
async def refusing(kafka: str, topic: Topic) -> AsyncIterator[None]:
    """While it is entered, the broker refuses all that is written to a topic, as too large."""

    async def configure(config: dict[str, str]) -> None:
        async with _admin(kafka) as client:
            answers = await client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic.name, configs=config)])
        faults = [message for answer in answers for code, message, *_ in answer.resources if code]
        assert not faults, faults

    await configure({**topic.config, "max.message.bytes": str(TINY_BYTES)})
    try:
        yield
    finally:
        await configure(topic.config)


def _runs(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


async def _ended(process: psutil.Process) -> None:
    try:
        await asyncio.to_thread(process.wait, END_S)
    except psutil.TimeoutExpired:
        raise StuckError(f"{process} has not ended {END_S:.0f} s after its signal") from None


@asynccontextmanager
async def _admin(kafka: str) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await client.start()
    try:
        yield client
    finally:
        await client.close()
