"""`python -m tests.bench.matching HOW --criteria N --offers N`: match sell offers with a full book on one core, and say how that went.

Tranche's figures are of all that a Step does but Kafka: messages of 100 offers read, checked and matched, the proposals and rows written,
the rows taken in. Its book is built from the rows of its table, as at a start.
"""

import argparse
import json
import statistics
import time
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from agents.matcher import rows
from agents.matcher.agent import compute
from agents.matcher.book import Book
from agents.matcher.draft import Draft
from schemas.criteria import Criteria, Predicate
from schemas.events import SellOffer, encode
from streams.effects import Message
from tests.bench import market
from tests.bench.peers.lap import peak_rss_mb
from tests.matcher.naive import Buy, NaiveBook

STEP: Final = 100  # offers of a message, as the router writes them
LAPS: Final = 5
CHUNK: Final = 5_000  # rows at a time, about what a fetch brings
UNWANTED: Final = 999  # days past due
NAIVE: Final = 2  # sell offers that the naive book has time for


class Market:
    """The matcher, as the Step runs it."""

    def __init__(self) -> None:
        self.book = Book()
        self.bids = self._offset = 0

    def step(self, offers: list[SellOffer]) -> float:
        """One Step for these offers; the seconds that it took."""
        value = encode(offers)
        self._offset += 1
        started = time.perf_counter()
        effects = compute(self.book, [Message("offers", 0, self._offset, 0, None, value, ())])
        self.book.apply(effects.rows)
        seconds = time.perf_counter() - started
        self.bids += sum(record.value.count(b'"number"') for record in effects.records if record.value)
        return seconds


def table(criteria: int, assets: int) -> Iterator[dict[bytes, bytes | None]]:
    """The rows of a book with ten buy offers for each criteria, and so many assets on offer that nobody wants, in chunks."""
    chunk: dict[bytes, bytes | None] = {}
    for key, value in _rows(criteria, assets):
        chunk[key] = value
        if len(chunk) >= CHUNK:
            yield chunk
            chunk = {}
    yield chunk


def _rows(criteria: int, assets: int) -> Iterator[tuple[bytes, bytes]]:
    for n, bought in enumerate(market.buy_offers(market.criteria(criteria)), 1):
        yield rows.BUY + bought.offer.encode(), rows.encode(rows.bought(bought, n))
    placed = market.CRITERIA_EACH * criteria
    for n, sold in enumerate(market.sell_offers(assets, criteria, seed=9), 1):
        unwanted = msgspec.structs.replace(sold, attributes={**sold.attributes, "days_past_due": UNWANTED})
        yield rows.ASSET + f"{sold.originator}/{sold.asset}".encode(), rows.encode(rows.Asset(1, unwanted, placed + n))
    yield rows.MARKET, b"%d" % (placed + assets)


def tranche(criteria: int, offers: int) -> dict[str, Any]:
    """Recovery; offers by the hundred in LAPS, the median counts; then one a Step; then all-or-none ones and their next versions."""
    ours = Market()
    ours.step(market.sell_offers(1, criteria, seed=8))  # compiles what was not compiled yet
    ours.book = Book()
    recovery = 0.0
    for chunk in table(criteria, criteria):
        started = time.perf_counter()
        ours.book.apply(chunk)
        recovery += time.perf_counter() - started
    started = time.perf_counter()
    Draft(ours.book)
    recovery += time.perf_counter() - started
    lap = offers // LAPS
    fresh = market.sell_offers((LAPS + 1) * lap, criteria)
    _steps(ours, fresh[:lap])
    ours.bids = 0
    rates = [lap / _steps(ours, fresh[n * lap : (n + 1) * lap]) for n in range(1, LAPS + 1)]
    bids = ours.bids / (LAPS * lap)
    single = sorted(ours.step([offer]) * 1e6 for offer in market.sell_offers(lap, criteria, seed=3))
    halves = market.sell_offers(max(1, lap // 10), criteria, all_or_none=True, seed=4)
    first = statistics.median(ours.step([offer]) for offer in halves)
    again = statistics.median(ours.step([market.later(offer)]) for offer in halves)
    rate = statistics.median(rates)
    return {
        "sell_offers_per_s": round(rate), "bids_per_s": round(rate * bids), "bids": round(bids, 1),
        "p50_us": round(statistics.median(single)), "p99_us": round(single[int(len(single) * 0.99)]),
        "rematch_ratio": round(again / first, 2), "recovery_s": round(recovery, 1), "rss_mb": peak_rss_mb(),
    }  # fmt: skip


def _steps(ours: Market, offers: list[SellOffer]) -> float:
    return sum(ours.step(offers[n : n + STEP]) for n in range(0, len(offers), STEP))


def naive(criteria: int, offers: int) -> dict[str, Any]:
    """NAIVE sell offers at most, of the same."""
    book = NaiveBook()
    for n, bought in enumerate(market.buy_offers(market.criteria(criteria)), 1):
        book.buys[bought.offer] = Buy(bought, n, n)
    book.now = len(book.buys)
    some = market.sell_offers(min(offers, NAIVE), criteria)
    started = time.perf_counter()
    for offer in some:
        book.take(offer)
    return {"sell_offers_per_s": round(len(some) / (time.perf_counter() - started), 3), "sell_offers": len(some), "rss_mb": peak_rss_mb()}


def mokaccino(criteria: int, offers: int) -> dict[str, Any]:
    """Which criteria take a sell offer, and no more: a percolator knows neither turn nor money."""
    from mokaccino import Document, Percolator  # noqa: PLC0415 - a peer's

    percolator = Percolator()
    for one in market.criteria(criteria):
        percolator.add_query(_query(one))
    documents = []
    some = market.sell_offers(offers, criteria)
    for offer in some:
        document = Document()
        for name, value in offer.attributes.items():
            document = document.with_value(name, str(value))
        documents.append(document)
    started = time.perf_counter()
    found = sum(len(percolator.percolate_list(document)) for document in documents)
    seconds = time.perf_counter() - started
    return {"sell_offers_per_s": round(len(some) / seconds), "found": found, "sell_offers": len(some), "rss_mb": peak_rss_mb()}


def _query(criteria: Criteria) -> Any:
    from mokaccino import Query  # noqa: PLC0415

    def asked(one: Predicate) -> Any:
        if one.values:
            taken = Query.from_or([Query.from_kv(one.attribute, value) for value in one.values])
            return Query.from_not(taken) if one.excluded else taken
        low = [] if one.low is None else [Query.from_kge(one.attribute, one.low)]
        return Query.from_and([*low, *([] if one.high is None else [Query.from_kle(one.attribute, one.high)])])

    return Query.from_or([Query.from_and([asked(one) for one in all_of]) for all_of in criteria.any_of])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("how", choices=("tranche", "naive", "mokaccino"))
    parser.add_argument("--criteria", type=int, required=True)
    parser.add_argument("--offers", type=int, required=True)
    asked = parser.parse_args()
    figures = {"tranche": tranche, "naive": naive, "mokaccino": mokaccino}[asked.how](asked.criteria, asked.offers)
    print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
