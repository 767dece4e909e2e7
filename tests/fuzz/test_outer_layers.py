"""Damaged compressed bodies and damaged forms: each ends with its own error or gives out bytes, within the bounds, and nothing else."""

import gzip
from dataclasses import replace
from random import Random

import pytest
from backports import zstd

from streams.gateway.coding import PIECE_BYTES, CodingError, TooLargeError, Unpacker
from streams.gateway.limits import Limits
from streams.gateway.multipart import FilePart, MultipartError
from tests.fuzz.sources import documents

BODIES = 400
LIMITS = replace(Limits(), upload_bytes=300_000, growth_max=20, growth_free_bytes=50_000)
BOUNDARY = b"a-boundary"


def book(rng):
    docs = rng.choice(list(documents().values()))
    return b"".join(rng.choices(docs, k=rng.randrange(1, 60))) + rng.choice((b"", bytes(rng.choice((0, 400_000)))))


def form(data):
    head = b'--%b\r\nContent-Disposition: form-data; name="file"; filename="book.bson"\r\n\r\n' % BOUNDARY
    return head + data + b"\r\n--%b--\r\n" % BOUNDARY


def damaged(rng, data):
    """Flips, cuts, repetitions, other bytes; now and then nothing. The head, where most is decided, is hit as often as all the rest."""
    body = bytearray(data)
    for _ in range(rng.choice((0, 1, 1, 2, 5))):
        at = rng.randrange(min(len(body), 64) if rng.random() < 0.5 else len(body))
        size = rng.choice((1, 2, 8, rng.randrange(1, 500)))
        way = rng.randrange(5)
        if way == 0:
            body[at] ^= 1 << rng.randrange(8)
        elif way == 1:
            del body[at : at + size]
        elif way == 2:
            body[at:at] = body[at : at + size]
        elif way == 3:
            body[at : at + size] = rng.randbytes(size)
        else:
            body[at:at] = b"\r\n--" + BOUNDARY + rng.choice((b"--", b"\r\n", b"\r\n\r\n", b""))
        if not body:
            break
    return bytes(body)


def pieces(rng, data):
    size = rng.choice((1, 50, 4000, 65_536)) if len(data) < 20_000 else 65_536
    return [data[at : at + size] for at in range(0, len(data), size)]


@pytest.mark.parametrize(("coding", "pack"), [("gzip", gzip.compress), ("zstd", zstd.compress)])
def test_a_damaged_compressed_body_ends_with_its_own_error_and_never_gives_more_than_the_bounds(coding, pack):
    rng, ends = Random(coding), {"whole": 0, CodingError: 0, TooLargeError: 0}
    for _ in range(BODIES):
        plain = book(rng)
        sent, given, unpacker = 0, 0, Unpacker(coding, LIMITS)
        try:
            for piece in pieces(rng, damaged(rng, pack(plain))):
                sent += len(piece)
                for part in unpacker.feed(piece):
                    given += len(part)
                    assert len(part) <= PIECE_BYTES
            unpacker.close()
            ends["whole"] += 1
        except (CodingError, TooLargeError) as fault:
            ends[type(fault)] += 1
        assert given <= min(LIMITS.upload_bytes, max(LIMITS.growth_free_bytes, LIMITS.growth_max * sent))
    assert all(ends.values())


def test_a_damaged_form_ends_with_its_own_error_and_never_gives_more_than_was_sent():
    rng, ends = Random(3), {"whole": 0, MultipartError: 0}
    for _ in range(BODIES):
        given, body = 0, damaged(rng, form(book(rng)))
        part = FilePart(f"multipart/form-data; boundary={BOUNDARY.decode()}")
        try:
            for piece in pieces(rng, body):
                given += len(part.feed(piece))
            part.close()
            ends["whole"] += 1
        except MultipartError as fault:
            ends[type(fault)] += 1
        assert given <= len(body)
    assert all(ends.values())
