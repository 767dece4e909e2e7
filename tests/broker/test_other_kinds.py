"""A real worker trades a kind of asset that only its catalog's folder knows."""

import shutil

import pytest

from streams.demo.client import Client, Subscriber
from streams.settings import load
from streams.supervisor import System
from tests.broker.test_whole import eventually
from tests.invoices import PRODUCT, SHIPPED, encoded
from tests.loans import encoded as loan

PORTFOLIO = {
    "portfolio": "short",
    "currency": "EUR",
    "size": "10000.00",
    "bid_max": "5000.00",
    "buckets": [{"name": "invoices", "share_percent": 100, "criteria": "remaining_months <= 2"}],
}


@pytest.mark.broker
async def test_invoices_are_delivered_and_invested_in_by_a_product_file_in_the_catalogs_folder(tmp_path):
    catalog = tmp_path / "catalog"
    shutil.copytree(SHIPPED / "products", catalog / "products")
    shutil.copy(SHIPPED / "originators.yaml", catalog)
    shutil.copy(PRODUCT, catalog / "products")
    home = {"TRANCHE_HOME": str(tmp_path / "home"), "TRANCHE_OPS_PORT": "0", "TRANCHE_GATEWAY_PORT": "0"}
    async with System(load({**home, "TRANCHE_CATALOG": str(catalog)})) as system:
        client = Client(system.gateway_url, system.ops_urls, system.settings.secret)
        await client.place("anna", PORTFOLIO)
        book = tmp_path / "book.bson"
        book.write_bytes(encoded("I1") + encoded("I2", due=...) + loan("L1"))
        batch = await client.deliver("bluebird", book, lambda _: None)
        await client.processed("bluebird", batch)
        status = await client.batch("bluebird", batch)
        assert status["counts"]["created"] == 2
        assert status["reasons"] == [{"reason": "is missing", "field": "due", "count": 1}]

        async def invested():
            return [(one.asset, one.amount_cents) for one in await Subscriber(system.kafka).investments()]

        await eventually(invested, [("I1", 120_000)])
        await client.close()
