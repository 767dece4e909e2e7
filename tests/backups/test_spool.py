"""While a batch is taken it is backed up; what is killed or away on the way loses nothing."""

import asyncio
import gzip
import signal
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime

import httpx
import pytest
import xxhash

from schemas.events import BatchReceived, decode_batch, encode
from streams import topics
from streams.backups import Backups
from streams.embedded.folders import MIB, try_lock
from streams.embedded.ports import free_port
from streams.frames import split
from streams.gateway.limits import Limits
from streams.gateway.spooled import Spooled, SpoolError
from streams.settings import inherited
from streams.tokens import issue
from tests.chaos.disk import SLACK_MIB, Disk
from tests.gateway.conftest import SECRET

pytestmark = pytest.mark.broker
WAIT_S = 30.0
FULL = Limits(idle_s=5, ack_s=10, connect_s=2, linger_s=2, spool_bytes=20_000)
EVER = (datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))


async def until(true):
    """Until it is true; another process makes it so."""
    async with asyncio.timeout(WAIT_S):
        while not (found := await found_by(true)):  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.05)
    return found


async def found_by(true):
    found = true()
    return await found if asyncio.iscoroutine(found) else found


def spooled(home):
    return [path for path in home.glob("spool/*/*") if path.name != ".lock"]


async def stored(url, batch):
    """The bytes of a backup, and what is known of it."""
    store = Backups(url)
    return b"".join([piece async for piece in store.pieces(batch)]), await store.find(batch)


async def received(published, batch):
    """What was published of a batch."""
    events = [decode_batch(record.value) for record in await published(topics.BATCHES)]
    return [event for event in events if isinstance(event, BatchReceived) and event.batch == batch]


@pytest.mark.parametrize("kind", ["folder", "s3"])
async def test_an_upload_is_backed_up_as_it_came_and_then_leaves_the_spool(kafka, serve, tmp_path, book, request, kind):
    url = request.getfixturevalue("s3").bucket("uploads") if kind == "s3" else (tmp_path / "store").as_uri()
    content = b"".join(book(9_000, 800))  # more than a part
    async with serve(kafka, HOME=tmp_path, BACKUPS=url) as client:
        answer = (await client.upload(content)).json()
        await until(lambda: not spooled(tmp_path))
        data, backup = await stored(url, answer["batch"])
        assert data == content
        assert (backup.documents, backup.bytes, backup.digest, backup.complete) == (9_000, len(content), answer["digest"], True)
        assert (await client.get("/health")).json()["backups"] == {"store": "up", "bytes": 0, "batches": 0, "oldest_s": 0.0}


async def test_a_batch_that_ends_early_is_backed_up_as_incomplete(kafka, serve, tmp_path, book):
    url, content = (tmp_path / "store").as_uri(), b"".join(book(3))[:-5]
    async with serve(kafka, HOME=tmp_path, BACKUPS=url) as client:
        problem = (await client.upload(content)).json()
        await until(lambda: not spooled(tmp_path))
    data, backup = await stored(url, problem["batch"])
    assert data == content
    assert (backup.complete, backup.position, backup.documents) == (False, problem["position"], 2)


async def test_a_file_of_the_inbox_is_backed_up_plain_and_then_leaves_taken(kafka, serve, tmp_path, book):
    url, content = (tmp_path / "store").as_uri(), b"".join(book(30))
    folder = tmp_path / "inbox" / "bluebird"
    folder.mkdir(parents=True)
    (folder / "book.bson.gz").write_bytes(gzip.compress(content))
    async with serve(kafka, HOME=tmp_path, BACKUPS=url, INBOX=tmp_path / "inbox"):
        await until(lambda: list(folder.glob("taken/*/book.bson.gz")))
        await until(lambda: not list(folder.glob("taken/*/book.bson.gz")))
    (answer,) = folder.glob("taken/*/answer.json")
    assert (await stored(url, answer.parent.name))[0] == content


async def test_what_was_about_to_be_published_is_published_by_the_next_gateway_as_it_is(kafka, serve, published, tmp_path, book):
    url, content, batch = (tmp_path / "store").as_uri(), b"".join(book(3)), "bluebird.20261123T100000-00000a"
    event = BatchReceived(batch, "bluebird", 3, len(content), xxhash.xxh3_128_hexdigest(content))
    for name in ("dead", "alive"):
        (tmp_path / "spool" / name).mkdir(parents=True)
    (tmp_path / "spool" / "dead" / f"{batch}.bson").write_bytes(content)
    (tmp_path / "spool" / "dead" / f"{batch}.ending").write_bytes(encode(event))
    (tmp_path / "spool" / "dead" / "bluebird.20261123T100000-00000b.ended").write_bytes(b"")  # killed while it was deleted
    with try_lock(tmp_path / "spool" / "alive" / ".lock"):
        other = tmp_path / "spool" / "alive" / "bluebird.20261123T100000-00000c.bson"
        other.write_bytes(content)
        async with serve(kafka, HOME=tmp_path, BACKUPS=url):
            await until(lambda: spooled(tmp_path) == [other])
    assert await received(published, batch) == [event]
    data, backup = await stored(url, batch)
    assert (data, backup.complete, backup.documents) == (content, True, 3)


