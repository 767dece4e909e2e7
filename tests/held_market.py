"""A worker that holds the market EUR: a real runner and book, whose Steps commit when a test lets them, and its views over HTTP."""

import asyncio
from types import SimpleNamespace

import faust
import httpx

from agents.matcher.agent import compute
from agents.matcher.book import Book
from schemas import events
from streams import settings, topics, views
from streams.effects import Fetch, Message
from streams.embedded import ports
from streams.pace import Pace
from streams.runner import Runner
from streams.store import Store
from streams.why.markets import Markets
from tests.rows import CATALOG
from tests.watched import Watched

SECRET = "s" * 32


class Market:
    """A partition of the matcher: `streams/step.py` without Kafka."""

    def __init__(self):
        self.state, self.offset, self.may_commit = Book(), -1, asyncio.Event()
        self.may_commit.set()

    async def open(self):
        """There are no rows."""

    async def step(self, messages):
        effects = compute(self.state, messages)
        await self.may_commit.wait()
        self.state.apply(effects.rows)
        self.offset = messages[-1].offset


class Worker:
    """It has the partition as soon as it takes the first inputs."""

    def __init__(self):
        signal = SimpleNamespace(connect=lambda *_, **__: None)
        flow = SimpleNamespace(is_active=lambda: True)
        app = SimpleNamespace(on_partitions_revoked=signal, on_partitions_assigned=signal, flow_control=flow)
        self.market, self.offset = Market(), 0
        self.runner = Runner(app, "matcher", topics.OFFERS, lambda _: self.market, None, Pace(), fail_stop=self.fail)
        self.markets = Markets([self.runner], CATALOG)
        self.running = []

    def fail(self, *why):
        raise AssertionError(why)

    def begin(self, *inputs):
        """One Step; done when the task is."""
        message = Message(topics.OFFERS.name, 0, self.offset, 0, None, events.encode(inputs), ())
        self.offset += 1
        return self.runner._begin(0, Fetch(message.offset, message.offset + 1, [message]))

    async def serve(self, folder, host="127.0.0.1"):
        """The views' address. They know no database."""
        port = ports.free_port()
        app = faust.App("test", broker="kafka://127.0.0.1:1", web_bind=host, web_port=port, datadir=folder)
        given = settings.load({"TRANCHE_OPS_HOST": host, "TRANCHE_OPS_PORT": str(port), "TRANCHE_SECRET": SECRET})
        nobody = Store(f"postgresql://nobody@127.0.0.1:{ports.free_port()}/nothing")
        views.install(app, nobody, given, Watched(folder, matcher=[]).watch, CATALOG.products, self.markets)
        app.web.init_server()
        await app.web.start_server()
        client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20)
        self.running.append((app, client))
        return client

    async def close(self):
        for app, client in self.running:
            await client.aclose()
            await app.web.stop_server()


def sell(asset="A1", rate=90_000, amount=100_000, **rest):
    """In cents; the attributes are those that the tests ask for."""
    terms = {
        "product": "consumer-loan-eur", "currency": "EUR", "country": "FI", "price_bp": 10_000, "remaining_months": 24, "days_past_due": 0,
        "risk_group": "A", "all_or_none": False, "bid_cents_min": 2_500, "bid_cents_max": 50_000, **rest,
    }  # fmt: skip
    return events.SellOffer(
        offer=f"bluebird/{asset}/1", originator="bluebird", asset=asset, version=1, amount_cents=amount, rate_ppm=rate,
        attributes={"rate": rate, "country": "FI"}, **terms,
    )  # fmt: skip


def buy(criteria, investor="anna", amount=40_000, most=20_000, bucket="high"):
    return events.BuyOffer(f"{investor}/income/1/{bucket}", investor, "income", 1, bucket, "EUR", amount, most, criteria)
