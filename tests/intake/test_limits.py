"""A document outside of its product's limits or ways of sale is refused alone, with its field and reason."""

import msgspec
import pytest
from bson.decimal128 import Decimal128
from msgspec.structs import replace

from agents.intake.agent import take_in
from schemas.catalog import parse
from schemas.events import decode_rejected
from schemas.limits import Limits
from schemas.sale import WAYS
from schemas.yamls import CatalogError
from streams import topics
from streams.effects import Message, Table
from streams.partition import partition_of
from streams.supersession import HEADER, Supersession, pack
from tests.invoices import catalog as invoice_catalog
from tests.invoices import encoded as invoice
from tests.loans import encoded
from tests.rows import CATALOG

HOME = partition_of(b"bluebird/LC1", 8)
LIMITS = Limits(rate_ppm_min=10_000, rate_ppm_max=360_000, term_months_max=60, principal_cents_min=50_000)


def limited(limits=LIMITS, sold=WAYS):
    usd = replace(CATALOG.products["consumer-loan-usd"], limits=limits, sale=sold)
    return replace(CATALOG, products={**CATALOG.products, usd.product: usd})


def taken(*docs, table=None, headers=(), sold=WAYS):
    table = Table() if table is None else table
    message = Message("assets.ingest", HOME, 7, 0, None, b"".join(docs), (("originator", b"bluebird"), *headers))
    effects = take_in(limited(sold=sold), table, [message])
    table.apply(effects.rows)
    told = [decode_rejected(record.value) for record in effects.records if record.topic is topics.REJECTED]
    return [(one.field, one.reason) for one in told], len(effects.rows)


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("rate", Decimal128("0.360001"), "is 0.360001, must be between 0.01 and 0.36 for product 'consumer-loan-usd'"),
        ("rate", Decimal128("0"), "is 0, must be between 0.01 and 0.36 for product 'consumer-loan-usd'"),
        ("term_months", 61, "is 61, must be between 1 and 60 for product 'consumer-loan-usd'"),
        ("principal", Decimal128("499.99"), "is 499.99, must be between 500.00 and 1000000000000.00 for product 'consumer-loan-usd'"),
    ],
)
def test_what_is_outside_is_refused_and_its_neighbours_are_taken(field, value, why):
    assert taken(encoded("LC1", **{field: value}), *few("LC1")) == ([(field, why)], 1)


def test_a_way_of_sale_that_the_product_has_not_is_refused_and_its_neighbours_are_taken():
    told = taken(encoded("LC1", sale="all_or_none"), *few("LC1"), sold=("partial",))
    assert told == ([("sale", "is 'all_or_none', must be partial for product 'consumer-loan-usd'")], 1)
    assert taken(encoded("LC1", sale="all_or_none"), *few("LC1")) == ([], 2)


def test_of_several_faults_the_limit_is_told():
    assert taken(encoded("LC1", sale="all_or_none", term_months=61), sold=("partial",))[0][0][0] == "term_months"


def test_a_way_of_sale_is_refused_in_the_words_of_the_document():
    invoices = invoice_catalog()
    lines = [replace(line, path="way", value=None) if line.place == "sale" else line for line in invoices.products["invoice-eur"].document]
    product = replace(invoices.products["invoice-eur"], document=tuple(lines), sale=("all_or_none",))
    read = replace(invoices, products={**invoices.products, "invoice-eur": product})
    home = partition_of(b"bluebird/INV1", 8)
    message = Message("assets.ingest", home, 7, 0, None, invoice(way="partial"), (("originator", b"bluebird"),))
    (one,) = [decode_rejected(record.value) for record in take_in(read, Table(), [message]).records if record.topic is topics.REJECTED]
    assert (one.field, one.reason) == ("way", "is 'partial', must be all_or_none for product 'invoice-eur'")


def few(*names):
    """Documents of other assets that are at home here, and within."""
    other = next(f"LC{n}" for n in range(2, 100) if partition_of(f"bluebird/LC{n}".encode(), 8) == HOME and f"LC{n}" not in names)
    return [encoded(other)]


@pytest.mark.parametrize(("field", "value"), [("rate", Decimal128("0.36")), ("rate", Decimal128("0.01")), ("principal", Decimal128("500"))])
def test_both_bounds_are_taken(field, value):
    assert taken(encoded("LC1", **{field: value})) == ([], 1)


def test_many_documents_at_once_are_each_told_the_first_limit_that_they_break():
    names = [name for n in range(400) if partition_of(f"bluebird/{(name := f'LC{n}')}".encode(), 8) == HOME]
    amounts = [Decimal128("100" if n % 4 == 3 else "30000") for n in range(len(names))]
    docs = [encoded(name, term_months=61 if n % 2 else 36, principal=amounts[n]) for n, name in enumerate(names)]
    told, rows = taken(*docs)
    assert (len(told), rows) == (len(names) // 2, len(names) - len(names) // 2)
    assert {field for field, _ in told} == {"term_months"}


def test_a_version_that_is_restored_is_taken_though_the_limits_are_narrower_now():
    table = Table()
    taken(encoded("LC1"), table=table)
    restored = pack([Supersession(1, bytes(16), None)])
    assert taken(encoded("LC1", term_months=72), table=table, headers=((HEADER, restored),)) == ([], 1)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("{rate_ppm_min: 5, rate_ppm_max: 4}", r"f:\d+: limits.rate_ppm_min: 5 must not be above rate_ppm_max, 4"),
        ("{principal_cents_min: 0}", r"f:\d+: limits.principal_cents_min: "),
        ("{term_months_max: 601}", r"f:\d+: limits.term_months_max: "),
    ],
)
def test_limits_that_make_no_sense_are_told_with_their_field(said, why):
    text = msgspec.json.encode(replace(CATALOG.products["consumer-loan-usd"], limits=Limits())).decode()
    assert text.endswith("}")
    start = text.index('"limits":')
    whole = text[:start] + f'"limits": {said}' + text[text.index("}", start) + 1 :]
    with pytest.raises(CatalogError, match=why):
        parse({"f": whole}, ("o", "[]"), ("USD",))
