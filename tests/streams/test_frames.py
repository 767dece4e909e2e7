import datetime
import struct

import bson
import pytest
from bson.decimal128 import Decimal128
from hypothesis import given
from hypothesis import strategies as st

from schemas.asset import FRAME_BYTES_MAX
from streams.frames import Identity, identify, split, text_of, value_size

EVERY_TYPE = {
    "double": 1.5,
    "text": "asset_id",
    "document": {"asset_id": "inner"},
    "array": ["asset_id", {"asset_id": "inner"}],
    "binary": b"\x02asset_id\0",
    "object": bson.ObjectId(b"0123456789ab"),
    "flag": True,
    "day": datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
    "nothing": None,
    "pattern": bson.Regex("a+", "i"),
    "code": bson.Code("f()"),
    "scoped": bson.Code("f()", {"asset_id": "inner"}),
    "int32": 7,
    "time": bson.Timestamp(1, 2),
    "int64": bson.Int64(2**40),
    "money": Decimal128("12.34"),
    "least": bson.MinKey(),
    "most": bson.MaxKey(),
}
values = st.recursive(
    st.sampled_from(list(EVERY_TYPE.values())) | st.text(max_size=8) | st.integers(-(2**63), 2**63 - 1),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abcdef", min_size=1, max_size=4), inner, max_size=3),
    max_leaves=4,
)
names = st.text("abcdef_", min_size=1, max_size=14)
documents = st.dictionaries(names, values, max_size=4)


@given(st.lists(documents.map(bson.encode), max_size=4))
def test_a_sequence_is_cut_into_its_documents(docs):
    assert split(b"".join(docs)) == (docs, None)


def test_nothing_is_an_empty_sequence():
    assert split(b"") == ([], None)


@given(st.lists(documents.map(bson.encode), min_size=1, max_size=4), st.data())
def test_a_cut_off_sequence_keeps_what_came_before_and_says_where(docs, data):
    missing = data.draw(st.integers(1, len(docs[-1]) - 1))
    cut, fault = split(b"".join(docs)[:-missing])
    assert cut == docs[:-1]
    assert fault.position == sum(map(len, docs[:-1]))


@pytest.mark.parametrize("size", [-1, 0, 4, FRAME_BYTES_MAX + 1, 2**31 - 1])
def test_a_lying_length_ends_the_sequence(size):
    good = bson.encode({"asset_id": "a"})
    cut, fault = split(good + struct.pack("<i", size) + good)
    assert cut == [good]
    assert (fault.position, fault.reason) == (len(good), f"length prefix {size} is not between 5 and 16777216, so this is no BSON document")


def test_a_document_without_its_final_zero_ends_the_sequence():
    good = bson.encode({"asset_id": "a"})
    cut, fault = split(good + good[:-1] + b"\1" + good)
    assert cut == [good]
    assert (fault.position, fault.reason) == (len(good), f"the document of {len(good)} bytes does not end with a zero byte")


def test_text_is_no_sequence():
    cut, fault = split(b'{"asset_id": "a"}')
    assert cut == []
    assert fault.position == 0
    assert "this is no BSON document" in fault.reason


@given(documents, documents, st.booleans())
def test_a_document_is_identified_wherever_its_ids_stand(before, after, swapped):
    ids = {"originator_id": "bluebird", "asset_id": "loan-é"}
    if swapped:
        ids = dict(reversed(ids.items()))
    doc = bson.encode({**before, **ids, **{k: v for k, v in after.items() if k not in before}})
    assert identify(doc) == (b"bluebird", "loan-é".encode())


@given(documents, documents)
def test_a_text_is_found_wherever_it_stands_at_the_top_level(before, after):
    after = {k: v for k, v in after.items() if k not in before}
    doc = bson.encode({**before, "x": {"product": "no"}, "product": "yes", **after})
    assert text_of(doc, b"product") == b"yes"
    assert text_of(bson.encode({**before, **after}), b"product") is None


def test_only_the_top_level_identifies():
    assert identify(bson.encode(EVERY_TYPE)) == (None, None)


@pytest.mark.parametrize("asset", [7, None, {"asset_id": "a"}, b"a"])
def test_an_id_that_is_no_text_is_no_id(asset):
    assert identify(bson.encode({"originator_id": "bluebird", "asset_id": asset})) == Identity(b"bluebird", None)


@given(documents.map(bson.encode), st.data())
def test_a_damaged_document_has_what_came_before(doc, data):
    head, body = bson.encode({"asset_id": "a"})[:-1], doc[4:]
    place = data.draw(st.integers(0, len(body)))
    damaged = body[:place] + data.draw(st.binary(max_size=8)) + body[place + 1 :]
    assert identify(head + damaged + b"\0").asset == b"a"


@given(st.binary(max_size=64))
def test_identifying_never_fails(noise):
    text_of(noise, b"product")
    identify(struct.pack("<i", len(noise) + 5) + noise + b"\0")
    identify(noise)


@pytest.mark.parametrize("name", EVERY_TYPE)
def test_every_type_has_its_size(name):
    doc = bson.encode({name: EVERY_TYPE[name]})
    start = 4 + 1 + len(name) + 1
    assert start + value_size(doc, start, doc[4]) + 1 == len(doc)


@given(st.binary(max_size=12), st.binary(max_size=12), st.lists(st.tuples(st.integers(0, 60), st.integers(0, 255)), max_size=3))
def test_where_the_ids_stand_makes_no_difference(originator, asset, damages):
    def text(name, value):
        return b"\x02" + name + b"\0" + struct.pack("<i", len(value) + 1) + value + b"\0"

    body = bytearray(text(b"originator_id", originator) + text(b"asset_id", asset) + b"\x0ax\0")
    for at, byte in damages:
        body[at % len(body)] = byte

    def document(fields):
        return struct.pack("<i", len(fields) + 5) + fields + b"\0"

    assert identify(document(bytes(body))) == identify(document(b"\x0aa\0" + bytes(body)))
