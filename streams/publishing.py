"""Product files go to the topic `products`: what is newer than what is there, as one transaction or not at all.

One publishes at a time: its producer fences whoever publishes at the same moment, and only then the topic is read. What workers would pass
over (`schemas/published.py`) is refused here, with file, line and field.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import time_ns
from typing import Final

import structlog
from aiokafka.errors import KafkaError

from schemas.product import Product
from schemas.published import BYTES_MAX, Products, encode
from schemas.yamls import CatalogError, Yaml
from streams.broker import Broker, KafkaBroker, Producer
from streams.embedded.errors import UserError
from streams.products import ProductsTable
from streams.settings import Settings
from streams.topics import PRODUCTS

Files = Mapping[str, str]  # path -> YAML, each sound, all together the catalog's or some of them
TO_GO_BACK: Final = "to go back to it, publish it again under a version above"

log = structlog.get_logger()


class PublishingError(UserError):
    """What was to be published is not on the topic, or nobody knows: the message says why and what to do."""


@dataclass(slots=True)
class Comparison:
    """What files come to beside the topic: the versions to be published, those that are there, and files that are older than the topic."""

    new: list[Product] = field(default_factory=list)
    same: list[Product] = field(default_factory=list)
    older: list[str] = field(default_factory=list)  # file, line, field and why


def compare(files: Files, known: Products) -> Comparison:
    """Compare `files` with what is `known` of the topic.

    Raises:
        CatalogError: names file, line and field: of a version that is there and says something else, and of what no message can say.
    """
    found, faults = Comparison(), []
    for file, text in files.items():
        source = Yaml(file, text)
        product = source.read(Product)
        newest, same = known.get(product.product), known.version(product.product, product.version)
        if newest is not None and product.version < newest.version:
            why = f"is {product.version}, and {newest.version} is published; {TO_GO_BACK} {newest.version}"
            found.older.append(str(source.fault("version", why)))
        elif same is None:
            found.new.append(product)
        elif same == product:
            found.same.append(product)
        else:
            why = f"{product.version} is published and says something else; raise it to {product.version + 1}"
            faults.append(source.fault("version", why))
        if len(encode(product)) > BYTES_MAX:
            faults.append(source.fault("", f"{product.product!r} is larger than {BYTES_MAX:,} bytes as a message"))
    faults += _in_one_lane(files, found.new, known)
    if faults:
        raise CatalogError("\n".join(map(str, faults)))
    return found


def _in_one_lane(files: Files, new: Sequence[Product], known: Products) -> list[CatalogError]:
    """Products that would have the lane of one that is on the topic; those among the files are compared when they are read."""
    after = {**known, **{one.product: one for one in new}}
    taken = {one.service.lane: name for name, one in after.items() if one.service and one not in new}
    clashes = {one.product: one.service.lane for one in new if one.service and one.service.lane in taken}
    sources = (Yaml(file, text) for file, text in (files if clashes else {}).items())
    named = ((source, source.read(Product).product) for source in sources)
    return [
        source.fault("service.lane", f"{clashes[name]} is that of {taken[clashes[name]]}; each product has one of its own")
        for source, name in named
        if name in clashes
    ]


async def publish(broker: Broker, group: str, files: Files, *, older: bool = False) -> Comparison:
    """Publish what is new of `files`, fenced by `group`, the system's. With `older`, a file that is older than the topic is no fault.

    Raises:
        CatalogError: a file cannot be published; nothing was.
        PublishingError: somebody else wrote to the topic in spite of the fence. KafkaError: the broker does not do its part.
    """
    table = ProductsTable(broker, Products())
    producer = broker.producer(f"{group}.{PRODUCTS.name}")
    await producer.start()
    try:
        await table.catch_up()
        found = compare(files, table.products)
        if not older:
            _without_older(found)
        if found.new:
            async with producer.transaction():
                end = [await _send(producer, product) for product in found.new][-1]
            await table.catch_up(end)
        for product in found.new:
            if table.products.version(product.product, product.version) != product:
                raise PublishingError(f"{product.product}: somebody else wrote version {product.version} at the same moment; look at it")
        return found
    finally:
        await producer.stop()


async def _send(producer: Producer, product: Product) -> int:
    """Write a product in the open transaction; the offset after it."""
    batch = producer.create_batch()
    batch.append(timestamp=time_ns() // 1_000_000, key=product.product.encode(), value=encode(product), headers=[])
    batch.close()
    return int((await (await producer.send_batch(batch, PRODUCTS.name, partition=0))).offset) + 1


async def publish_files(settings: Settings, files: Files | None = None, *, older: bool = False, check: bool = False) -> Comparison:
    """Publish the catalog of `settings`, or `files` of it, as `publish`; with `check` only say what there is to be published.

    Raises:
        CatalogError: as `publish`, or the catalog is not sound. PublishingError: the broker does not do its part.
    """
    settings.load_catalog()
    if files is None:
        files = {str(path): text for path, text in settings.product_files()}
    broker = KafkaBroker(settings.kafka)
    try:
        if not check:
            return await publish(broker, settings.group, files, older=older)
        table = ProductsTable(broker, Products())
        await table.catch_up()
    except (KafkaError, OSError) as fault:
        raise PublishingError(f"Kafka at {settings.kafka} does not answer as it should ({fault!r}); try the same again") from fault
    return _without_older(compare(files, table.products))


async def publish_newer(settings: Settings) -> None:
    """Publish what of the catalog of `settings` is newer than what is published; what is older stays as it is.

    Raises:
        PublishingError: a file cannot be published, or the broker does not do its part; nothing was published.
    """
    try:
        found = await publish_files(settings, older=True)
    except CatalogError as fault:
        raise PublishingError(str(fault)) from fault
    for why in found.older:
        log.warning("a product file is older than what is published", why=why)


def _without_older(found: Comparison) -> Comparison:
    if found.older:
        raise CatalogError("\n".join(found.older))
    return found
