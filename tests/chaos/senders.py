"""Those who send: each file until it is acknowledged, an originator's files one after the other. That is all that Tranche asks of them."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import msgspec

from agents.trader.portfolio import parse
from schemas.catalog import attributes_of
from schemas.events import encode
from streams import tokens, topics
from streams.effects import Record
from streams.gateway.limits import Limits
from streams.gateway.outlet import BrokerError, Outlet
from streams.partition import asset_key, partition_of
from tests.audit.sent import Sent
from tests.chaos import books
from tests.chaos.books import Book, Document
from tests.chaos.target import StuckError
from tests.rows import CATALOG

MARKETS: Final = {market: attributes_of(market, CATALOG.products.values(), CATALOG.originators) for market in topics.MARKETS}
UPLOADING: Final = ("bluebird", "prairie")  # by the gateway
PRODUCING: Final = ("harbor",)  # by a producer of its own
AGAIN_S: Final = 0.5  # before a file is sent again
FILE_S: Final = 300.0  # bound on one file's delivery, however often it is sent
PORTFOLIO_S: Final = 2.0  # from one to the next
PORTFOLIOS_FIRST: Final = 20
FIRST: Final = 4_000  # documents of a file of the first load


@dataclass
class Senders:
    """All of them, against one gateway and one broker. `refusable` is set when documents that cannot be accepted may be sent."""

    gateway_url: str
    kafka: str
    secret: str
    seed: str
    assets: int  # of each originator
    size: int = 80  # documents of a file
    every_s: float = 0.6  # from one file of an originator to its next
    sent: Sent = field(default_factory=Sent)
    refusable: asyncio.Event = field(default_factory=asyncio.Event)
    again: int = 0  # files and portfolios sent again
    _finish: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._http = httpx.AsyncClient(timeout=60, trust_env=False)
        self._outlet = Outlet(self.kafka, Limits(ack_s=10))
        self._books = {name: Book(self.seed, name, self.assets) for name in (*UPLOADING, *PRODUCING)}

    async def load(self) -> None:
        """Every asset once, as fast as it goes, by producers. Raises StuckError."""
        await asyncio.gather(*map(self._load, self._books.values()))

    async def _load(self, book: Book) -> None:
        for number, documents in enumerate(book.all(FIRST)):
            await self._produce(book.originator, f"{book.originator}.first-{number}", documents, b"")

    async def run(self, investing: bool) -> None:
        """Send until `finish`; what is under way then is delivered to its end.

        Raises:
            StuckError: a file was not acknowledged for FILE_S, or got an answer that no fault explains.
        """
        senders = [self._deliver(book, uploading=name in UPLOADING) for name, book in self._books.items()]
        await asyncio.gather(*senders, *([self._invest()] if investing else []))

    def finish(self) -> None:
        self._finish.set()

    async def close(self) -> None:
        await self._http.aclose()
        await self._outlet.close()

    async def _deliver(self, book: Book, uploading: bool) -> None:
        number = 0
        while not self._finish.is_set():
            number += 1
            documents = book.file(self.size, refusable=self.refusable.is_set(), straying=not uploading)
            if uploading:
                await self._upload(book.originator, documents)
            else:
                broken = books.BROKEN if self.refusable.is_set() and number % 5 == 0 else b""
                await self._produce(book.originator, f"{book.originator}.{number}", documents, broken)
            await self._pause(self.every_s)

    async def _upload(self, originator: str, documents: Sequence[Document]) -> None:
        self._note(originator, documents)
        self.sent.upload_max = max(self.sent.upload_max, len(documents))
        url, data = f"{self.gateway_url}/originators/{originator}/batches", b"".join(document.data for document in documents)
        answer = await self._post(url, "originator", originator, content=data)
        self.sent.uploads[answer.json()["batch"]] = len(documents)

    async def _produce(self, originator: str, batch: str, documents: Sequence[Document], broken: bytes) -> None:
        self._note(originator, documents)
        chunks: dict[int, list[bytes]] = defaultdict(list)
        for document in documents:
            home = partition_of(asset_key(originator.encode(), document.asset.encode()), topics.INGEST.partitions)
            chunks[(home + document.strayed) % topics.INGEST.partitions].append(document.data)
        headers = (("originator", originator.encode()), ("batch", batch.encode()))
        records = [Record(topics.INGEST, None, b"".join(data), partition, headers) for partition, data in chunks.items()]
        if broken:
            records[-1] = records[-1]._replace(value=(records[-1].value or b"") + broken)
        times = 0
        async with _bounded(batch):
            while True:
                times += 1
                self.sent.produced[batch] = (len(documents) + bool(broken), times)
                try:
                    await self._outlet.settled([await self._outlet.put(record) for record in records])
                except BrokerError:
                    self.again += 1
                    await asyncio.sleep(AGAIN_S)
                else:
                    return

    async def _invest(self) -> None:
        for number, (investor, portfolio) in enumerate(books.portfolios(self.seed)):
            if self._finish.is_set():
                return
            answer = await self._post(f"{self.gateway_url}/portfolios", "investor", investor, json=portfolio)
            placed = parse(msgspec.json.encode(portfolio), investor, answer.json()["version"], MARKETS)
            self.sent.portfolios[encode(placed)] += 1
            if number > PORTFOLIOS_FIRST:
                await self._pause(PORTFOLIO_S)

    async def _post(self, url: str, kind: Any, who: str, **body: Any) -> httpx.Response:
        """POST until it is accepted. The gateway is away for moments, and says 503 while the broker is."""
        headers = {"Authorization": f"Bearer {tokens.issue(self.secret, kind, who)}"}
        async with _bounded(url):
            while True:
                try:
                    answer = await self._http.post(url, headers=headers, **body)
                except httpx.TransportError:
                    answer = None
                if answer is not None and answer.status_code in {httpx.codes.ACCEPTED, httpx.codes.OK}:  # or recognised
                    return answer
                if answer is not None and answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                    raise StuckError(f"POST {url}: {answer.status_code} {answer.text[:500]}")
                self.again += 1
                await asyncio.sleep(AGAIN_S)

    def _note(self, originator: str, documents: Sequence[Document]) -> None:
        for document in documents:
            if document.refusable:
                self.sent.refusable.add(f"{originator}/{document.asset}")
            else:
                self.sent.version(originator, document.asset, document.data)

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._finish.wait(), seconds)
        except TimeoutError:
            return


@asynccontextmanager
async def _bounded(what: str) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(FILE_S):
            yield
    except TimeoutError:
        raise StuckError(f"{what}: not acknowledged for {FILE_S:.0f} s") from None
