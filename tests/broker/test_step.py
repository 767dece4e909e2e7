"""The Step against a real broker: records, rows and offset are one, and only one holder of a partition can write."""

import asyncio
from collections.abc import Sequence

import pytest
from aiokafka.errors import ProducerFenced

from streams.broker import KafkaBroker
from streams.effects import Effects, Message, Record, Stage, Table
from streams.step import OFFSET, POISON_MAX, Partition, PoisonedError, TooLargeError
from streams.topics import Topic
from tests.broker.tools import committed, make_topics, uncommitted


class Case:
    """A stage that counts the messages of each key: wrong at once if one is lost or seen twice."""

    def __init__(self, kafka: str, name: str) -> None:
        self.kafka, self.name = kafka, name
        self.source, self.out = Topic(f"{name}.in", 1), Topic(f"{name}.out", 1)
        self.stage = Stage(name, self.source, Topic(f"{name}.table", 1, compacted=True), self.compute)

    def compute(self, table: Table, messages: Sequence[Message]) -> Effects:
        effects = Effects()
        for message in messages:
            if message.value == b"poison":
                effects.poison += 1
            elif message.value == b"delete":
                effects.rows[message.key] = None
            else:
                count = b"%d" % (int(effects.rows.get(message.key) or table.get(message.key, b"0")) + 1)
                effects.rows[message.key] = count
                effects.records.append(Record(self.out, message.key, message.value or count, 0, (("h", b"v"),)))
        return effects

    async def open(self) -> Partition:
        partition = Partition(self.stage, 0, KafkaBroker(self.kafka), "test")
        await partition.open()
        return partition

    def message(self, offset: int, key: bytes = b"a", value: bytes = b"") -> Message:
        return Message(self.source.name, 0, offset, 0, key, value, ())

    async def written(self) -> list[bytes]:
        """What is committed. A commit is answered before its markers are in the partitions; opening begins after they are."""
        await (await self.open()).close()
        return [record.value for record in await committed(self.kafka, self.out)]


@pytest.fixture
async def case(kafka, group):
    case = Case(kafka, group)
    await make_topics(kafka, case.source, case.out, case.stage.table)
    return case


async def test_a_reopened_partition_knows_its_rows_and_its_offset(case):
    first = await case.open()
    await first.step([case.message(0), case.message(1, b"b")])
    await first.step([case.message(5)])
    await first.close()
    second = await case.open()
    assert (second.state, second.offset) == ({b"a": b"2", b"b": b"1"}, 5)
    await second.close()


async def test_input_that_the_table_includes_is_skipped(case):
    partition = await case.open()
    await partition.step([case.message(0), case.message(1)])
    await partition.step([case.message(0), case.message(1), case.message(2)])
    await partition.close()
    assert await case.written() == [b"1", b"2", b"3"]


async def test_input_that_waits_twice_for_one_step_is_done_once(case):
    partition = await case.open()
    await partition.step([case.message(0), case.message(1), case.message(0), case.message(1), case.message(2)])
    await partition.close()
    assert await case.written() == [b"1", b"2", b"3"]


async def test_records_carry_their_headers_and_deleted_rows_are_gone_after_reopening(case):
    partition = await case.open()
    await partition.step([case.message(0), case.message(1, b"b")])
    await partition.step([case.message(2, b"a", b"delete")])
    await partition.close()
    again = await case.open()
    assert again.state == {b"b": b"1"}
    await again.close()
    assert {record.headers for record in await committed(case.kafka, case.out)} == {(("h", b"v"),)}


async def test_a_second_holder_fences_the_first_which_can_write_nothing_more(case):
    zombie = await case.open()
    await zombie.step([case.message(0)])
    holder = await case.open()
    with pytest.raises(ProducerFenced):
        await zombie.step([case.message(1)])
    assert zombie.state == {b"a": b"1"}, "state changes after the commit only"
    await holder.step([case.message(1)])
    await holder.close()
    assert await case.written() == [b"1", b"2"]


async def test_a_holder_that_is_fenced_between_two_of_its_batches_says_that_it_was_fenced(case):
    zombie = await case.open()
    await zombie.step([case.message(0)])
    holder = await case.open()
    send = zombie._producer.send_batch

    async def slowly(*given, **named):
        ack = await send(*given, **named)
        await asyncio.wait({ack})
        return ack

    zombie._producer.send_batch = slowly
    with pytest.raises(ProducerFenced):
        await zombie.step([case.message(1)])
    await holder.close()


async def test_what_a_killed_holder_left_open_is_aborted_by_the_next_opening(case):
    killed = await case.open()
    await killed.step([case.message(0)])
    await killed._producer.begin_transaction()
    batches = killed._batches([Record(case.out, b"a", b"half", 0), Record(case.stage.table, OFFSET, b"1 0", 0)], 0)
    for batch in batches:
        await (await killed._producer.send_batch(batch, case.out.name, partition=0))
    holder = await case.open()
    assert holder.offset == 0
    await holder.step([case.message(1)])
    await holder.close()
    assert await case.written() == [b"1", b"2"]
    assert b"half" in [record.value for record in await uncommitted(case.kafka, case.out.name)]


async def test_a_record_too_large_for_the_broker_writes_nothing_at_all(case):
    partition = await case.open()
    with pytest.raises(TooLargeError):
        await partition.step([case.message(0), case.message(1, b"b", bytes(3 << 20))])
    assert (partition.state, partition.offset) == ({}, -1)
    again = await case.open()
    assert (again.state, again.offset, await case.written()) == ({}, -1, [])
    await again.close()


async def test_a_step_larger_than_one_record_batch_is_still_one_transaction(case):
    partition = await case.open()
    await partition.step([case.message(n, b"k%d" % n, bytes(300_000)) for n in range(9)])
    await partition.close()
    assert len(await case.written()) == 9


async def test_many_unreadable_messages_in_a_row_stop_the_partition_even_over_restarts(case):
    partition = await case.open()
    await partition.step([case.message(n, value=b"poison") for n in range(POISON_MAX - 1)])
    await partition.close()
    again = await case.open()
    await again.step([case.message(POISON_MAX, value=b"poison")])
    with pytest.raises(PoisonedError):
        await again.step([case.message(POISON_MAX + 1, value=b"poison")])
    await again.step([case.message(POISON_MAX + 1)])
    assert again.poison == 0
    await again.close()
