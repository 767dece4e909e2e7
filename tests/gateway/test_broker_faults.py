"""A broker that is absent, slow or gone: never a silent drop, and never more memory."""

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest

from schemas.events import decode_batch
from streams import admin, topics
from streams.effects import Record
from streams.embedded.kafka import Kafka
from streams.frames import split
from streams.gateway.limits import Limits
from streams.gateway.outlet import Outlet
from tests.conftest import run_apart

pytestmark = pytest.mark.broker

MB = 1_000_000
PATIENT = Limits(ack_s=30)
IMPATIENT = Limits(ack_s=1, connect_s=1)


@pytest.fixture(scope="module")
def broker(tmp_path_factory) -> Iterator[Kafka]:
    """A broker that these tests may pause and stop."""
    with Kafka(tmp_path_factory.mktemp("servers")) as server:
        run_apart(admin.create_topics(server.address))
        yield server


@pytest.fixture
def kafka(broker) -> str:
    """Of this module's broker, so that `published` reads from it."""
    return broker.address


class Sender:
    """A body of `size` bytes of documents that counts what was taken of it, and says when that is half."""

    def __init__(self, docs: list[bytes], size: int) -> None:
        self.piece, self.size, self.taken, self.documents = b"".join(docs), size, 0, 0
        self._each, self.half = len(docs), asyncio.Event()

    async def __aiter__(self):
        while self.taken < self.size:
            self.taken += len(self.piece)
            self.documents += self._each
            if self.taken > self.size / 2:
                self.half.set()
            yield self.piece
            await asyncio.sleep(0)


async def stalled(sender):
    """Wait until the body is not read any further."""
    before = -1
    while before != sender.taken:
        before = sender.taken
        await asyncio.sleep(0.5)


async def test_without_a_broker_an_upload_is_503_before_it_is_read(alone, book):
    sender = Sender(book(1000), 2 * MB)
    response = await alone.upload(aiter(sender))
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    problem = response.json()
    assert problem["type"] == "urn:tranche:problem:broker-unavailable"
    assert "Nothing was read" in problem["detail"]


async def test_without_a_broker_the_gateway_is_not_healthy_and_says_why(alone):
    response = await alone.get("/health")
    assert response.status_code == 503
    assert response.json()["status"] == "down"
    assert "127.0.0.1:1" in response.json()["broker"]


async def test_a_slow_broker_slows_the_upload_and_nothing_is_lost(serve, broker, book):
    sender = Sender(book(1000, size=200), 60 * MB)
    async with serve(broker.address, limits=PATIENT) as client:
        await client.upload(b"")
        os.kill(broker.process.pid, signal.SIGSTOP)
        try:
            upload = asyncio.create_task(client.upload(aiter(sender)))
            await stalled(sender)
            assert sender.taken < 20 * MB  # two sockets' buffers, the chunks in flight and the open ones
        finally:
            os.kill(broker.process.pid, signal.SIGCONT)
        response = await upload
    assert (response.status_code, response.json()["documents"]) == (202, sender.documents)


async def test_a_broker_that_stops_within_an_upload_is_503_with_what_it_has(serve, broker, book, published):
    sender = Sender(book(1000, size=200), 40 * MB)
    async with serve(broker.address, limits=IMPATIENT) as client:
        await client.upload(b"")
        os.kill(broker.process.pid, signal.SIGSTOP)
        try:
            response = await client.upload(aiter(sender))
        finally:
            os.kill(broker.process.pid, signal.SIGCONT)
        problem = response.json()
        assert (response.status_code, problem["type"]) == (503, "urn:tranche:problem:broker-unavailable")
        assert "Send the batch again" in problem["detail"]
        again = b"".join(book(10))
        assert (await client.upload(again)).status_code == 202
    there = sum(len(split(r.value)[0]) for r in await published(topics.INGEST) if dict(r.headers)["batch"].decode() == problem["batch"])
    assert problem["documents_kept"] <= there < sender.documents


async def test_a_broker_that_is_started_again_is_found_again(serve, broker, book, published):
    sender = Sender(book(1000, size=200), 100 * MB)
    async with serve(broker.address, limits=Limits(ack_s=1)) as client:
        upload = asyncio.create_task(client.upload(aiter(sender)))
        await sender.half.wait()
        await asyncio.to_thread(broker.stop)
        assert (await upload).status_code == 503
        assert (await client.get("/health")).status_code == 503
        await asyncio.to_thread(broker.start)
        assert (await client.get("/health")).json()["broker"] == "up"
        assert (await client.upload(b"".join(book(10)))).json()["documents"] == 10
    assert 10 in [decode_batch(record.value).documents for record in await published(topics.BATCHES)]


async def test_no_more_chunks_than_allowed_await_their_acks(broker):
    outlet, acks = Outlet(broker.address, Limits(chunks_in_flight=2)), []
    records = [Record(topics.INGEST, None, b"", partition) for partition in range(3)]
    await outlet.connect()
    os.kill(broker.process.pid, signal.SIGSTOP)
    await asyncio.to_thread(os.waitid, os.P_PID, broker.process.pid, os.WSTOPPED | os.WNOWAIT)  # sent is not yet stopped
    try:
        acks += [await outlet.put(record) for record in records[:2]]
        third = asyncio.create_task(outlet.put(records[2]))
        done, _ = await asyncio.wait([third], timeout=0.5)
        assert not done
    finally:
        os.kill(broker.process.pid, signal.SIGCONT)
    await outlet.settled([*acks, await third])
    await outlet.close()
