"""The matcher's books in this worker, read between two Steps.

A Step works in the book before its transaction is committed, so a reader waits until it is over, and reads without awaiting anything: it
sees the state after the last committed input, never a part of a Step. To count, it takes what it needs at one such moment.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from agents.matcher import why
from agents.matcher.book import Book
from schemas.catalog import Catalog, attributes_of
from streams import topics
from streams.runner import Runner
from streams.why import words

AGENT: Final = "matcher"
TURNS: Final = 50  # Steps that a reader waits for at most; one or two are the rule
T = TypeVar("T")


class UnknownPortfolioError(Exception):
    """No market has ever had a buy offer of this portfolio."""


class ElsewhereError(Exception):
    """The markets that this worker holds do not know the portfolio, and another worker holds others."""


class BusyError(Exception):
    """Step follows Step, and none left the book alone."""


class Markets:
    """What the worker with these runners can tell of its markets; `catalog` says in which words."""

    def __init__(self, runners: Sequence[Runner], catalog: Catalog) -> None:
        self._runner = next((one for one in runners if one.name == AGENT), None)
        self._catalog = catalog
        self._counting = asyncio.Lock()  # what is counted lies in memory twice, once in the book

    def held(self) -> list[str]:
        """The currencies of the markets that this worker holds now."""
        return [topics.MARKETS[number] for number in self._numbers()]

    async def why(self, portfolio: str, asset: str | None) -> dict[str, Any]:
        """Of investor/portfolio and originator/asset, or all that is on offer: a body for programs, with a text for people at each reason.

        Raises:
            UnknownPortfolioError, ElsewhereError, BusyError
        """
        for number in self._numbers():
            found = await (self._of_portfolio(number, portfolio) if asset is None else self._of_asset(number, portfolio, asset))
            if found is not None:
                return found
        raise UnknownPortfolioError if self.held() == list(topics.MARKETS) else ElsewhereError

    async def _of_asset(self, number: int, portfolio: str, asset: str) -> dict[str, Any] | None:
        found = await self._read(number, lambda book: why.of_asset(book, portfolio, asset))
        return words.of_asset(found, *self._terms(number)) if found else None

    async def _of_portfolio(self, number: int, portfolio: str) -> dict[str, Any] | None:
        async with self._counting:
            slices = await self._read(number, lambda book: why.of_portfolio(book, portfolio))
            found = None
            for counts in slices or ():
                found = counts
                await asyncio.sleep(0)
        return words.of_portfolio(found, topics.MARKETS[number]) if found else None

    async def _read(self, number: int, read: Callable[[Book], T]) -> T | None:
        """What `read` finds in a market's book, between two Steps; None if this worker has just let go of it."""
        runner = self._runner
        for _ in range(TURNS):
            held: Any = runner.held.get(number) if runner else None
            if runner is None or held is None:
                return None
            if held.state.settle():
                return read(held.state)
            await runner.settle([number])
        raise BusyError

    def _numbers(self) -> list[int]:
        return sorted(self._runner.held) if self._runner else []

    def _terms(self, number: int) -> tuple[str, Mapping[str, Any]]:
        market = topics.MARKETS[number]
        return market, attributes_of(market, self._catalog.products.values(), self._catalog.originators)
