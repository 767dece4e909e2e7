"""What the Step relies on, asked of the in-memory broker and of Kafka alike: so the simulation does not lie."""

import asyncio
from contextlib import aclosing, asynccontextmanager

import pytest
from aiokafka.errors import MessageSizeTooLargeError, OutOfOrderSequenceNumber, ProducerFenced

from streams.broker import TRANSACTION_MS
from tests.simulation.servers import InMemory, OnKafka

PATIENCE_S = 40


@pytest.fixture(params=["memory 1", "memory 2", pytest.param("kafka", marks=pytest.mark.broker)])
def server(request, group):
    if request.param == "kafka":
        return OnKafka(request.getfixturevalue("kafka"), group)
    return InMemory(int(request.param.split()[1]))


@asynccontextmanager
async def producer(server, name="one"):
    """A started producer of a transactional id of this test."""
    started = server.broker().producer(f"{server.name}.{name}")
    await started.start()
    yield started
    await started.stop()


async def send(sender, topic, *values):
    """Write values as one batch of the open transaction; returns the acknowledgement to wait for."""
    batch = sender.create_batch()
    for value in values:
        assert batch.append(timestamp=None, key=b"k", value=value, headers=[("h", b"v")]) is not None
    batch.close()
    return await sender.send_batch(batch, topic.name, partition=0)


async def write(sender, topic, *values):
    """One committed transaction of one batch."""
    async with sender.transaction():
        await (await send(sender, topic, *values))


async def read(server, topic, start=0, end=None):
    """(offset, value) of what a new reader gets."""
    async with aclosing(server.broker().read(topic.name, 0, start, end)) as chunks:
        return [(record.offset, record.value) async for chunk in chunks for record in chunk]


async def becomes(server, topic, expected):
    """A commit is answered before its marker is written: until then the reader gets less."""
    async with asyncio.timeout(PATIENCE_S):
        while (found := await read(server, topic)) != expected:
            assert found == expected[: len(found)]
            await asyncio.sleep(0.05)


def test_committed_records_are_read_in_order_with_all_that_they_carry(server):
    async def scenario(server, topic):
        async with producer(server) as sender:
            await write(sender, topic, b"a", b"b", b"c")
            await becomes(server, topic, [(0, b"a"), (1, b"b"), (2, b"c")])
        async with aclosing(server.broker().read(topic.name, 0)) as chunks:
            (first, *_) = [record async for chunk in chunks for record in chunk]
        assert (first.topic, first.partition, first.key, first.headers) == (topic.name, 0, b"k", (("h", b"v"),))
        assert first.timestamp > 0

    server.run(scenario)


def test_a_transaction_ends_with_a_marker_that_takes_an_offset_and_is_no_record(server):
    async def scenario(server, topic):
        async with producer(server) as sender:
            await write(sender, topic, b"a")
            await write(sender, topic, b"b")
            await becomes(server, topic, [(0, b"a"), (2, b"b")])
        assert await read(server, topic, start=1) == [(2, b"b")]
        assert await read(server, topic, start=3) == []

    server.run(scenario)


def test_a_follower_gets_what_is_committed_as_it_comes(server):
    async def scenario(server, topic):
        async with producer(server) as sender, aclosing(server.broker().follow(topic.name, 0, 1)) as chunks, asyncio.timeout(PATIENCE_S):
            await write(sender, topic, b"a", b"b")
            assert [record.value for record in await anext(chunks)] == [b"b"]
            await write(sender, topic, b"c")
            assert [(record.offset, record.value) for record in await anext(chunks)] == [(3, b"c")]

    server.run(scenario)


def test_an_acknowledgement_says_where_its_batch_begins(server):
    async def scenario(server, topic):
        async with producer(server) as sender, sender.transaction():
            acks = [await send(sender, topic, b"a", b"b"), await send(sender, topic, b"c")]
            assert [metadata.offset for metadata in await asyncio.gather(*acks)] == [0, 2]

    server.run(scenario)


def test_an_aborted_transaction_is_never_read_and_its_offsets_are_gone(server):
    async def scenario(server, topic):
        async def fails(sender):
            async with sender.transaction():
                await (await send(sender, topic, b"a"))
                raise ZeroDivisionError

        async with producer(server) as sender:
            with pytest.raises(ZeroDivisionError):
                await fails(sender)
            await write(sender, topic, b"b")
            await becomes(server, topic, [(2, b"b")])

    server.run(scenario)


