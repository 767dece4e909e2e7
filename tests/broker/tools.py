"""A real broker's topics for tests: make, write, and read committed to the end."""

from collections.abc import Iterable
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

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


async def committed(kafka: str, topic: Topic, *, isolation: str = "read_committed") -> list[Any]:
    """All records of a topic, partition by partition, in order; by position, so that markers at the end do not hold it up."""
    async with AIOKafkaConsumer(
        bootstrap_servers=kafka, isolation_level=isolation, enable_auto_commit=False, auto_offset_reset="earliest"
    ) as consumer:
        records: list[Any] = []
        for number in range(topic.partitions):
            partition = TopicPartition(topic.name, number)
            consumer.assign([partition])
            end = (await consumer.end_offsets([partition]))[partition]
            while await consumer.position(partition) < end:
                for found in (await consumer.getmany(partition, timeout_ms=200)).values():
                    records += found
        return records
