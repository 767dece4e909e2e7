"""Reading a changelog: so many at once that their memory is bounded."""

import asyncio

from streams.broker import READERS_MAX, KafkaBroker
from streams.effects import Record
from streams.topics import Topic
from tests.broker.tools import make_topics, produce


async def test_a_reader_too_many_waits_until_another_has_done(kafka, group):
    topic, broker = Topic(group, 1), KafkaBroker(kafka)
    await make_topics(kafka, topic)
    await produce(kafka, [Record(topic, b"k", b"v", 0)])
    readers = [broker.read(topic.name, 0) for _ in range(READERS_MAX)]
    for reader in readers:
        assert [record.value for record in await anext(reader)] == [b"v"]
    late = asyncio.ensure_future(anext(broker.read(topic.name, 0)))
    assert not (await asyncio.wait({late}, timeout=1.0))[0], "it has not been let in"
    await readers[0].aclose()
    async with asyncio.timeout(20):
        assert [record.value for record in await late] == [b"v"]
    for reader in readers:
        await reader.aclose()