def test_an_open_transaction_hides_what_others_have_committed_behind_it(server):
    async def scenario(server, topic):
        async with producer(server) as slow, producer(server, "two") as quick:
            async with slow.transaction():
                await (await send(slow, topic, b"a"))
                await write(quick, topic, b"b")
                await asyncio.sleep(0.5)
                assert await read(server, topic) == []
            await becomes(server, topic, [(0, b"a"), (1, b"b")])

    server.run(scenario)


def test_who_reads_to_a_given_end_gets_no_more_and_waits_for_what_is_undecided_before_it(server):
    async def scenario(server, topic):
        async with producer(server) as sender:
            await write(sender, topic, b"a", b"b", b"c")
            assert await read(server, topic, start=1, end=2) == [(1, b"b")]
            async with sender.transaction():
                await (await send(sender, topic, b"d"))
                reading = asyncio.ensure_future(read(server, topic, start=2, end=5))
                await asyncio.sleep(1)
                assert not reading.done()
            assert await asyncio.wait_for(reading, PATIENCE_S) == [(2, b"c"), (4, b"d")]

    server.run(scenario)


def test_a_producer_that_starts_aborts_what_an_earlier_one_left_open_and_fences_it(server):
    async def scenario(server, topic):
        async def goes_on(zombie):
            async with zombie.transaction():
                await (await send(zombie, topic, b"b"))
                async with producer(server) as holder:
                    await write(holder, topic, b"c")
                    await becomes(server, topic, [(0, b"a"), (4, b"c")])
                await (await send(zombie, topic, b"d"))

        async with producer(server) as zombie:
            await write(zombie, topic, b"a")
            with pytest.raises(ProducerFenced):
                await goes_on(zombie)
            with pytest.raises(AssertionError):
                await write(zombie, topic, b"e")
            await becomes(server, topic, [(0, b"a"), (4, b"c")])

    server.run(scenario)


def test_a_commit_after_the_fence_is_refused(server):
    async def scenario(server, topic):
        async def commits(zombie):
            async with zombie.transaction():
                await (await send(zombie, topic, b"a"))
                async with producer(server):
                    pass

        async with producer(server) as zombie:
            with pytest.raises(ProducerFenced):
                await commits(zombie)
            assert await read(server, topic) == []

    server.run(scenario)


def test_whoever_starts_reads_all_that_the_earlier_one_has_committed(server):
    async def scenario(server, topic):
        for n in range(5):
            async with producer(server) as sender:
                assert len(await read(server, topic)) == n
                await write(sender, topic, b"%d" % n)

    server.run(scenario)


def test_a_record_larger_than_the_topic_takes_is_refused_with_its_transaction_and_its_producer_is_done_for(server):
    async def scenario(server, topic):
        async def writes_large(sender):
            async with sender.transaction():
                await (await send(sender, topic, b"a"))
                await (await send(sender, topic, bytes(2 << 20)))

        async with producer(server) as sender:
            with pytest.raises(MessageSizeTooLargeError):
                await writes_large(sender)
            with pytest.raises(OutOfOrderSequenceNumber):
                await write(sender, topic, b"b")
        async with producer(server) as sender:
            await write(sender, topic, b"c")
            await becomes(server, topic, [(3, b"c")])  # the second transaction has a marker, too

    server.run(scenario)


def test_a_batch_takes_records_up_to_its_size_and_a_large_one_alone(server):
    async def scenario(server, _):
        async with producer(server) as sender:
            batch = sender.create_batch()
            counts = 0
            while batch.append(timestamp=None, key=None, value=bytes(100_000), headers=[]) is not None:
                counts += 1
            assert (counts, batch.record_count()) == (9, 9)
            assert 900_000 < batch.size() < 902_000
            alone = sender.create_batch()
            assert alone.append(timestamp=None, key=None, value=bytes(2 << 20), headers=[]) is not None
            assert alone.size() > 2 << 20

    server.run(scenario)


def test_a_transaction_that_takes_too_long_is_aborted_and_its_producer_fenced(server):
    async def scenario(server, topic):
        async def takes_too_long(slow, quick):
            async with slow.transaction():
                await (await send(slow, topic, b"a"))
                await write(quick, topic, b"b")
                async with asyncio.timeout(PATIENCE_S):
                    while not await read(server, topic):  # noqa: ASYNC110 - the protocol has no event for it
                        await asyncio.sleep(TRANSACTION_MS / 10_000)

        async with producer(server) as slow, producer(server, "two") as quick:
            with pytest.raises(ProducerFenced):
                await takes_too_long(slow, quick)
            await becomes(server, topic, [(1, b"b")])

    server.run(scenario)
