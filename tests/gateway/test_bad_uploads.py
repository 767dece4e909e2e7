"""What bad input gets: a problem with the byte position; what came before is kept, counted and published."""

import asyncio
import struct

import bson
import pytest

from schemas.events import decode_batch
from streams import topics
from streams.frames import split
from streams.gateway.limits import Limits

BAD = {
    "not BSON": (b"loan,amount\n", "this is no BSON document"),
    "JSON": (b'{"asset_id": "a"}', "this is no BSON document"),
    "a lying prefix": (struct.pack("<i", 17 * 1024 * 1024) + b"x" * 100, "length prefix 17825792 is not between"),
    "a prefix below the least": (struct.pack("<i", 4) + b"\0" * 100, "length prefix 4 is not between"),
    "no final zero": (struct.pack("<i", 20) + b"x" * 100, "does not end with a zero byte"),
    "a cut-off document": (struct.pack("<i", 2000) + b"x" * 10, "the document says 2000 bytes, 14 are left"),
    "a cut-off prefix": (b"\5\0", "2 bytes are left, too few for a document"),
    "a cut-off oversized document": (struct.pack("<i", 200_000) + b"x" * 100_000, "the document says 200000 bytes, 100004 are left"),
    "an oversized lie": (struct.pack("<i", 200_000) + b"x" * 300_000, "does not end with a zero byte"),
}


async def count(published):
    return sum(len(split(record.value)[0]) for record in await published(topics.INGEST))


def head(client):
    token = client.token("originator", "bluebird")["Authorization"]
    return f"POST /originators/bluebird/batches HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\nContent-Length: 1000000\r\n\r\n".encode()


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("before", [0, 700])
async def test_a_sequence_that_cannot_be_cut_is_400_with_its_position(client, published, book, kind, before):
    good, (bad, reason) = b"".join(book(before)), BAD[kind]
    response = await client.upload(good + bad)
    problem = response.json()
    assert response.status_code == 400
    assert response.headers["Content-Type"] == "application/problem+json"
    assert (problem["type"], problem["position"], problem["documents_kept"]) == ("urn:tranche:problem:bad-sequence", len(good), before)
    assert reason in problem["detail"]
    assert await count(published) == before
    (record,) = await published(topics.BATCHES)
    received = decode_batch(record.value)
    assert (received.batch, received.documents, received.position) == (problem["batch"], before, len(good))
    assert reason in received.error


async def test_the_rest_of_a_bad_file_is_not_needed_for_the_answer(client, book):
    response = await client.upload(b"".join(book(10)) + b"not BSON" + b"x" * 20_000_000)
    assert (response.status_code, response.json()["documents_kept"]) == (400, 10)


async def test_a_form_that_is_cut_off_keeps_what_came_before(client, published, book):
    docs = book(5)
    body = b'--b\r\nContent-Disposition: form-data; name="book"; filename="a"\r\n\r\n' + b"".join(docs)
    response = await client.upload(body + b"x" * 20, Content_Type="multipart/form-data; boundary=b")
    problem = response.json()
    assert (response.status_code, problem["documents_kept"]) == (400, 5)
    assert await count(published) == 5


async def test_a_form_without_a_file_is_400(client):
    body = b'--b\r\nContent-Disposition: form-data; name="note"\r\n\r\nhello\r\n--b--\r\n'
    response = await client.upload(body, Content_Type="multipart/form-data; boundary=b")
    assert (response.status_code, response.json()["type"]) == (400, "urn:tranche:problem:multipart")


@pytest.mark.parametrize("kind", ["text/csv", "application/json"])
async def test_another_type_is_415(alone, kind):
    response = await alone.upload(b"x" * 3_000_000, Content_Type=kind)
    assert (response.status_code, response.json()["type"]) == (415, "urn:tranche:problem:media-type")
    assert "Accept-Encoding" not in response.headers


@pytest.mark.parametrize("coding", ["br", "deflate", "gzip, zstd", "gzip, gzip", "compress, identity"])
async def test_another_encoding_is_415_and_those_that_are_taken_are_named(alone, coding):
    response = await alone.upload(b"x" * 3_000_000, Content_Encoding=coding)
    assert (response.status_code, response.json()["type"]) == (415, "urn:tranche:problem:media-type")
    assert response.headers["Accept-Encoding"] == "gzip, zstd"


async def test_a_file_that_says_it_is_too_large_is_not_read(serve):
    async with serve(limits=Limits(upload_bytes=1000)) as client:
        response = await client.upload(b"\0" * 1001)
        assert (response.status_code, response.json()["limit"]) == (413, 1000)


async def test_a_file_that_turns_out_too_large_keeps_what_came_before(serve, kafka, published, book):
    docs = book(100)

    async def pieces():
        for doc in docs:
            yield doc
            await asyncio.sleep(0)

    async with serve(kafka, limits=Limits(upload_bytes=sum(map(len, docs)) - 1)) as client:
        response = await client.upload(pieces())
    kept = response.json()["documents_kept"]
    assert response.status_code == 413
    assert kept == await count(published) < 100


async def test_a_client_that_falls_silent_is_408(serve, kafka, published, book):
    docs = book(3)
    async with serve(kafka, limits=Limits(idle_s=0.3, linger_s=0.3)) as client:
        reader, writer = await asyncio.open_connection(*client.address)
        writer.write(head(client) + b"".join(docs) + b"\x20\0\0\0")
        answer = (await reader.read()).decode()
        writer.close()
    assert answer.startswith("HTTP/1.1 408 ")
    assert '"documents_kept":3' in answer


async def test_a_client_that_goes_away_leaves_what_it_sent(serve, kafka, published, book):
    docs = book(3)
    async with serve(kafka, limits=Limits(chunk_documents=1)) as client:
        _, writer = await asyncio.open_connection(*client.address)
        writer.write(head(client) + b"".join(docs) + b"\x20\0\0\0")
        await published(topics.INGEST, least=3)
        writer.close()
        (record,) = await published(topics.BATCHES, least=1)
    received = decode_batch(record.value)
    assert (received.documents, received.error) == (3, "the client went away")


async def test_a_wrong_originator_inside_a_document_is_left_to_intake(client, published):
    doc = bson.encode({"originator_id": "harbor", "asset_id": "loan-1"})
    assert (await client.upload(doc)).status_code == 202
    (record,) = await published(topics.INGEST)
    assert dict(record.headers)["originator"] == b"bluebird"