async def test_while_the_store_is_away_batches_wait_and_then_the_spool_is_full(kafka, serve, s3, tmp_path, book):
    url = s3.bucket("away")
    s3.stop()
    try:
        async with serve(kafka, HOME=tmp_path, BACKUPS=url, limits=FULL) as client:
            small, large = b"".join(book(100)), book(400)
            first = (await client.upload(small)).json()
            await until(lambda: said(client, lambda health: health["store"].startswith("down: ")))
            broken = await client.upload(of(large))  # no more than its beginning has room
            assert (broken.status_code, broken.json()["type"]) == (503, "urn:tranche:problem:spool-full")
            while (refused := await client.upload(small)).status_code == 202:
                pass
            assert (refused.status_code, refused.json()["type"]) == (503, "urn:tranche:problem:spool-full")
            assert refused.headers["Retry-After"] == str(FULL.retry_s)
            health = (await client.get("/health")).json()
            assert health["status"] == "up"
            assert broken.json()["position"] + len(small) <= FULL.spool_bytes
            assert 0 < health["backups"]["bytes"] <= FULL.spool_bytes
            s3.start()
            s3.bucket("away")
            await until(lambda: not spooled(tmp_path))
            assert (await stored(url, first["batch"]))[0] == small
            assert not (await Backups(url).find(broken.json()["batch"])).complete
            assert (await client.upload(small)).status_code == 202
    finally:
        if s3._process.poll() is not None:
            s3.start()


async def of(docs):
    for document in docs:
        yield document


async def said(client, true):
    return true((await client.get("/health")).json()["backups"])


async def test_a_disk_that_is_full_at_the_end_does_not_make_a_batch_one_that_broke_off(tmp_path):
    event = BatchReceived("b", "bluebird", 3, 9, "0")
    disk = Disk(tmp_path / "disk")
    with disk:
        if disk.why_not:
            pytest.skip(disk.why_not)
        spooled = Spooled(disk.folder / "b.bson", Room())
        spooled.create()
        spooled.write(b"documents", 3, 0)
        disk.fill()
        with pytest.raises(SpoolError, match="No space left"):
            spooled.write(b"x" * 4 * SLACK_MIB * MIB, 3, 0)
        with suppress(OSError), (disk.folder / "others").open("wb", buffering=0) as rest:
            while rest.write(b"x" * 1024):
                pass
        spooled.ending(event)
        assert Spooled(disk.folder / "b.bson", Room()).to_publish() == event
        assert (disk.folder / "b.bson").read_bytes() == b"documents"
        spooled.close()


class Room:
    """A spool in which there is always room."""

    bytes = 0

    def check(self, more=0):
        pass


class Gateway:
    """A gateway process of its own, which can be killed."""

    def __init__(self, home, kafka, url, inbox=""):
        self.port = free_port()
        own = {"HOME": home, "KAFKA": kafka, "SECRET": SECRET, "GATEWAY_PORT": self.port, "BACKUPS": url, "INBOX": inbox}
        self._environ = {**inherited(), **{f"TRANCHE_{name}": str(value) for name, value in own.items()}}
        self._log = home / "gateway.log"

    async def start(self):
        with self._log.open("ab") as log:
            command = [sys.executable, "-m", "streams.cli", "gateway"]
            self._process = subprocess.Popen(command, env=self._environ, stdout=log, stderr=log)  # noqa: ASYNC220 - it is killed, too
        async with httpx.AsyncClient(trust_env=False) as client:
            await until(lambda: self._answers(client))

    async def _answers(self, client):
        assert self._process.poll() is None, self._log.read_text()
        try:
            return (await client.get(f"http://127.0.0.1:{self.port}/health")).status_code == 200
        except httpx.TransportError:
            return False

    def kill(self, number=signal.SIGKILL):
        self._process.send_signal(number)
        self._process.wait()


@pytest.fixture
async def process(kafka, tmp_path):
    gateway = Gateway(tmp_path, kafka, (tmp_path / "store").as_uri())
    await gateway.start()
    yield gateway
    gateway.kill()


async def test_a_gateway_killed_during_an_upload_leaves_a_failed_batch_and_its_backup(process, published, tmp_path, book):
    url, docs = (tmp_path / "store").as_uri(), book(9_000, 800)
    _, writer = await asyncio.open_connection("127.0.0.1", process.port)
    head = f"Authorization: Bearer {issue(SECRET, 'originator', 'bluebird')}\r\nContent-Type: application/bson\r\nContent-Length: 100000000"
    writer.write(f"POST /originators/bluebird/batches HTTP/1.1\r\nHost: g\r\n{head}\r\n\r\n".encode())
    content = b"".join(docs)
    writer.write(content)
    await writer.drain()
    await until(lambda: sum(path.stat().st_size for path in tmp_path.glob("spool/*/*.bson")) == len(content))
    process.kill()
    writer.close()
    (left,) = tmp_path.glob("spool/*/*.bson")
    assert left.with_suffix(".open").exists()

    await process.start()
    await until(lambda: not spooled(tmp_path))
    data, backup = await stored(url, left.stem)
    assert data == content
    assert (backup.complete, backup.bytes, backup.digest) == (False, len(content), xxhash.xxh3_128_hexdigest(content))
    (event,) = await received(published, left.stem)
    assert event.error == f"the gateway ended when it had {len(content)} bytes of it; send it again"
    assert (event.position, event.bytes, event.digest) == (len(content), backup.bytes, backup.digest)
    documents = sum(len(split(r.value)[0]) for r in await published(topics.INGEST) if dict(r.headers)["batch"] == left.stem.encode())
    assert 0 < event.documents <= documents <= len(docs)
