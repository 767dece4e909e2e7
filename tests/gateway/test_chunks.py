from itertools import accumulate
from struct import unpack

import bson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.frames import identify, split
from streams.gateway.chunks import ASSET_ID_BYTES_MAX, Chunker
from streams.partition import partition_of

PARTITIONS, BYTES, DOCUMENTS = 4, 200, 5
assets = st.text("abc", min_size=1, max_size=2)


def document(asset, size=0):
    return bson.encode({"originator_id": "somebody", "asset_id": asset, "note": "x" * size})


def chunks(docs, step=3):
    """All chunks of the documents, which come `step` at a time."""
    positions = [0, *accumulate(map(len, docs))][:-1]
    chunker = Chunker("bluebird", PARTITIONS, BYTES, DOCUMENTS)
    out = [chunk for at in range(0, len(docs), step) for chunk in chunker.add(positions[at : at + step], docs[at : at + step])]
    return out + chunker.rest()


@given(st.lists(st.builds(document, assets | st.none(), st.integers(0, 150)), max_size=40), st.integers(1, 40))
def test_every_document_is_in_the_chunk_of_its_partition_once_in_order_at_its_position(docs, step):
    data, found = b"".join(docs), {}
    for chunk in chunks(docs, step):
        inside, fault = split(chunk.value)
        positions = unpack(f"<{chunk.documents}Q", chunk.positions)
        assert fault is None
        assert list(positions) == sorted(positions)
        for position, doc in zip(positions, inside, strict=True):
            assert data[position : position + len(doc)] == doc
            asset = bson.decode(doc)["asset_id"]
            assert chunk.partition == (partition_of(b"bluebird/" + asset.encode(), PARTITIONS) if asset else 0)
            found.setdefault(chunk.partition, []).append(position)
    assert all(positions == sorted(positions) for positions in found.values())
    assert sum(map(len, found.values())) == len(docs)


@given(st.lists(st.builds(document, assets, st.integers(0, 150)), max_size=40))
def test_a_chunk_is_closed_as_soon_as_it_is_large_enough(docs):
    for chunk in chunks(docs):
        inside, _ = split(chunk.value)
        assert len(chunk.value) - len(inside[-1]) < BYTES
        assert chunk.documents <= DOCUMENTS


@pytest.mark.parametrize("asset", [None, 7, "x" * (ASSET_ID_BYTES_MAX + 1), "x" * 300])
def test_a_document_without_a_possible_asset_id_goes_to_partition_0(asset):
    assert [chunk.partition for chunk in chunks([document(asset)])] == [0]


def test_the_tenant_decides_not_what_the_document_says():
    by_document = partition_of(b"somebody/loan-1", PARTITIONS)
    by_tenant = partition_of(b"bluebird/loan-1", PARTITIONS)
    assert by_document != by_tenant
    assert [chunk.partition for chunk in chunks([document("loan-1")])] == [by_tenant]


@given(st.data(), st.sampled_from(["bluebird", "somebody"]), st.permutations(["originator_id", "asset_id", "note"]))
def test_a_document_is_routed_by_what_identifies_it_however_it_begins(data, originator, order):
    values = {"originator_id": originator, "asset_id": data.draw(assets), "note": "asset_id"}
    doc = bytearray(bson.encode({name: values[name] for name in order}))
    if data.draw(st.booleans()):
        doc[data.draw(st.integers(4, len(doc) - 2))] = data.draw(st.integers(0, 255))
    asset = identify(bytes(doc)).asset
    expected = 0 if asset is None else partition_of(b"bluebird/" + asset, PARTITIONS)
    assert [chunk.partition for chunk in Chunker("bluebird", PARTITIONS, 1, 1).add([0], [bytes(doc)])] == [expected]


def test_nothing_makes_no_chunk():
    assert chunks([]) == []
