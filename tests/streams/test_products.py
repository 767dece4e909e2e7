"""The topic `products` as a global table, and the Step that decides by it, on the simulation's broker."""

import asyncio
import random

import pytest
from aiokafka.errors import KafkaError
from msgspec import structs

from agents.assessor import agent as assessor
from agents.intake import agent as intake
from schemas.columns import ASSESSED, CHANGED, decode
from schemas.product import UnknownProductError
from schemas.published import Products, encode
from streams import topics
from streams.changelog import OFFSET, parse
from streams.effects import Message
from streams.partition import partition_of
from streams.products import NoProductsError, ProductsTable
from streams.step import Partition, ProductsError
from streams.transport import messages_of
from tests.loans import encoded
from tests.rows import CATALOG
from tests.simulation.broker import Cluster
from tests.simulation.client import SimulatedBroker
from tests.simulation.clock import Process, VirtualLoop
from tests.simulation.network import Network

NAME = "consumer-loan-usd"
FIRST = CATALOG.products[NAME]
HOME = partition_of(b"bluebird/L1", topics.ASSET_PARTITIONS)
HEADERS = (("originator", b"bluebird"),)


class World:
    """A broker and workers on it, each with its own table."""

    def __init__(self) -> None:
        self.network = Network(VirtualLoop(), random.Random(7))
        self.cluster = Cluster(self.network, topics.ALL)

    def run(self, scenario):
        self.network.loop.run(scenario(self))

    def publish(self, more=0, value=None):
        """A version of the product, `more` above the first, dearer by as much."""
        groups = tuple(structs.replace(group, price_bp=group.price_bp + more) for group in FIRST.groups)
        product = structs.replace(FIRST, version=FIRST.version + more, groups=groups)
        self.cluster.publish(topics.PRODUCTS.name, 0, NAME.encode(), encode(product) if value is None else value, ())

    def table(self, name):
        return ProductsTable(SimulatedBroker(self.network, self.cluster, Process(name)), Products())

    async def opened(self, table, agent=intake):
        stage = agent.stages(structs.replace(CATALOG, products=table.products))[0]
        partition = Partition(stage, HOME, table._broker, "test", products=table)
        await partition.open()
        return partition

    def written(self, topic, schema):
        """The rows of a topic, committed."""
        return [row for entry in self.cluster.logs[topic.name, HOME].history() for row in decode(entry.value, schema).to_pylist()]

    def steps(self):
        entries = self.cluster.logs[topics.INTAKE_TABLE.name, HOME].history()
        return [parse(entry.value) for entry in entries if entry.key == OFFSET]


@pytest.fixture
def world():
    return World()


def loan(offset, asset="L1", **more):
    return Message(topics.INGEST.name, HOME, offset, 0, None, encoded(asset, **more), HEADERS)


def changed(world):
    """What intake has written, as the assessor gets it."""
    return messages_of(world.cluster.logs[topics.CHANGED.name, HOME].history())


async def reaches(table, offset):
    async with asyncio.timeout(60):
        while table.offset < offset:  # noqa: ASYNC110 - it is looked at from outside
            await asyncio.sleep(0.1)


def test_a_table_is_read_to_its_end_and_then_follows(world):
    async def scenario(world):
        table = world.table("a")
        with pytest.raises(NoProductsError, match="tranche products publish"):
            await table.require()
        world.publish()
        await table.require()
        assert table.products[NAME].version == FIRST.version
        following = asyncio.ensure_future(table.follow())
        for more, value in ((1, None), (0, b"{"), (2, None)):
            world.publish(more, value)
        await reaches(table, 3)
        following.cancel()
        assert [one.product.version - FIRST.version for one in table.products.published] == [0, 1, 2]
        assert [one.offset for one in table.products.published] == [0, 1, 3]

    world.run(scenario)


def test_a_table_that_reads_and_follows_at_once_takes_each_message_once(world):
    async def scenario(world):
        table = world.table("a")
        following = asyncio.ensure_future(table.follow())
        for more in range(20):
            world.publish(more)
            await table.catch_up()
            assert [one.offset for one in table.products.published] == list(range(more + 1))
        following.cancel()

    world.run(scenario)


def test_it_follows_again_after_a_fault_of_the_broker(world, monkeypatch):
    async def scenario(world):
        table, follow, faults = world.table("a"), SimulatedBroker.follow, []

        async def faulty(broker, *given):
            if len(faults) < 2:
                faults.append(given)
                raise KafkaError("away")
            async for records in follow(broker, *given):
                yield records

        monkeypatch.setattr(SimulatedBroker, "follow", faulty)
        world.publish()
        following = asyncio.ensure_future(table.follow())
        await reaches(table, 0)
        following.cancel()
        assert len(faults) == 2

    world.run(scenario)


