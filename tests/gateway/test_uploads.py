"""A loan book goes in, against a real broker."""

import asyncio
from itertools import accumulate
from struct import unpack

import bson
import pytest
import xxhash
from msgspec import structs

from schemas.asset import DOCUMENT_BYTES_MAX
from schemas.events import BatchReceived, decode_batch, decode_rejected
from streams import topics
from streams.frames import split
from streams.gateway.limits import Limits
from streams.partition import partition_of


async def documents_of(published, batch):
    """{byte position: document} of all that was published of a batch; each in its asset's partition."""
    found = {}
    for record in await published(topics.INGEST):
        headers = dict(record.headers)
        if headers["batch"].decode() != batch:
            continue
        assert headers["originator"] == b"bluebird"
        docs, fault = split(record.value)
        assert fault is None
        for position, doc in zip(unpack(f"<{len(docs)}Q", headers["positions"]), docs, strict=True):
            assert position not in found
            found[position] = doc
            asset = bson.decode(doc).get("asset_id")
            assert record.partition == (partition_of(b"bluebird/" + asset.encode(), topics.INGEST.partitions) if asset else 0)
    return found


def expected(docs):
    return dict(zip([0, *accumulate(map(len, docs))], docs, strict=False))


async def test_a_book_is_taken_whole_and_its_end_is_published(client, published, book):
    docs = book(3000, size=100)
    data = b"".join(docs)
    response = await client.upload(data)
    answer = response.json()
    assert response.status_code == 202
    assert answer == {
        "batch": answer["batch"],
        "originator": "bluebird",
        "documents": 3000,
        "bytes": len(data),
        "oversized": 0,
        "digest": xxhash.xxh3_128_hexdigest(data),
        "status_url": f"/batches/{answer['batch']}",
    }
    assert response.headers["Location"] == answer["status_url"]
    assert await documents_of(published, answer["batch"]) == expected(docs)
    (record,) = await published(topics.BATCHES)
    assert record.key.decode() == answer["batch"]
    event = decode_batch(record.value)
    expected_event = BatchReceived(
        answer["batch"], "bluebird", 3000, len(data), answer["digest"], way="upload", sender="originator bluebird"
    )
    assert structs.replace(event, began_ms=0) == expected_event


@pytest.mark.parametrize("kind", ["application/bson", "application/octet-stream", "Application/BSON; charset=binary"])
async def test_the_raw_body_may_have_these_types(client, book, kind):
    response = await client.upload(b"".join(book(2)), Content_Type=kind)
    assert response.json()["documents"] == 2


async def test_the_file_of_a_form_is_taken_the_same_way(client, published, book):
    docs = book(2000, size=200)
    headers = client.token("originator", "bluebird")
    files, data = {"book": ("book.bson", b"".join(docs), "application/bson")}, {"note": "day one"}
    response = await client.post("/originators/bluebird/batches", files=files, data=data, headers=headers)
    assert response.status_code == 202
    assert response.json()["digest"] == xxhash.xxh3_128_hexdigest(b"".join(docs))
    assert await documents_of(published, response.json()["batch"]) == expected(docs)


async def test_a_body_of_unknown_length_is_taken(client, published, book):
    docs = book(500)

    async def pieces():
        for doc in docs:
            yield doc[:7]
            yield doc[7:]

    response = await client.upload(pieces())
    assert response.status_code == 202
    assert await documents_of(published, response.json()["batch"]) == expected(docs)


async def test_a_later_version_of_an_asset_in_the_same_file_stays_later(serve, kafka, published):
    docs = [bson.encode({"asset_id": "loan-1", "n": n, "note": "x" * 500}) for n in range(400)]
    async with serve(kafka, limits=Limits(chunk_bytes=2000)) as client:
        response = await client.upload(b"".join(docs))
    assert response.status_code == 202
    numbers = [bson.decode(doc)["n"] for record in await published(topics.INGEST) for doc in split(record.value)[0]]
    assert numbers == list(range(400))


async def test_an_empty_book_is_a_batch_without_documents(client, published):
    response = await client.upload(b"")
    assert (response.status_code, response.json()["documents"]) == (202, 0)
    assert len(await published(topics.BATCHES)) == 1


async def test_every_upload_is_a_batch_of_its_own(client, book):
    first, second = [(await client.upload(b"".join(book(1)))).json()["batch"] for _ in range(2)]
    assert first != second
    assert first.startswith("bluebird.")


async def test_an_oversized_document_is_put_in_quarantine_alone(client, published, book):
    docs = book(3)
    docs[1] = bson.encode({"originator_id": "bluebird", "asset_id": "huge", "note": "x" * DOCUMENT_BYTES_MAX * 3})
    response = await client.upload(b"".join(docs))
    answer = response.json()
    assert (response.status_code, answer["documents"], answer["oversized"]) == (202, 3, 1)
    assert sorted(await documents_of(published, answer["batch"])) == [0, len(docs[0]) + len(docs[1])]
    (record,) = await published(topics.REJECTED)
    rejected = decode_rejected(record.value)
    assert (rejected.batch, rejected.originator, rejected.asset, rejected.position) == (answer["batch"], "bluebird", "huge", len(docs[0]))
    assert rejected.reason == f"{len(docs[1])} bytes, larger than a document may be"
    assert docs[1].startswith(rejected.document)
    assert record.key == b"bluebird"


async def test_a_document_without_an_asset_id_is_left_to_intake(client, published):
    docs = [bson.encode({"originator_id": "bluebird", "status": "current"})]
    batch = (await client.upload(docs[0])).json()["batch"]
    assert await documents_of(published, batch) == {0: docs[0]}


async def test_more_uploads_than_there_are_places_are_sent_away(serve, kafka):
    going, sent = asyncio.Event(), asyncio.Event()

    async def slow():
        yield b"\5\0\0\0"
        sent.set()
        await going.wait()
        yield b"\0"

    async with serve(kafka, limits=Limits(uploads=1)) as client:
        first = asyncio.create_task(client.upload(slow()))
        await sent.wait()
        while (second := await client.upload(b"")).status_code != 503:
            assert second.status_code == 202
        assert second.headers["Retry-After"] == "5"
        assert second.json()["type"] == "urn:tranche:problem:too-many-uploads"
        going.set()
        assert (await first).status_code == 202
        assert (await client.upload(b"")).status_code == 202
