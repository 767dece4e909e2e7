"""The topic `products` as a global table: each process has all of it, in memory, and takes in what comes while it runs.

A message counts for everybody from its offset on: all tables are made of the same messages in the same order, and differ only in how far
they have read. What that means for the Steps that decide by it is in `streams/step.py`.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Final, Never

import structlog
from aiokafka.errors import KafkaError

from schemas.published import NotTakenError, Products
from streams import metrics
from streams.broker import Broker
from streams.embedded.errors import UserError
from streams.topics import MARKETS, PRODUCTS

AGAIN_S: Final = 1.0  # before the topic is followed again, after a fault of the broker

log = structlog.get_logger()


class NoProductsError(UserError):
    """There is no product on the topic."""

    def __init__(self) -> None:
        super().__init__(f"the topic {PRODUCTS.name} has no product; `tranche products publish` puts those of the catalog there")


class ProductsTable:
    """`products`, grown by the topic of `broker`. All methods belong to one event loop at a time."""

    def __init__(self, broker: Broker, products: Products) -> None:
        self._broker, self.products = broker, products

    @property
    def offset(self) -> int:
        """That of the last message that it includes, -1 without."""
        return self.products.offset

    async def catch_up(self, end: int | None = None) -> None:
        """Take in all that the topic has now, or has before `end`. Raises what Kafka raises."""
        await self._take(self._broker.read(PRODUCTS.name, 0, self.products.offset + 1, end))

    async def require(self) -> None:
        """Take in all that the topic has now.

        Raises:
            NoProductsError: there is no product. And what Kafka raises.
        """
        await self.catch_up()
        if not self.products:
            raise NoProductsError

    async def follow(self) -> Never:
        """Take in what comes, for ever. While the broker is away, the table stays as it is."""
        while True:
            try:
                await self._take(self._broker.follow(PRODUCTS.name, 0, self.products.offset + 1))
            except (KafkaError, OSError) as fault:
                log.warning("products cannot be followed", fault=repr(fault))
            await asyncio.sleep(AGAIN_S)

    async def _take(self, reading: AsyncGenerator[list[Any]]) -> None:
        async with aclosing(reading) as chunks:
            async for records in chunks:
                for record in records:
                    if record.offset > self.products.offset:  # the other reading has not brought it yet
                        self._take_in(record)

    def _take_in(self, record: Any) -> None:
        try:
            new = self.products.take(record.offset, record.timestamp, record.key, record.value, MARKETS)
        except NotTakenError as why:
            metrics.PRODUCTS_REFUSED.inc()
            log.warning("a message on products is passed over", offset=record.offset, why=str(why))
        else:
            if new:
                product = self.products.published[-1].product
                metrics.PRODUCT_VERSION.labels(product.product).set(product.version)
                log.info("product taken in", product=product.product, version=product.version, offset=record.offset)
        metrics.PRODUCTS_OFFSET.set(record.offset)
