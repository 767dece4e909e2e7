"""Reading a stretch of a partition: committed records only, by position and not by record.

A transaction's marker takes an offset but is no record: who waits for the record before the end waits for ever where a marker stands.
"""

from collections.abc import AsyncIterator
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

FETCH_BYTES: Final = 4 * 1024 * 1024


async def read(kafka: str, topic: str, number: int, start: int = 0, end: int | None = None) -> AsyncIterator[list[Any]]:
    """Yield a partition's records, in chunks, from `start` (or the first that is kept) up to and without `end`, by default its end now."""
    reader = AIOKafkaConsumer(
        bootstrap_servers=kafka,
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=100,
        max_partition_fetch_bytes=FETCH_BYTES,
    )
    await reader.start()
    try:
        partition = TopicPartition(topic, number)
        reader.assign([partition])
        # Not seek_to_beginning: assign() has started a reset of its own, and now and then the later of the two wins; seek() ends it.
        reader.seek(partition, start)
        if end is None:
            end = (await reader.end_offsets([partition]))[partition]
        while await reader.position(partition) < end:
            for records in (await reader.getmany(partition, timeout_ms=200)).values():
                yield [record for record in records if record.offset < end]
    finally:
        await reader.stop()
