"""The demo as its users: originators and investors over HTTP, a subscriber on the topics, an operator at the ops views."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any, Final

import httpx

from schemas.events import Investment, SellOffer, decode_investment, decode_market
from streams import tokens, topics
from streams.broker import KafkaBroker

PIECE: Final = 64 * 1024
POLL_S: Final = 0.2
QUIET: Final = 2  # rounds without lag that make a rest: of one worker one would do, but several are asked one after the other
LIMIT_S: Final = 300.0  # of waiting for the market to come to rest
DONE: Final = frozenset({"done", "done with rejections", "failed"})


class DemoError(RuntimeError):
    """The system answered what it should not have."""


class Client:
    """Everybody's requests to one gateway, each with its own bearer token."""

    def __init__(self, url: str, ops_urls: Sequence[str], secret: str) -> None:
        self.url, self.ops_urls, self._secret = url, ops_urls, secret
        self._http = httpx.AsyncClient(timeout=60, trust_env=False)

    async def close(self) -> None:
        await self._http.aclose()

    def _bearer(self, kind: Any, who: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {tokens.issue(self._secret, kind, who)}"}

    async def place(self, investor: str, portfolio: dict[str, Any]) -> None:
        """POST a portfolio."""
        answer = await self._http.post(f"{self.url}/portfolios", json=portfolio, headers=self._bearer("investor", investor))
        _expect(answer, 202)

    async def deliver(self, originator: str, book: Path, advance: Callable[[int], object]) -> str:
        """POST a BSON file in pieces, as a new batch in any case; `advance` is told the bytes sent. Returns the batch id."""

        async def pieces() -> AsyncIterator[bytes]:
            with book.open("rb") as file:
                while piece := file.read(PIECE):
                    yield piece
                    advance(len(piece))

        headers = {"Content-Type": "application/bson", **self._bearer("originator", originator)}
        url = f"{self.url}/originators/{originator}/batches?force=true"
        answer = await self._http.post(url, content=pieces(), headers=headers)
        return str(_expect(answer, 202)["batch"])

    async def batch(self, originator: str, batch: str) -> dict[str, Any]:
        """GET a batch's status."""
        answer = await self._http.get(f"{self.url}/batches/{batch}", headers=self._bearer("originator", originator))
        found: dict[str, Any] = _expect(answer, 200)
        return found

    async def processed(self, originator: str, batch: str) -> None:
        """Wait until all of a batch's documents have an outcome."""
        async with asyncio.timeout(LIMIT_S):
            while (await self.batch(originator, batch))["state"] not in DONE:  # noqa: ASYNC110 - HTTP has no event for it
                await asyncio.sleep(POLL_S)

    async def lag(self) -> int:
        """Records that some agent has still to do, by the ops views of all workers."""
        total = 0
        for url in self.ops_urls:
            answer = await self._http.get(f"{url}/lag?format=json", headers=self._bearer("operator", "demo"))
            total += sum(row["lag"] for row in _expect(answer, 200))
        return total

    async def rest(self) -> None:
        """Wait until no agent has anything to do, QUIET times in a row."""
        quiet = 0
        async with asyncio.timeout(LIMIT_S):
            while quiet < QUIET:
                quiet = quiet + 1 if await self.lag() == 0 else 0
                await asyncio.sleep(POLL_S)


class Subscriber:
    """Reads the published topics as any subscriber can: from the beginning, committed records only."""

    def __init__(self, kafka: str) -> None:
        self._kafka = kafka

    async def investments(self) -> list[Investment]:
        """Every investment there is."""
        return [decode_investment(value) for value in await self._read(topics.INVESTMENTS)]

    async def sell_offers(self) -> list[SellOffer]:
        """Every sell offer that was placed or updated."""
        found = (event for value in await self._read(topics.OFFERS) for event in decode_market(value))
        return [event for event in found if isinstance(event, SellOffer)]

    async def _read(self, topic: topics.Topic) -> list[bytes]:
        chunks = [chunk for number in range(topic.partitions) async for chunk in KafkaBroker(self._kafka).read(topic.name, number)]
        return [record.value for chunk in chunks for record in chunk]


def _expect(answer: httpx.Response, status: int) -> Any:
    if answer.status_code != status:
        raise DemoError(f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text[:500]}")
    return answer.json()
