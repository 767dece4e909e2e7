"""The input of one simulation, by its seed: deliveries of loan documents and portfolios, good and bad, each with the time when it comes.

Everything is in few partitions, so that few Steps meet often. Ids are chosen by the partition of their keys.
"""

import random
from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from typing import Final, NamedTuple

from bson.decimal128 import Decimal128
from msgspec import structs

from schemas.events import Bucket, Portfolio, encode
from schemas.limits import Limits
from schemas.published import encode as publication
from streams import topics
from streams.partition import partition_of
from tests.loans import DAY, encoded, paid
from tests.rows import CATALOG
from tests.wanted import wants

ORIGINATORS: Final = ("pier", "harbor")  # as keys they are in one partition, which is that of an empty key too
LAST_S: Final = 12.0  # when the last of it comes
ASSETS: Final = 5  # of an originator in a partition
PRODUCT: Final = "consumer-loan-usd"
Headers = tuple[tuple[str, bytes], ...]


class Delivery(NamedTuple):
    """One record that somebody outside writes at `at_s` seconds."""

    at_s: float
    topic: str
    partition: int
    key: bytes | None
    value: bytes
    headers: Headers


class Input(NamedTuple):
    """All of it, in the order of time; `homes` are the partitions that are used."""

    homes: tuple[int, ...]
    deliveries: list[Delivery]


def make(seed: int) -> Input:
    """The input of a seed."""
    rng = random.Random(f"input {seed}")
    homes = tuple(sorted(rng.sample(range(topics.ASSET_PARTITIONS), rng.choice((1, 2, 2)))))
    deliveries = [_delivery(rng, homes, number) for number in range(rng.randint(2, 5))]
    deliveries += [_placed(rng, homes) for _ in range(rng.randint(1, 3))]
    deliveries += [Delivery(0.0, topics.PRODUCTS.name, 0, *published(0), ()), *_published(rng)]
    return Input(homes, sorted(deliveries, key=lambda delivery: delivery.at_s))


@cache
def named(prefix: str, home: int, keyed: str = "{}") -> tuple[str, ...]:
    """Ids `prefix`0, `prefix`1 …, the first ASSETS of those whose key, `keyed` by the id, belongs to partition `home`."""
    return tuple(_named(prefix, home, keyed))


def _named(prefix: str, home: int, keyed: str) -> Iterator[str]:
    found = number = 0
    while found < ASSETS:
        name = f"{prefix}{number}"
        number += 1
        if partition_of(keyed.format(name).encode(), topics.ASSET_PARTITIONS) == home:
            found += 1
            yield name


@cache
def document(originator: str, asset: str, variant: int) -> bytes:
    """One of an asset's documents; even variants differ in what is paid, odd ones in terms and status too; from 2 on they say when."""
    principal, repaid = 10_00 * (10 + len(asset)), variant * 10_00
    status, days = ("current", 0) if variant % 2 == 0 else (("late", 20), ("recalled", 0))[variant % 4 == 3]
    return encoded(
        asset,
        originator,
        status=status,
        days_past_due=days,
        term_months=36 + 12 * (variant % 4 == 3),
        sale="all_or_none" if asset.endswith("3") else "partial",
        principal=Decimal128(f"{principal / 100:.2f}"),
        outstanding=Decimal128(f"{(principal - repaid) / 100:.2f}"),
        paid=paid(f"{repaid / 100:.2f}", f"{repaid / 500:.2f}"),
        updated_at=DAY + timedelta(variant) if variant > 1 else ...,
    )


@cache
def bad(originator: str, asset: str, kind: int) -> bytes:
    """A document that is refused: a field that is wrong, a field that is not there, another originator's."""
    if kind == 0:
        return encoded(asset, originator, days_past_due=-1)
    if kind == 1:
        return encoded(asset, originator, currency=...)
    return encoded(asset, ORIGINATORS[originator == ORIGINATORS[0]])


def _delivery(rng: random.Random, homes: tuple[int, ...], number: int) -> Delivery:
    home, originator, at_s = rng.choice(homes), rng.choice(ORIGINATORS), rng.uniform(0, LAST_S)
    batch = named(f"{originator}.{number}-", rng.choice(homes))[0]
    headers: Headers = (("originator", originator.encode()), ("batch", batch.encode()))
    assets = named("A", home, f"{originator}/{{}}")
    documents = [document(originator, rng.choice(assets), rng.randrange(5)) for _ in range(rng.choice((1, 1, 3, 6)))]
    if rng.random() < 0.2:
        documents.append(rng.choice(documents))
    if rng.random() < 0.2:
        documents.insert(rng.randrange(len(documents) + 1), bad(originator, rng.choice(assets), rng.randrange(3)))
    value = b"".join(documents)
    if rng.random() < 0.1:
        value += documents[0][: rng.randrange(1, 100)]
    if rng.random() < 0.05:
        headers = headers[1:]
    partition = rng.choice(homes) if rng.random() < 0.2 else home
    key = f"{originator}/{assets[0]}".encode() if len(documents) == 1 and partition == home else None
    return Delivery(at_s, topics.INGEST.name, partition, key, value, headers)


def _published(rng: random.Random) -> Iterator[Delivery]:
    """What becomes of the product: versions that take, price and offer otherwise, in any order, and what is no product."""
    for at_s in sorted(rng.uniform(0, LAST_S) for _ in range(rng.choice((0, 1, 2, 3)))):
        key, value = published(rng.randrange(1, 5))
        if rng.random() < 0.1:
            value = value[:-7]
        yield Delivery(at_s, topics.PRODUCTS.name, 0, key, value, ())


@cache
def published(more: int) -> tuple[bytes, bytes]:
    """A version of the loans' product that is so much above the first: the message's key and value."""
    product = CATALOG.products[PRODUCT]
    changed = structs.replace(
        product,
        version=product.version + more,
        limits=Limits(principal_cents_max=12_000) if more % 2 else product.limits,
        days_past_due_max=0 if more == 2 else product.days_past_due_max,
        groups=tuple(structs.replace(group, price_bp=group.price_bp - 10 * more) for group in product.groups),
    )
    return PRODUCT.encode(), publication(changed)


def _placed(rng: random.Random, homes: tuple[int, ...]) -> Delivery:
    home = rng.choice(homes)
    investor = rng.choice(named("investor-", home)[:2])
    version = rng.randrange(1, 4)
    chance = rng.random()
    value = _portfolio(investor, version, chance < 0.1, 0.1 <= chance < 0.2)
    if rng.random() < 0.1:
        value = value[:-7]
    return Delivery(rng.uniform(0, LAST_S), topics.PORTFOLIOS.name, home, investor.encode(), value, ())


@cache
def _portfolio(investor: str, version: int, closed: bool, paused: bool) -> bytes:
    buckets = (Bucket("safe", 60, wants(risk_groups=("A", "B", "C"))), Bucket("any", 40, wants(days_past_due_max=30)))
    return encode(Portfolio("main", investor, version, "USD", 200_00 * version, buckets, bid_cents_max=90_00, closed=closed, paused=paused))