def test_what_is_taken_names_the_newest_version_and_the_table_notes_up_to_where_it_was_read(world):
    async def scenario(world):
        world.publish()
        table = world.table("a")
        await table.require()
        partition = await world.opened(table)
        await partition.step([loan(0)])
        world.publish(1)
        await partition.step([loan(1, days_past_due=1)])  # it has not heard of it
        await table.catch_up()
        await partition.step([loan(2, days_past_due=2)])
        await asyncio.sleep(5)
        assert [row["product_version"] - FIRST.version for row in world.written(topics.CHANGED, CHANGED)] == [0, 0, 1]
        assert world.steps() == [(0, 0, 0), (1, 0, 0), (2, 0, 1)]

    world.run(scenario)


def test_whoever_opens_a_partition_goes_by_products_as_far_as_those_before(world):
    async def scenario(world):
        world.publish()
        ahead, behind = world.table("a"), world.table("b")
        await behind.require()
        world.publish(1)
        await ahead.require()
        await (await world.opened(ahead)).step([loan(0)])
        await asyncio.sleep(5)
        assert behind.products[NAME].version == FIRST.version
        await (await world.opened(behind)).step([loan(1, days_past_due=1)])
        await asyncio.sleep(5)
        assert [row["product_version"] - FIRST.version for row in world.written(topics.CHANGED, CHANGED)] == [1, 1]

    world.run(scenario)


def test_where_the_topic_is_not_the_one_of_that_time_nothing_is_decided(world):
    async def scenario(world):
        world.publish()
        world.publish(1)
        table = world.table("a")
        await table.require()
        await (await world.opened(table)).step([loan(0)])
        await asyncio.sleep(5)
        other = Cluster(world.network, [topics.PRODUCTS])
        world.cluster.logs[topics.PRODUCTS.name, 0] = other.logs[topics.PRODUCTS.name, 0]
        world.publish()
        table = world.table("b")
        await table.require()
        with pytest.raises(ProductsError, match="has gone by products up to 1, and the topic ends at 0"):
            await world.opened(table)

    world.run(scenario)


def test_whoever_meets_a_version_that_it_does_not_know_yet_reads_on(world):
    async def scenario(world):
        world.publish()
        ahead, behind = world.table("a"), world.table("b")
        await behind.require()
        world.publish(1)
        await ahead.require()
        await (await world.opened(ahead)).step([loan(0)])
        await asyncio.sleep(5)
        partition = await world.opened(behind, assessor)
        await partition.step(changed(world))
        await asyncio.sleep(5)
        (row,) = world.written(topics.ASSESSED, ASSESSED)
        assert row["product_version"] == FIRST.version + 1
        assert behind.products[NAME].version == FIRST.version + 1

    world.run(scenario)


def test_a_version_that_is_on_no_topic_ends_the_step_and_nothing_of_it_is_done(world):
    async def scenario(world):
        world.publish(1)
        ahead, without = world.table("a"), world.table("b")
        await ahead.require()
        await (await world.opened(ahead)).step([loan(0)])
        await asyncio.sleep(5)
        world.cluster.logs[topics.PRODUCTS.name, 0] = Cluster(world.network, [topics.PRODUCTS]).logs[topics.PRODUCTS.name, 0]
        partition = await world.opened(without, assessor)
        with pytest.raises(UnknownProductError, match=f"version {FIRST.version + 1} of product '{NAME}' is not on the topic"):
            await partition.step(changed(world))
        await asyncio.sleep(5)
        assert not world.written(topics.ASSESSED, ASSESSED)

    world.run(scenario)


def test_an_old_version_assesses_for_ever_what_it_has_taken(world):
    async def scenario(world):
        world.publish()
        table = world.table("a")
        await table.require()
        await (await world.opened(table)).step([loan(0)])
        await asyncio.sleep(5)
        first = await world.opened(table, assessor)
        await first.step(changed(world))
        for more in (1, 2):
            world.publish(more)
        later = world.table("b")
        await later.require()
        stage = assessor.stages(structs.replace(CATALOG, products=later.products))[0]
        again = stage.compute({}, changed(world)).records
        assert [decode(record.value, ASSESSED).to_pylist() for record in again] == [world.written(topics.ASSESSED, ASSESSED)]

    world.run(scenario)
