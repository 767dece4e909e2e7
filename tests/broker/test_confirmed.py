"""Originators with real HTTP servers are asked by a real worker before anything is sold, and answer as servers do."""

import asyncio
import json
import shutil
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import yaml
from bson.decimal128 import Decimal128

import schemas
from schemas.events import Bucket, Portfolio, decode_released, encode
from streams import topics
from streams.demo.client import Subscriber
from streams.effects import Record
from streams.settings import load
from streams.supervisor import System
from streams.webhooks.signing import webhook_secret
from tests.broker.test_whole import eventually
from tests.broker.tools import committed, produce
from tests.loans import encoded
from tests.wanted import wants
from tests.webhooks.receivers import is_signed, receiver, says

SECRET = "0123456789abcdef0123456789abcdef"
SIZE = 1000_00


async def never(_request, _writer):
    await asyncio.sleep(600)


async def no(request, writer):
    declined = [one["sell_offer"] for one in json.loads(request.body)["data"]["proposals"]]
    await says(200, json.dumps({"declined": declined}).encode())(request, writer)


ANSWERS = {
    "agrees": says(200, b'{"declined": []}'),
    "declines": no,
    "babbles": says(200, b"<html>fine with us</html>"),
    "moved": says(307, b"", "Location: /elsewhere"),
    "silent": never,
}


def catalog_of(folder: Path, callbacks: dict[str, str]) -> Path:
    """A catalog with these originators, and one that nobody asks."""
    shutil.copytree(Path(schemas.__file__).parent / "products", folder / "products")
    listed = [{"originator": name, "name": name, "callback": url} for name, url in callbacks.items()]
    (folder / "originators.yaml").write_text(yaml.safe_dump([*listed, {"originator": "unasked", "name": "unasked"}]))
    return folder


def loan(originator: str, asset: str = "A1") -> Record:
    document = encoded(asset, originator, sale="all_or_none", outstanding=Decimal128("1000.00"))
    return Record(topics.INGEST, f"{originator}/{asset}".encode(), document, None, (("originator", originator.encode()),))


def wanted(investor: str, size: int, *originators: str) -> Record:
    bucket = Bucket("all", 100, wants(originators=originators))
    return Record(topics.PORTFOLIOS, investor.encode(), encode(Portfolio("p", investor, 1, "USD", size, (bucket,), SIZE)))


@pytest.mark.broker
async def test_what_an_originator_does_not_confirm_is_back_on_the_market_and_the_money_goes_elsewhere(tmp_path):
    async with AsyncExitStack() as stack:
        servers = {name: await stack.enter_async_context(receiver(answer)) for name, answer in ANSWERS.items()}
        catalog = catalog_of(tmp_path / "catalog", {name: server.url("127.0.0.1") for name, server in servers.items()})
        given = {"HOME": tmp_path / "home", "CATALOG": catalog, "SECRET": SECRET, "WEBHOOKS_TO": "any", "OPS_PORT": 0}
        settings = load({f"TRANCHE_{name}": str(value) for name, value in given.items()})
        system = await stack.enter_async_context(System(settings, gateway=False))

        async def released():
            events = [decode_released(record.value) for record in await committed(system.kafka, topics.RELEASED)]
            return {(one.originator, one.bids[0].investor): one.reason.split(":")[0] for one in events}

        async def invested():
            return {(one.originator, one.asset): one.amount_cents for one in await Subscriber(system.kafka).investments()}

        await produce(system.kafka, [wanted("ann", len(ANSWERS) * SIZE)])
        await produce(system.kafka, [loan(name) for name in ANSWERS])
        refused = {("declines", "ann"): "declined", **{(name, "ann"): "no answer" for name in ("babbles", "moved", "silent")}}
        await eventually(released, refused)
        await eventually(invested, {("agrees", "A1"): SIZE})

        await produce(system.kafka, [loan("unasked", f"A{n}") for n in range(len(ANSWERS))])  # one more than there is money for
        await eventually(lambda: count(invested), len(ANSWERS))
        await produce(system.kafka, [wanted("ben", SIZE, "declines")])
        await eventually(released, {**refused, ("declines", "ben"): "declined"})
        assert (await invested())["agrees", "A1"] == SIZE
        assert await count(invested) == len(ANSWERS), "nobody else was sold anything"
    for name, server in servers.items():
        assert server.requests, name
        assert all(is_signed(webhook_secret(SECRET, name), request) for request in server.requests)


async def count(look):
    return len(await look())
