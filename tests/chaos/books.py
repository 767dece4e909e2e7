"""The input of a chaos run, a function of its seed: what each originator has in its files, and what investors ask for."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from bson.decimal128 import Decimal128

from tests.loans import encoded, paid

STATUSES: Final = [("current", 0)] * 6 + [("late", 20), ("recalled", 0)]
REFUSED: Final = ({"product": "no-such-product"}, {"status": "gone"}, {"term_months": -1})  # what intake cannot accept
BROKEN: Final = b"\xff\xff\xff\x7f"  # where a document should begin: intake refuses the rest of the message as one
INVESTORS: Final = 30


@dataclass(frozen=True)
class Document:
    """One document of a file. `strayed`: to be produced to another partition than its own, once in its asset's life."""

    asset: str
    data: bytes
    refusable: bool = False
    strayed: bool = False


class Book:
    """An originator's assets; `file` is its next delivery."""

    def __init__(self, seed: str, originator: str, assets: int) -> None:
        self.originator, self.assets = originator, assets
        self._rng = random.Random(seed + originator)
        self._files = 0

    def all(self, size: int) -> Iterator[list[Document]]:
        """Every asset once, in files of `size` documents."""
        for start in range(0, self.assets, size):
            yield [self._loan(i) for i in range(start, min(start + size, self.assets))]

    def file(self, size: int, *, refusable: bool, straying: bool) -> list[Document]:
        """New, changed, unchanged and repeated documents; some cannot be accepted, or stray. An asset says the same wherever it stands."""
        self._files += 1
        documents = []
        for i in self._rng.sample(range(self.assets), min(size, self.assets)):
            documents += [self._loan(i)] * (1 + (self._rng.random() < 0.03))
        fault, name = self._rng.choice(REFUSED), f"{self._files}"
        if refusable:
            asset = f"B{name}"
            documents.append(Document(asset, encoded(asset, self.originator, **fault), refusable=True))
        if straying and self._files % 3 == 0:
            asset = f"W{name}"
            documents.append(Document(asset, encoded(asset, self.originator), strayed=True))
        return documents

    def _loan(self, i: int) -> Document:
        rng, principal = self._rng, 100_00 * (1 + i % 7)
        repaid = rng.randrange(0, 4) * 10_00
        money = {"principal": Decimal128(f"{principal / 100:.2f}"), "outstanding": Decimal128(f"{(principal - repaid) / 100:.2f}")}
        status, days = rng.choice(STATUSES)
        sale = "all_or_none" if i % 5 == 0 else "partial"
        amounts = paid(f"{repaid / 100:.2f}", f"{repaid / 500:.2f}")
        data = encoded(f"A{i}", self.originator, status=status, days_past_due=days, sale=sale, paid=amounts, **money)
        return Document(f"A{i}", data)


def portfolios(seed: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """(investor, what it posts), for ever: first portfolios and later versions of them."""
    rng = random.Random(seed + "portfolios")
    safe = {"name": "safe", "share_percent": 60, "criteria": "risk_group in (A, B, C)"}
    anything = {"name": "any", "share_percent": 40, "criteria": "days_past_due <= 30"}
    while True:
        investor, size = f"investor-{rng.randrange(INVESTORS)}", rng.randrange(100, 40_000)
        yield investor, {"portfolio": "main", "currency": "USD", "size": f"{size}.00", "bid_max": "90.00", "buckets": [safe, anything]}
