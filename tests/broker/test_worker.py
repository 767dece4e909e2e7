"""A real worker: what the consumer group's offsets say decides nothing."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from streams.effects import Record
from streams.embedded.ports import free_ports
from streams.settings import inherited
from tests.broker import counting_worker as counting
from tests.broker.tools import committed, group_of, make_topics, produce

ROOT = Path(__file__).parents[2]
MESSAGES = [(b"%d" % (n % 7), n % 7 % 2) for n in range(100)]  # key, partition


@pytest.fixture
async def system(kafka, group, tmp_path):
    """Starts workers of the group, one after the other, and ends what is left of them."""
    topics = [f(group, agent) for f in (counting.out, counting.table) for agent in counting.AGENTS]
    await make_topics(kafka, counting.source(group), *topics)
    environ = {"TRANCHE_KAFKA": kafka, "TRANCHE_GROUP": group, "TRANCHE_OPS_PORT": str(free_ports(1)[0]), "TRANCHE_HOME": str(tmp_path)}
    started = []

    def start() -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "tests.broker.counting_worker", group]
        started.append(subprocess.Popen(command, env={**inherited(), **environ}, cwd=ROOT, stdout=subprocess.DEVNULL))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


async def deliver(kafka, group):
    await produce(kafka, [Record(counting.source(group), key, b"", partition) for key, partition in MESSAGES])


async def counted(kafka, group, expected):
    """Wait for that many outputs of each agent; returns key -> counts in order, by agent."""
    async with asyncio.timeout(60):
        while True:
            outputs = {agent: await committed(kafka, counting.out(group, agent)) for agent in counting.AGENTS}
            if all(len(records) >= expected for records in outputs.values()):
                break
            await asyncio.sleep(0.2)
    found = {}
    for agent, records in outputs.items():
        for record in records:
            found.setdefault(agent, {}).setdefault(record.key, []).append(int(record.value))
    return found


def all_once(found, rounds):
    each = {key: list(range(1, 1 + rounds * sum(k == key for k, _ in MESSAGES))) for key, _ in MESSAGES}
    return found == dict.fromkeys(counting.AGENTS, each)


async def test_a_group_offset_ahead_of_the_tables_skips_nothing(kafka, group, system):
    await deliver(kafka, group)
    async with AIOKafkaConsumer(bootstrap_servers=kafka, group_id=group, enable_auto_commit=False) as consumer:
        partitions = [TopicPartition(counting.source(group).name, n) for n in range(2)]
        consumer.assign(partitions)
        await consumer.commit(await consumer.end_offsets(partitions))
    system()
    assert all_once(await counted(kafka, group, len(MESSAGES)), rounds=1), "no message has to come for that"
    await deliver(kafka, group)
    assert all_once(await counted(kafka, group, 2 * len(MESSAGES)), rounds=2)


async def test_a_worker_that_is_told_to_stop_ends_with_0_and_the_next_goes_on_where_it_was(kafka, group, system):
    for rounds in (1, 2):
        worker = system()
        await deliver(kafka, group)
        assert all_once(await counted(kafka, group, rounds * len(MESSAGES)), rounds)
        worker.terminate()
        assert await asyncio.to_thread(worker.wait, 30) == 0


async def test_the_group_offset_of_a_topic_is_that_of_its_slowest_agent(kafka, group, system):
    await deliver(kafka, group)
    system()
    await counted(kafka, group, len(MESSAGES))
    ends = [(await committed(kafka, counting.source(group)))[-1].offset + 1]
    async with AIOKafkaConsumer(bootstrap_servers=kafka, group_id=group, enable_auto_commit=False) as consumer, asyncio.timeout(20):
        partition = TopicPartition(counting.source(group).name, 1)
        consumer.assign([partition])
        while await consumer.committed(partition) != ends[-1]:  # noqa: ASYNC110 - the protocol has no event for it
            await asyncio.sleep(0.2)


async def test_topics_that_a_worker_has_not_seen_when_it_joined_are_read_soon_after(kafka, group, system):
    """A broker that is just starting answers that it has none; the group's leader then assigns nothing to anybody."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.delete_topics([counting.source(group).name])
    system()
    async with asyncio.timeout(60):
        while (await group_of(admin, group))[0] != "Stable":  # noqa: ASYNC110 - the protocol has no event for it
            await asyncio.sleep(0.2)
    await admin.close()
    await make_topics(kafka, counting.source(group))
    await deliver(kafka, group)
    assert all_once(await counted(kafka, group, len(MESSAGES)), rounds=1)
