import contextlib
import gzip
import os
import subprocess
import sys
from itertools import accumulate, pairwise

import bson
import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from streams.gateway.coding import CODINGS, PIECE_BYTES, WINDOW_BITS, CodingError, Decoder
from streams.gateway.splitter import Splitter

SKIPPABLE = b"\x50\x2a\x4d\x18\x03\0\0\0any"  # RFC 8878, 3.1.2


def members(data, coding, cuts=(), level=1):
    """`data` compressed, as several members or frames, each ending at a cut."""
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    return b"".join(compress(data[a:b], coding, level) for a, b in pairwise(edges))


def compress(data, coding, level):
    """One member or frame, with a checksum as the command-line programs write it."""
    if coding == "gzip":
        return gzip.compress(data, level)
    return zstd.compress(data, options={zstd.CompressionParameter.compression_level: level, zstd.CompressionParameter.checksum_flag: 1})


def read(data, coding, cuts=()):
    """The pieces that come out of `data` cut at `cuts`; none is empty or larger than it may be."""
    decoder, out = Decoder(coding), []
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    for a, b in pairwise(edges):
        for piece in decoder.feed(data[a:b]):
            assert 0 < len(piece) <= PIECE_BYTES
            out.append(piece)
    decoder.close()
    return out


def found(pieces):
    splitter = Splitter()
    parts = [splitter.feed(piece) for piece in pieces]
    assert splitter.close() is None
    return [pair for part in parts for pair in zip(part.positions, part.docs, strict=True)]


books = st.lists(st.tuples(st.binary(max_size=40), st.integers(1, 1500)), max_size=12).map(
    lambda loans: [bson.encode({"asset_id": str(n), "note": note * times}) for n, (note, times) in enumerate(loans)]
)
cuts = st.lists(st.integers(0, 200_000), max_size=8)


@pytest.mark.parametrize("coding", CODINGS)
@given(docs=books, inside=cuts, outside=cuts, level=st.integers(1, 9))
def test_a_book_compressed_and_cut_any_way_has_the_documents_and_positions_of_the_plain_one(coding, docs, inside, outside, level):
    plain = zip([0, *accumulate(map(len, docs))], docs, strict=False)
    assert found(read(members(b"".join(docs), coding, inside, level), coding, outside)) == list(plain)


@pytest.mark.parametrize("coding", CODINGS)
@given(docs=books, data=st.data())
def test_a_damaged_body_is_read_whole_or_is_a_fault_and_never_more_than_a_piece_comes_at_once(coding, docs, data):
    plain = b"".join(docs)
    body = bytearray(members(plain, coding, data.draw(cuts)))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(body)))
        body[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    with contextlib.suppress(CodingError):
        assert b"".join(read(bytes(body), coding, data.draw(cuts))) == plain


@pytest.mark.parametrize("coding", CODINGS)
@given(docs=books.filter(bool), data=st.data())
def test_a_body_that_is_cut_off_gives_what_it_has_and_then_a_fault(coding, docs, data):
    plain = b"".join(docs)
    body = members(plain, coding)
    decoder = Decoder(coding)
    out = b"".join(decoder.feed(body[: data.draw(st.integers(0, len(body) - 1))]))
    assert plain.startswith(out)
    with pytest.raises(CodingError, match="cut off"):
        decoder.close()


@pytest.mark.parametrize("coding", CODINGS)
def test_what_is_highly_compressed_comes_in_pieces_and_is_not_held(coding):
    body = members(bytes(30_000_000), coding, level=9)
    assert len(body) < 100_000
    sizes = [len(piece) for piece in read(body, coding)]
    assert (sum(sizes), max(sizes)) == (30_000_000, PIECE_BYTES)


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("size", [PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES])
def test_a_file_of_just_so_many_pieces_is_whole(coding, size):
    data = os.urandom(size)
    body = members(data, coding)
    assert b"".join(read(body, coding, range(0, len(body), 1000))) == data


def test_members_and_frames_follow_each_other_and_skippable_ones_are_passed_over():
    assert b"".join(read(members(b"abcdef", "gzip", [2, 2, 4]), "gzip")) == b"abcdef"
    body = SKIPPABLE + zstd.compress(b"abc") + SKIPPABLE + zstd.compress(b"") + zstd.compress(b"def") + SKIPPABLE
    assert b"".join(read(body, "zstd", range(len(body)))) == b"abcdef"


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("rest", [b"\0", b"\0" * 512, b"rest", b"\x1f\x8b rest"])
def test_garbage_behind_the_last_member_is_a_fault(coding, rest):
    with pytest.raises(CodingError):
        read(members(b"abc", coding) + rest, coding)


@pytest.mark.parametrize(
    ("coding", "body"), [("gzip", b""), ("zstd", b""), ("gzip", zstd.compress(b"abc")), ("zstd", gzip.compress(b"abc"))]
)
def test_nothing_or_another_coding_is_a_fault(coding, body):
    with pytest.raises(CodingError):
        read(body, coding)


def test_a_checksum_that_does_not_fit_is_a_fault():
    body = bytearray(gzip.compress(b"abc"))
    body[-8] ^= 1
    with pytest.raises(CodingError, match="incorrect data check"):
        read(bytes(body), "gzip")


def test_zstd_looks_back_8_mib_and_no_further():
    data = os.urandom(100_000)
    for bits in (WINDOW_BITS, WINDOW_BITS + 1):
        body = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: bits})
        frame = body.compress(data) + body.flush()
        if bits == WINDOW_BITS:
            assert b"".join(read(frame, "zstd")) == data
        else:
            with pytest.raises(CodingError, match="requires too much memory"):
                read(frame, "zstd")


def test_zstd_is_imported_when_it_is_needed():
    code = "import sys; from streams.gateway.coding import Decoder; Decoder('gzip'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not any(name.startswith("backports") for name in done.stdout.split())
