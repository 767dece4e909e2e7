"""What a message on `products` may say, and that whatever else it says stops nobody."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from agents.assessor.assessment import Assessor
from agents.intake.diff import Document, difference
from agents.router.routing import Router
from schemas.published import BYTES_MAX, NotTakenError, Products, encode
from schemas.service import Service
from tests.kinds.test_invoices import CATALOG as INVOICES
from tests.loans import encoded
from tests.rows import CATALOG

USD = CATALOG.products["consumer-loan-usd"]
KEY = USD.product.encode()
ALL = [*CATALOG.products.values(), *INVOICES.products.values()]
SERVED = structs.replace(USD, service=Service(url="http://x/", predicts="cash_flow", fallback="wait", lane=0))


def take(products, product, offset=None, key=None):
    value = product if isinstance(product, bytes) else encode(product)
    return products.take(products.offset + 1 if offset is None else offset, 5, key or KEY, value, CATALOG.markets)


def version(number, **more):
    return structs.replace(USD, version=number, **more)


@pytest.mark.parametrize("product", [*ALL, SERVED], ids=lambda product: product.product)
def test_what_a_file_says_is_taken_in_as_it_is(product):
    products = Products()
    assert take(products, product, key=product.product.encode())
    assert (products[product.product], products.version(product.product, product.version)) == (product, product)


def test_a_message_says_what_a_file_leaves_out():
    said = json.loads(encode(USD))
    assert set(said) == set(USD.__struct_fields__)


def test_the_newest_counts_and_the_others_stay():
    products = Products()
    assert [take(products, version(number), 7 + number) for number in (1, 2, 5)] == [True] * 3
    assert products[USD.product].version == 5
    assert [products.version(USD.product, number) is not None for number in range(6)] == [False, True, True, False, False, True]
    assert [(one.product.version, one.offset, one.timestamp_ms) for one in products.published] == [(1, 8, 5), (2, 9, 5), (5, 12, 5)]


def test_the_same_again_is_nothing_new():
    products = Products()
    assert [take(products, version(number)) for number in (1, 2, 1, 2)] == [True, True, False, False]
    assert (products[USD.product].version, products.offset, len(products.published)) == (2, 3, 2)


@pytest.mark.parametrize(
    ("value", "key", "why"),
    [
        (version(2, days_past_due_max=1), KEY, "version 2 is there already, and says something else"),
        (version(1), KEY, "version 1 comes after 2"),
        (version(3, currency="CHF"), KEY, "currency: 'CHF' is no market"),
        (version(3, bid_cents_min=USD.bid_cents_max + 1), KEY, "bid_cents_min"),
        (version(2**31), KEY, "is no product"),
        (version(3), b"consumer-loan-eur", "its key is b'consumer-loan-eur'"),
        (b"", KEY, "is no product"),
        (b"[" * 100_000, KEY, "is no product"),
        (b'{"product": "x"}', KEY, "is no product"),
        (encode(version(3))[:-1] + b', "more": 1}', KEY, "unknown field `more`"),
        (encode(version(3)) + b" " * BYTES_MAX, KEY, "of more than"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_next_version_is_passed_over_with_the_reason(value, key, why):
    products = Products()
    take(products, version(2))
    with pytest.raises(NotTakenError, match=why):
        take(products, value, 4, key)
    assert (products[USD.product].version, products.offset, len(products.published)) == (2, 4, 1)
    assert take(products, version(3))


def test_a_deletion_deletes_nothing():
    products = Products()
    take(products, version(2))
    with pytest.raises(NotTakenError, match="has no value"):
        products.take(1, 0, KEY, None, CATALOG.markets)
    assert products[USD.product].version == 2


def places(value, path=()):
    """The paths of all that a JSON value has in it."""
    found = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for name, inner in found for place in places(inner, (*path, name)))]


def replaced(value, path, by):
    if not path:
        return by
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], by)
    return copy


SAID = [json.loads(encode(product)) for product in [*ALL, SERVED]]
STRANGE = st.sampled_from([None, True, "", "x", "A", -1, 0, 1, 2**31, 2**63 - 1, 2**63, -(2**63), 10**30, 0.5, 1e300, [], {}, [1]])


@given(st.data())
def test_whatever_a_message_says_it_is_passed_over_or_all_agents_can_go_by_it(data):
    said = data.draw(st.sampled_from(SAID))
    for _ in range(data.draw(st.integers(1, 2))):
        said = replaced(said, data.draw(st.sampled_from(places(said))), data.draw(STRANGE))
    products = Products()
    try:
        value = json.dumps(said).encode()
        take(products, value, key=str(said.get("product")).encode() if isinstance(said, dict) else b"")
    except NotTakenError:
        assert not products
        return
    (product,) = products.values()
    document = Document(encoded("L1", product=product.product, currency=product.currency), b"bluebird", 0, 0)
    found = difference([document], {}, 0, 1, products)
    if found.columns is not None:
        assessed = Assessor(products).assess(found.columns)
        Router(structs.replace(CATALOG, products=products)).route(assessed, {}, {})


def test_products_that_stay_as_they_are_can_be_had_of_a_catalog():
    fixed = Products.of({USD.product: USD})
    assert Products.of(fixed) is fixed
    assert (fixed.offset, fixed.version(USD.product, USD.version)) == (-1, USD)
    assert msgspec.json.decode(encode(USD), type=type(USD)) == USD
