"""The benches measure nothing if their input is not what the contract asks for."""

import bson
import numpy as np
from aiokafka.partitioner import murmur2

from schemas.asset import CENTS_MAX, LOAN, Field, Kind
from streams import frames
from streams.topics import ASSET_PARTITIONS
from tests.bench import books

BOOKS = books.make(3000)
SCALES = {Kind.MONEY: 2, Kind.RATE: 6}


def value_of(document: dict, field: Field):
    for name in field.name.split("."):
        document = document.get(name, {})
    return document


def in_unit(value, kind: Kind):
    if kind in SCALES:
        scaled = value.to_decimal().scaleb(SCALES[kind])
        assert scaled == int(scaled)
        return int(scaled)
    return value


def test_every_document_satisfies_the_contract():
    for book in BOOKS:
        for raw in book.documents:
            document = bson.decode(raw)
            for field in (field for field in LOAN if field.required):
                value = in_unit(value_of(document, field), field.kind)
                if field.kind is Kind.TEXT:
                    assert 0 < len(value) <= field.length
                    assert not field.choices or value in field.choices
                elif field.kind is not Kind.DAY:
                    assert field.low <= value <= min(field.high, CENTS_MAX)
            assert document["originator_id"] == book.originator


def test_what_is_paid_and_what_is_outstanding_add_up_to_the_principal():
    for book in BOOKS:
        for raw in book.documents:
            document = bson.decode(raw)
            money = [document[name].to_decimal() for name in ("principal", "outstanding")]
            assert money[0] == money[1] + document["paid"]["principal"].to_decimal()


def test_a_document_is_as_small_as_its_required_fields_allow():
    sizes = {len(raw) for book in BOOKS for raw in book.documents}
    assert max(sizes) < 380
    assert set(bson.decode(BOOKS[0].documents[0])) == {field.name.split(".")[0] for field in LOAN if field.required}


def test_no_asset_occurs_twice():
    keys = [key for book in BOOKS for key in book.keys]
    assert len(set(keys)) == len(keys) == 3000


def test_the_same_seed_makes_the_same_books():
    assert [book.documents for book in books.make(3000)] == [book.documents for book in BOOKS]


def test_a_document_lies_in_the_partition_that_java_would_choose():
    for book in BOOKS:
        for item in book.chunks("b"):
            documents, fault = frames.split(item.value)
            assert fault is None
            assert item.documents == len(documents)
            for raw in documents:
                originator, asset = frames.identify(raw)
                assert (murmur2(originator + b"/" + asset) & 0x7FFFFFFF) % ASSET_PARTITIONS == item.partition


def test_chunks_carry_each_document_once_with_its_position_in_the_batch():
    for book in BOOKS:
        whole, seen = b"".join(book.documents), 0
        for item in book.chunks("b"):
            headers = dict(item.headers)
            assert headers["originator"] == book.originator.encode()
            for raw, position in zip(frames.split(item.value)[0], np.frombuffer(headers["positions"], "<u8"), strict=True):
                assert whole[int(position) : int(position) + len(raw)] == raw
                seen += 1
        assert seen == len(book.documents)


def test_interleaved_deliveries_lose_nothing():
    items = list(books.interleave([book.singles() for book in BOOKS]))
    assert sorted(item.key for item in items) == sorted(key for book in BOOKS for key in book.keys)
    assert {item.value for item in items[:3]} == {book.documents[0] for book in BOOKS}
