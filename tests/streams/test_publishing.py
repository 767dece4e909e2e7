"""Product files to the topic `products`: what is new, what is refused, and one at a time."""

import asyncio
import random

import pytest
from aiokafka.errors import ProducerFenced

from schemas.published import Products, encode
from schemas.yamls import CatalogError
from streams import topics
from streams.products import ProductsTable
from streams.publishing import PublishingError, compare, publish
from streams.settings import load
from tests.rows import CATALOG
from tests.simulation.broker import Cluster
from tests.simulation.client import SimulatedBroker
from tests.simulation.clock import Process, VirtualLoop
from tests.simulation.network import Network

FILES = {path.name: text for path, text in load({}).product_files()}
USD, EUR = "consumer-loan-usd.yaml", "consumer-loan-eur.yaml"
(VERSION,) = {product.version for product in CATALOG.products.values()}
SERVICE = "\nservice: {url: 'http://x/', predicts: cash_flow, fallback: wait, lane: 3}\n"


def changed(name, version=VERSION, **more):
    """The file with another version, and other fields."""
    text = FILES[name].replace(f"\nversion: {VERSION}\n", f"\nversion: {version}\n")
    for field, value in more.items():
        (line,) = (line for line in text.splitlines() if line.startswith(f"{field}:"))
        text = text.replace(line, f"{field}: {value}")
    return {name: text}


def known(files):
    """What the topic says when these were published."""
    products = Products()
    for offset, product in enumerate(compare(files, Products()).new):
        products.take(offset, 0, product.product.encode(), encode(product), topics.MARKETS)
    return products


def names(products):
    return [(product.product, product.version) for product in products]


def test_what_the_topic_lacks_is_new_and_the_same_again_is_there():
    assert names(compare(FILES, Products()).new) == [("consumer-loan-eur", VERSION), ("consumer-loan-usd", VERSION)]
    again = compare(FILES, known(FILES))
    assert (again.new, names(again.same), again.older) == ([], [("consumer-loan-eur", VERSION), ("consumer-loan-usd", VERSION)], [])


def test_words_that_say_the_same_are_the_same():
    assert not compare({USD: "# a comment\n" + FILES[USD] + "\nlimits: {}\n"}, known(FILES)).new


def test_a_change_needs_a_version_above():
    with pytest.raises(CatalogError, match=f": version: {VERSION} is published and says something else; raise it to {VERSION + 1}"):
        compare(changed(USD, days_past_due_max=3), known(FILES))
    assert names(compare(changed(USD, VERSION + 3, days_past_due_max=3), known(FILES)).new) == [("consumer-loan-usd", VERSION + 3)]


def test_the_line_of_the_version_is_named():
    line = FILES[USD].splitlines().index(f"version: {VERSION}") + 1
    with pytest.raises(CatalogError, match=f"^{USD}:{line}: version"):
        compare(changed(USD, days_past_due_max=3), known(FILES))


@pytest.mark.parametrize("more", [{}, {"days_past_due_max": 3}], ids=["as it was", "with a change"])
def test_a_version_below_the_newest_is_older(more):
    later = known({**FILES, **changed(USD, VERSION + 2)})
    found = compare(changed(USD, **more), later)
    assert (found.new, found.same) == ([], [])
    (why,) = found.older
    assert f"version: is {VERSION}, and {VERSION + 2} is published; to go back to it, publish it again under a version above" in why


def test_a_lane_of_a_product_that_is_in_none_of_the_files_is_taken():
    served = known({EUR: FILES[EUR] + SERVICE})
    with pytest.raises(CatalogError, match=rf"{USD}:\d+: service.lane: 3 is that of consumer-loan-eur"):
        compare({USD: FILES[USD] + SERVICE}, served)
    moved = {USD: FILES[USD] + SERVICE, **changed(EUR, VERSION + 1)}
    assert len(compare(moved, served).new) == 2


class World:
    def __init__(self) -> None:
        self.network = Network(VirtualLoop(), random.Random(3))
        self.cluster = Cluster(self.network, topics.ALL)

    def broker(self, name="p"):
        return SimulatedBroker(self.network, self.cluster, Process(name))

    async def table(self):
        table = ProductsTable(self.broker("reader"), Products())
        await table.catch_up()
        return table.products

    def run(self, scenario):
        async def whole():
            await scenario(self)
            await asyncio.sleep(5)

        self.network.loop.run(whole())


@pytest.fixture
def world():
    return World()


def test_all_that_is_new_is_published_in_one_transaction_and_the_same_again_writes_nothing(world):
    async def scenario(world):
        assert len((await publish(world.broker(), "g", FILES)).new) == 2
        assert dict(await world.table()) == CATALOG.products
        end = world.cluster.logs[topics.PRODUCTS.name, 0].end
        assert len((await publish(world.broker(), "g", FILES)).same) == 2
        assert world.cluster.logs[topics.PRODUCTS.name, 0].end == end
        assert world.network.faults["transactions committed"] == 1

    world.run(scenario)


def test_where_one_file_cannot_be_published_none_is(world):
    async def scenario(world):
        await publish(world.broker(), "g", FILES)
        with pytest.raises(CatalogError, match=EUR):
            await publish(world.broker(), "g", {**changed(USD, VERSION + 1), **changed(EUR, days_past_due_max=3)})
        assert dict(await world.table()) == CATALOG.products

    world.run(scenario)


def test_an_older_file_is_refused_or_passed_over_where_that_is_wanted(world):
    async def scenario(world):
        await publish(world.broker(), "g", {**FILES, **changed(USD, VERSION + 1)})
        with pytest.raises(CatalogError, match=f"{USD}:.*is published"):
            await publish(world.broker(), "g", FILES)
        found = await publish(world.broker(), "g", {**FILES, **changed(EUR, VERSION + 1)}, older=True)
        assert (names(found.new), len(found.older)) == ([("consumer-loan-eur", VERSION + 1)], 1)
        assert {product.version for product in (await world.table()).values()} == {VERSION + 1}

    world.run(scenario)


def test_of_two_who_publish_at_once_one_is_fenced_or_finds_the_others(world):
    async def scenario(world):
        await publish(world.broker(), "g", FILES)
        mine, others = changed(USD, VERSION + 1, days_past_due_max=3), changed(USD, VERSION + 1, days_past_due_max=4)
        ends = await asyncio.gather(*(publish(world.broker(), "g", one) for one in (mine, others)), return_exceptions=True)
        done = [end for end in ends if not isinstance(end, BaseException)]
        assert len(done) == 1
        assert isinstance(next(end for end in ends if isinstance(end, BaseException)), ProducerFenced | CatalogError)
        assert (await world.table())["consumer-loan-usd"] == done[0].new[0]

    world.run(scenario)


def test_who_writes_past_the_fence_at_the_same_moment_is_found(world, monkeypatch):
    async def scenario(world):
        await publish(world.broker(), "g", FILES)
        (other,) = compare(changed(USD, VERSION + 1, days_past_due_max=9), Products()).new
        catches_up = ProductsTable.catch_up

        async def meanwhile(self, end=None):
            await catches_up(self, end)
            if end is None:
                world.cluster.publish(topics.PRODUCTS.name, 0, other.product.encode(), encode(other), ())

        monkeypatch.setattr(ProductsTable, "catch_up", meanwhile)
        with pytest.raises(PublishingError, match="somebody else wrote version"):
            await publish(world.broker(), "g", changed(USD, VERSION + 1))

    world.run(scenario)
