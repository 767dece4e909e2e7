"""The bench's own dealings with the broker: topics made and deleted, the input written."""

from collections.abc import Iterable
from typing import Final

from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from streams.topics import Topic
from tests.bench.books import Item

ANSWER_S: Final = 30.0
WAITING_MAX: Final = 20_000  # messages in the producer's queue


def create(kafka: str, topics: Iterable[Topic]) -> None:
    """Make topics with exactly their settings. Raises KafkaException if one is there already."""
    made = [NewTopic(topic.name, topic.partitions, 1, config=topic.config) for topic in topics]
    admin = AdminClient({"bootstrap.servers": kafka, "log_level": 3})
    for answer in admin.create_topics(made, operation_timeout=ANSWER_S).values():
        answer.result(ANSWER_S)


def delete(kafka: str, prefix: str) -> None:
    """Delete every topic whose name begins with `prefix`: what a run has left behind, changelogs that a peer made itself included."""
    admin = AdminClient({"bootstrap.servers": kafka, "log_level": 3})
    names = [name for name in admin.list_topics(timeout=ANSWER_S).topics if name.startswith(prefix)]
    for answer in (admin.delete_topics(names, operation_timeout=ANSWER_S) if names else {}).values():
        answer.result(ANSWER_S)


def load(kafka: str, topic: str, items: Iterable[Item]) -> int:
    """Write `items` to their partitions and wait for every ack. Returns how many documents that was."""
    faults: list[Exception] = []
    producer = Producer(
        {
            "bootstrap.servers": kafka,
            "compression.type": "zstd",
            "linger.ms": 20,
            "batch.size": 900_000,
            "queue.buffering.max.messages": WAITING_MAX,
        }
    )
    documents = 0
    for item in items:
        documents += item.documents
        while True:
            try:
                producer.produce(
                    topic,
                    item.value,
                    item.key,
                    item.partition,
                    headers=item.headers,
                    on_delivery=lambda fault, _: faults.append(fault) if fault else None,
                )
                break
            except BufferError:
                producer.poll(1.0)
        producer.poll(0)
    left = producer.flush(ANSWER_S * 4)
    if faults or left:
        raise KafkaException(faults[0]) if faults else TimeoutError(f"{topic}: {left} messages without an ack after {ANSWER_S * 4:.0f} s")
    return documents
