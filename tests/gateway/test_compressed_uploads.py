"""Compressed uploads and digests, against a real broker: the same batch as the plain file, or a problem that says where it ends."""

import gzip
import os
from base64 import b64encode
from hashlib import sha256

import bson
import pytest
import xxhash
from backports import zstd

from schemas.events import decode_batch
from streams import topics
from streams.frames import split
from streams.gateway.limits import Limits

MIB = 1024**2
COMPRESS = {"gzip": gzip.compress, "x-gzip": gzip.compress, "zstd": zstd.compress, "ZSTD": zstd.compress, "identity": bytes, "": bytes}
FORM = "multipart/form-data; boundary=b"
HEAD, TAIL = b'--b\r\nContent-Disposition: form-data; name="book"; filename="a"\r\n\r\n', b"\r\n--b--\r\n"


async def documents(published):
    return sorted(doc for record in await published(topics.INGEST) for doc in split(record.value)[0])


def written(data):
    return f":{b64encode(sha256(data).digest()).decode()}:"


@pytest.mark.parametrize("coding", COMPRESS)
async def test_a_compressed_book_is_the_batch_that_the_plain_one_is(client, published, book, coding):
    docs = book(3000, size=100)
    data = b"".join(docs)
    body = COMPRESS[coding](data)
    response = await client.upload(body, Content_Encoding=coding)
    answer = response.json()
    assert response.status_code == 202
    assert (answer["documents"], answer["bytes"], answer["digest"]) == (3000, len(data), xxhash.xxh3_128_hexdigest(data))
    assert await documents(published) == sorted(docs)


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
async def test_a_form_is_compressed_as_a_whole(client, published, book, coding):
    docs = book(2000, size=200)
    response = await client.upload(COMPRESS[coding](HEAD + b"".join(docs) + TAIL), Content_Encoding=coding, Content_Type=FORM)
    assert (response.status_code, response.json()["digest"]) == (202, xxhash.xxh3_128_hexdigest(b"".join(docs)))
    assert await documents(published) == sorted(docs)


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
async def test_a_compressed_book_that_cannot_be_cut_ends_at_its_byte_in_the_file(client, published, book, coding):
    good = b"".join(book(700))
    response = await client.upload(COMPRESS[coding](good + b"not BSON" * 100), Content_Encoding=coding)
    problem = response.json()
    assert (response.status_code, problem["type"]) == (400, "urn:tranche:problem:bad-sequence")
    assert (problem["position"], problem["documents_kept"]) == (len(good), 700)


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
@pytest.mark.parametrize("form", [False, True])
async def test_a_compressed_book_that_is_cut_off_keeps_what_came_out_of_it(client, published, book, coding, form):
    docs = book(20_000, size=100)
    data = b"".join(docs)
    body = COMPRESS[coding](HEAD + data + TAIL if form else data)
    response = await client.upload(body[: len(body) // 2], Content_Encoding=coding, **({"Content_Type": FORM} if form else {}))
    problem = response.json()
    assert (response.status_code, problem["type"]) == (400, "urn:tranche:problem:bad-coding")
    kept = await documents(published)
    assert 0 < len(kept) == problem["documents_kept"] < len(docs)
    assert set(kept) <= set(docs)
    assert sum(map(len, kept)) <= problem["position"] < len(data)
    (record,) = await published(topics.BATCHES)
    received = decode_batch(record.value)
    assert (received.documents, received.position) == (len(kept), problem["position"])
    assert "cut off" in received.error


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
async def test_garbage_instead_of_a_compressed_book_is_bad_coding(client, book, coding):
    response = await client.upload(b"".join(book(10)), Content_Encoding=coding)
    problem = response.json()
    assert (response.status_code, problem["type"], problem["position"]) == (400, "urn:tranche:problem:bad-coding", 0)


async def test_a_book_that_grows_beyond_all_books_is_413_and_what_came_before_is_kept(client, published, book):
    doc = book(1, size=1000)[0]
    count = 40 * MIB // len(doc)
    response = await client.upload(zstd.compress(doc * count, 19), Content_Encoding="zstd")
    problem = response.json()
    assert (response.status_code, problem["type"]) == (413, "urn:tranche:problem:too-large")
    assert MIB - 64 * 1024 <= problem["position"] < 40 * MIB
    assert len(await documents(published)) == problem["documents_kept"] == problem["position"] // len(doc)


async def test_the_same_document_over_and_over_may_grow_as_gzip_can(client, book):
    doc = book(1, size=1000)[0]
    response = await client.upload(gzip.compress(doc * 4000, 9), Content_Encoding="gzip")
    assert (response.status_code, response.json()["documents"]) == (202, 4000)


async def test_a_small_book_may_grow_as_it_likes(client, book):
    doc = book(1, size=1000)[0]
    response = await client.upload(zstd.compress(doc * 900, 19), Content_Encoding="zstd")
    assert (response.status_code, response.json()["documents"]) == (202, 900)


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
async def test_the_size_of_an_upload_is_that_of_the_file(serve, kafka, book, coding):
    data = b"".join(book(2000, size=100))
    async with serve(kafka, limits=Limits(upload_bytes=len(data) - 1)) as client:
        response = await client.upload(COMPRESS[coding](data), Content_Encoding=coding)
        assert (response.status_code, response.json()["type"]) == (413, "urn:tranche:problem:too-large")
    async with serve(kafka, limits=Limits(upload_bytes=len(data))) as client:
        assert (await client.upload(COMPRESS[coding](data), Content_Encoding=coding)).status_code == 202


async def test_what_nothing_comes_out_of_has_a_size_too(serve, kafka):
    async def frames():
        for _ in range(100):
            yield b"\x50\x2a\x4d\x18\x64\0\0\0" + bytes(100)  # skippable: RFC 8878, 3.1.2

    async with serve(kafka, limits=Limits(upload_bytes=1000)) as client:
        response = await client.upload(frames(), Content_Encoding="zstd")
    assert (response.status_code, response.json()["type"]) == (413, "urn:tranche:problem:too-large")


@pytest.mark.parametrize("coding", ["gzip", "identity"])
@pytest.mark.parametrize("form", [False, True])
@pytest.mark.parametrize("field", ["Content_Digest", "Repr_Digest"])
async def test_a_digest_of_the_body_as_sent_fits(client, book, coding, form, field):
    data = b"".join(book(100))
    body = COMPRESS[coding](HEAD + data + TAIL if form else data)
    headers = {"Content_Encoding": coding, field: f"sha-512=:AAAA:, sha-256={written(body)}", **({"Content_Type": FORM} if form else {})}
    response = await client.upload(body, **headers)
    assert (response.status_code, response.json()["documents"]) == (202, 100)


async def test_a_digest_that_does_not_fit_fails_the_batch_and_its_documents_are_on_their_way(client, published, book):
    docs = book(100)
    data = b"".join(docs)
    response = await client.upload(data, Repr_Digest=f"sha-256={written(data + b'x')}")
    problem = response.json()
    assert (response.status_code, problem["type"]) == (400, "urn:tranche:problem:wrong-digest")
    assert (problem["field"], problem["expected"], problem["found"]) == ("Repr-Digest", written(data + b"x"), written(data))
    assert (problem["position"], problem["documents_kept"]) == (len(data), 100)
    assert await documents(published) == sorted(docs)
    (record,) = await published(topics.BATCHES)
    received = decode_batch(record.value)
    assert (received.documents, received.position) == (100, len(data))
    assert written(data) in received.error


async def test_of_a_body_that_was_changed_on_its_way_the_digest_says_so_first(client, book):
    body = gzip.compress(b"".join(book(100)))
    response = await client.upload(body[:-1], Content_Encoding="gzip", Content_Digest=f"sha-256={written(body)}")
    assert (response.status_code, response.json()["type"]) == (400, "urn:tranche:problem:wrong-digest")


@pytest.mark.parametrize("field", ["Content_Digest", "Repr_Digest"])
async def test_a_digest_that_cannot_be_read_is_400_before_anything_is(alone, field):
    response = await alone.upload(b"x" * 3_000_000, **{field: "sha-256=abc"})
    problem = response.json()
    assert (response.status_code, problem["type"], problem["field"]) == (
        400,
        "urn:tranche:problem:invalid-parameter",
        field.replace("_", "-"),
    )
    assert "batch" not in problem


async def test_documents_larger_than_allowed_are_passed_over_in_a_compressed_book_too(client, published):
    docs = [bson.encode({"asset_id": "a"}), bson.encode({"asset_id": "b", "note": os.urandom(3_000_000)}), bson.encode({"asset_id": "c"})]
    answer = (await client.upload(zstd.compress(b"".join(docs)), Content_Encoding="zstd")).json()
    assert (answer["documents"], answer["oversized"]) == (3, 1)
    assert await documents(published) == [docs[0], docs[2]]
