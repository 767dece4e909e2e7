import struct
from itertools import pairwise

import bson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.asset import DOCUMENT_BYTES_MAX, FRAME_BYTES_MAX
from streams.frames import split
from streams.gateway.splitter import HEAD_BYTES, Splitter

LARGEST = 40
documents = st.binary(max_size=60).map(lambda data: bson.encode({"": data}))
noise = st.sampled_from([b"\5\0\0\0\0", b"\4\0\0\0", b"\0", b"\xff\xff\xff\xff", b"\x10\0\0\0", struct.pack("<i", FRAME_BYTES_MAX + 1)])
sequences = st.lists(documents | noise | st.binary(max_size=12), max_size=8).map(b"".join)


def cut(pieces, largest=LARGEST):
    """All that a splitter finds: {position: bytes or size}, and the fault as (position, reason)."""
    splitter, found = Splitter(largest), {}
    for piece in pieces:
        part = splitter.feed(piece)
        found |= dict(zip(part.positions, part.docs, strict=True)) | {large.position: large.size for large in part.oversized}
        if part.fault:
            return found, (part.fault.position, part.fault.reason)
    fault = splitter.close()
    return found, fault and (fault.position, fault.reason)


def whole(data, largest=LARGEST):
    docs, fault = split(data)
    at, found = 0, {}
    for doc in docs:
        found[at] = doc if len(doc) <= largest else len(doc)
        at += len(doc)
    return found, fault and (fault.position, fault.reason)


@given(sequences, st.lists(st.integers(0, 400), max_size=12))
@example(b"\5\0\0\0\0" * 3, [1, 4, 5, 6])
def test_every_way_to_cut_the_bytes_gives_the_same_documents_positions_and_faults(data, cuts):
    edges = [0, *sorted(min(place, len(data)) for place in cuts), len(data)]
    assert cut([data[a:b] for a, b in pairwise(edges)]) == whole(data)


@given(sequences)
def test_byte_by_byte_is_no_different(data):
    assert cut([data[at : at + 1] for at in range(len(data))]) == whole(data)


def test_an_oversized_document_is_passed_over_and_its_neighbours_are_found():
    small, large = bson.encode({"asset_id": "a"}), bson.encode({"asset_id": "b", "note": "x" * DOCUMENT_BYTES_MAX})
    data = small + large + small
    splitter = Splitter()
    parts = [splitter.feed(data[at : at + 1000]) for at in range(0, len(data), 1000)]
    assert [doc for part in parts for doc in part.docs] == [small, small]
    assert [position for part in parts for position in part.positions] == [0, len(small) + len(large)]
    assert [tuple(large) for part in parts for large in part.oversized] == [(len(small), len(large), large[:HEAD_BYTES])]
    assert splitter.close() is None


def test_an_oversized_document_is_not_held():
    splitter = Splitter()
    splitter.feed(struct.pack("<i", FRAME_BYTES_MAX))
    for _ in range(100):
        splitter.feed(bytes(100_000))
    assert len(splitter._rest) + len(splitter._passing.head) <= HEAD_BYTES


@pytest.mark.parametrize("size", [DOCUMENT_BYTES_MAX - 1, DOCUMENT_BYTES_MAX, DOCUMENT_BYTES_MAX + 1])
def test_the_largest_document_is_taken_and_one_byte_more_is_not(size):
    doc = bson.encode({"": "x" * (size - 12)})
    assert len(doc) == size
    part = Splitter().feed(doc)
    assert (part.docs, len(part.oversized)) == (([doc], 0) if size <= DOCUMENT_BYTES_MAX else ([], 1))
