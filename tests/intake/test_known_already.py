"""What is the latest of its asset is unchanged, also where its product would not take it today, however documents come into Steps."""

import pytest
from bson.decimal128 import Decimal128
from msgspec.structs import replace

from agents.intake.agent import take_in
from schemas.events import decode_batch
from schemas.limits import Limits
from streams import topics
from streams.effects import Message, Table
from streams.partition import partition_of
from tests.invoices import catalog, encoded, money
from tests.invoices import invoice as whole
from tests.loans import encoded as loan

BEFORE = catalog()
HOMES = {"consumer-loan-usd": "LC1", "invoice-eur": "INV1"}


def by(product, **changed):
    """The catalog in which a product is as it is said."""
    return replace(BEFORE, products={**BEFORE.products, product: replace(BEFORE.products[product], **changed)})


SHORT = tuple(
    replace(line, length=20) if line.path == "number" else line for line in BEFORE.products["invoice-eur"].document
)  # a longer number cannot be read any more
LOANS = (
    "consumer-loan-usd", by("consumer-loan-usd", limits=Limits(principal_cents_max=1_000_000)),
    loan("LC1", principal=Decimal128("30000")), loan("LC1", principal=Decimal128("40000")), loan("LC1", principal=Decimal128("5000")),
)  # fmt: skip
INVOICES = (
    "invoice-eur", by("invoice-eur", document=SHORT),
    encoded(number="x" * 30), encoded(number="y" * 30), encoded(number="z", open=money("900.00")),
)  # fmt: skip


def counted(after, first, *steps):
    """What comes of `steps` by the products of `after`, once `first` was taken by those of before."""
    product = whole()["product"] if first.find(b"invoice-eur") >= 0 else "consumer-loan-usd"
    home, table, counts = partition_of(f"bluebird/{HOMES[product]}".encode(), 8), Table(), []
    for catalog_, docs in ((BEFORE, [first]), *((after, docs) for docs in steps)):
        effects = take_in(catalog_, table, [Message("assets.ingest", home, 7, 0, None, b"".join(docs), (("originator", b"bluebird"),))])
        table.apply(effects.rows)
        counts += [decode_batch(record.value).counts for record in effects.records if record.topic is topics.BATCHES]
    total = {}
    for one in counts[1:]:
        for outcome, count in one.items():
            total[outcome] = total.get(outcome, 0) + count
    return total


@pytest.mark.parametrize(("_product", "after", "known", "bad", "_good"), [LOANS, INVOICES], ids=["beyond a limit", "no longer readable"])
def test_the_latest_is_unchanged_alone_and_behind_a_refused_one(_product, after, known, bad, _good):
    assert counted(after, known, [known]) == {"unchanged": 1}
    assert counted(after, known, [bad], [known]) == counted(after, known, [bad, known]) == {"rejected": 1, "unchanged": 1}


@pytest.mark.parametrize(("_product", "after", "known", "_bad", "good"), [LOANS, INVOICES], ids=["beyond a limit", "no longer readable"])
def test_it_is_refused_once_there_is_a_later_version(_product, after, known, _bad, good):
    apart, together = counted(after, known, [good], [known]), counted(after, known, [good, known])
    assert apart == together
    assert apart["rejected"] == 1
    assert sum(apart.values()) == 2
