"""A real broker's topics for tests: make, write, and read committed to the end."""

from collections.abc import Iterable
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import GroupCoordinatorNotAvailableError

from streams.broker import KafkaBroker
from streams.effects import Record
from streams.topics import Topic


async def make_topics(kafka: str, *topics: Topic) -> None:
    """Make topics of one test."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.create_topics([NewTopic(t.name, t.partitions, 1, topic_configs=t.config) for t in topics])
    await admin.close()


async def produce(kafka: str, records: Iterable[Record]) -> None:
    """Write records as an originator's own producer would."""
    async with AIOKafkaProducer(bootstrap_servers=kafka, enable_idempotence=True, linger_ms=5) as producer:
        sent = [await producer.send(r.topic.name, r.value, r.key, r.partition, headers=list(r.headers)) for r in records]
        for ack in sent:
            await ack


async def committed(kafka: str, topic: Topic) -> list[Any]:
    """All records of a topic, partition by partition, in order."""
    return [record for number in range(topic.partitions) async for chunk in KafkaBroker(kafka).read(topic.name, number) for record in chunk]


async def uncommitted(kafka: str, topic: str) -> list[Any]:
    """What is in partition 0, aborted or not, after a moment without more."""
    async with AIOKafkaConsumer(topic, bootstrap_servers=kafka, enable_auto_commit=False, auto_offset_reset="earliest") as consumer:
        records: list[Any] = []
        while found := await consumer.getmany(timeout_ms=1000):
            records += [record for some in found.values() for record in some]
        return records


async def group_of(admin: AIOKafkaAdminClient, group: str) -> tuple[str, int]:
    """A consumer group's state, as the broker names it, and how many members it has; empty while the broker knows none."""
    try:
        (answer,) = await admin.describe_consumer_groups([group])
    except GroupCoordinatorNotAvailableError:  # of the first group there is
        return "", 0
    _, _, state, _, _, members, *_ = answer.groups[0]
    return state, len(members)
