"""What is put into an originator's folder is taken as if it had been uploaded."""

import asyncio
import gzip
import json
import os
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from backports import zstd

from schemas.events import BatchReceived, decode_batch
from streams import metrics, settings, topics
from streams.frames import split
from streams.gateway import inbox, server
from streams.gateway.limits import Limits
from streams.gateway.settling import Look
from streams.gateway.uploads import FileError

pytestmark = pytest.mark.broker
QUICK = Limits(idle_s=5, ack_s=10, connect_s=2, linger_s=2, retry_s=1, unread_s=1)
WAIT_S = 30.0


@pytest.fixture
async def watched(kafka, serve, tmp_path):
    """A gateway that watches a folder, and the folder of bluebird in it."""
    async with serve(kafka, limits=QUICK, inbox=tmp_path) as client:
        yield client, await _made(tmp_path)


async def _made(folder):
    await until((folder / "bluebird").is_dir)
    return folder / "bluebird"


async def until(true):
    async with asyncio.timeout(WAIT_S):
        while not true():  # noqa: ASYNC110 - another thread writes it
            await asyncio.sleep(0.05)


async def answer(folder, where, name):
    """The answer beside the file that was put away as `name`, and the file's bytes."""
    await until(lambda: list(folder.glob(f"{where}/*/{name}")))
    (file,) = folder.glob(f"{where}/*/{name}")
    found = json.loads((file.parent / "answer.json").read_bytes())
    assert file.parent.name == found["batch"]
    return found, file.read_bytes()


def documents(records):
    return sorted(data for record in records for data in split(record.value)[0])


async def test_a_file_gives_the_same_messages_as_an_upload_of_its_bytes(watched, published, book):
    client, folder = watched
    docs = book(500)
    (folder / "book.bson").write_bytes(b"".join(docs))
    found, content = await answer(folder, inbox.TAKEN, "book.bson")
    uploaded = (await client.upload(b"".join(docs))).json()
    assert content == b"".join(docs)
    assert {**found, "batch": 0, "status_url": 0} == {**uploaded, "batch": 0, "status_url": 0}
    by_batch = {name: [] for name in (found["batch"], uploaded["batch"])}
    for record in await published(topics.INGEST):
        by_batch[dict(record.headers)["batch"].decode()].append((record.partition, record.value, dict(record.headers)["positions"]))
    first, second = by_batch.values()
    assert first == second
    assert documents(await published(topics.INGEST)) == sorted(docs * 2)


async def test_a_file_is_not_taken_while_it_grows(watched, published, book):
    _, folder = watched
    with (folder / "book.bson").open("wb", buffering=0) as file:
        for data in book(30):
            file.write(data)
            await asyncio.sleep(0.1)  # a slow writer is the case
        assert not list(folder.glob("*/*/book.bson"))
    found, _ = await answer(folder, inbox.TAKEN, "book.bson")
    assert found["documents"] == 30
    assert len(documents(await published(topics.INGEST))) == 30


async def test_a_file_that_is_damaged_is_put_aside_with_the_problem_and_what_came_before_is_kept(watched, published, book):
    _, folder = watched
    docs = book(3)
    (folder / "book.bson").write_bytes(b"".join(docs)[:-5])
    found, _ = await answer(folder, inbox.REFUSED, "book.bson")
    assert (found["type"], found["status"]) == ("urn:tranche:problem:bad-sequence", 400)
    assert (found["position"], found["documents_kept"]) == (len(docs[0]) * 2, 2)
    assert documents(await published(topics.INGEST)) == docs[:2]


@pytest.mark.parametrize(("name", "compress"), [("book.bson.gz", gzip.compress), ("book.bson.zst", zstd.compress)])
async def test_a_compressed_file_gives_the_documents_in_it(watched, published, book, name, compress):
    _, folder = watched
    docs = book(30)
    (folder / name).write_bytes(compress(b"".join(docs)))
    found, _ = await answer(folder, inbox.TAKEN, name)
    assert found["documents"] == 30
    assert documents(await published(topics.INGEST)) == sorted(docs)


async def test_a_compressed_file_that_is_cut_off_is_put_aside(watched, book):
    _, folder = watched
    (folder / "book.bson.gz").write_bytes(gzip.compress(b"".join(book(30)))[:-8])  # without its check sum
    found, _ = await answer(folder, inbox.REFUSED, "book.bson.gz")
    assert (found["type"], found["documents_kept"]) == ("urn:tranche:problem:bad-coding", 30)


async def test_a_file_that_changes_while_it_is_read_stays_and_is_taken_again(kafka, published, tmp_path, book):
    given = settings.load({"TRANCHE_KAFKA": kafka, "TRANCHE_SECRET": "s" * 32})
    gateway = server.app(given, QUICK).state.gateway
    file = tmp_path / "book.bson"
    file.write_bytes(b"".join(book(3)))
    await inbox._Inbox(tmp_path, gateway)._take("bluebird", file, Look(0, 0, 0))
    await gateway.outlet.close()
    (received,) = [decode_batch(record.value) for record in await published(topics.BATCHES, least=1)]
    assert (received.error, received.documents) == ("the file changed while it was read, and is taken again", 3)
    assert file.exists()


async def test_links_hidden_files_and_folders_are_left_alone(watched, tmp_path, book):
    _, folder = watched
    secret = tmp_path / "secret"
    secret.write_bytes(b"".join(book(1)))
    (folder / "link.bson").symlink_to(secret)
    (folder / ".hidden.bson").write_bytes(b"".join(book(1)))
    (folder / "book.bson.part").write_bytes(b"".join(book(1)))
    (folder / "deep").mkdir()
    (folder / "last.bson").write_bytes(b"".join(book(1)))
    os.utime(folder / "last.bson", (2**31, 2**31))
    await answer(folder, inbox.TAKEN, "last.bson")
    assert sorted(path.name for path in folder.iterdir()) == [".hidden.bson", "book.bson.part", "deep", "link.bson", inbox.TAKEN]


async def test_files_of_one_originator_are_taken_in_the_order_in_which_they_were_written(watched, published, book):
    _, folder = watched
    (document,) = book(1)
    for n, name in enumerate(("c", "a", "b")):
        (folder / f".{name}").write_bytes(document)
        os.utime(folder / f".{name}", (n, n))
    for name in ("a", "b", "c"):
        (folder / f".{name}").rename(folder / name)
    batches = [(await answer(folder, inbox.TAKEN, name))[0]["batch"] for name in ("c", "a", "b")]
    received = [event for r in await published(topics.BATCHES) if isinstance(event := decode_batch(r.value), BatchReceived)]
    ingested = [dict(r.headers)["batch"].decode() for r in await published(topics.INGEST)]
    assert ingested == batches
    assert {event.batch for event in received} == set(batches)


async def test_a_file_that_cannot_be_read_keeps_none_behind_it_waiting_and_is_tried_again(watched, monkeypatch, book, capsys):
    _, folder = watched
    os_open = os.open

    def refuse(path, *flags, **more):  # in place of a mode, which means nothing to root
        if str(path).endswith("first.bson"):
            raise PermissionError(13, "Permission denied")
        return os_open(path, *flags, **more)

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", refuse)
        (folder / "first.bson").write_bytes(b"".join(book(3)))
        os.utime(folder / "first.bson", (1, 1))
        for name in ("second.bson", "third.bson"):
            (folder / name).write_bytes(b"".join(book(1)))
            await answer(folder, inbox.TAKEN, name)
    assert (await answer(folder, inbox.TAKEN, "first.bson"))[0]["documents"] == 3
    assert capsys.readouterr().out.count("the file cannot be read: Permission denied") == 1


async def test_a_file_that_cannot_be_read_on_leaves_its_batch_failed(kafka, published, tmp_path):
    given = settings.load({"TRANCHE_KAFKA": kafka, "TRANCHE_SECRET": "s" * 32})
    gateway = server.app(given, QUICK).state.gateway
    file = Path("/proc/self/mem")  # nothing is mapped at its beginning
    look = inbox._look(file.stat())  # noqa: ASYNC240 - no disk
    with pytest.raises(FileError):
        await inbox._Inbox(tmp_path, gateway)._take("bluebird", file, look)
    await gateway.outlet.close()
    (received,) = [decode_batch(record.value) for record in await published(topics.BATCHES, least=1)]
    assert (received.error, received.documents) == ("the file cannot be read on: Input/output error", 0)


async def test_a_file_waits_for_a_broker_that_is_away(kafka, serve, tmp_path, book):
    folder, refused = tmp_path / "bluebird", metrics.UPLOADS.labels("bluebird", "refused")
    folder.mkdir()
    (folder / "book.bson").write_bytes(b"".join(book(3)))
    before = refused._value.get()
    async with serve(limits=QUICK, inbox=tmp_path):
        await until(lambda: refused._value.get() > before)
        assert [path.name for path in folder.iterdir()] == ["book.bson"]
    async with serve(kafka, limits=QUICK, inbox=tmp_path):
        found, _ = await answer(folder, inbox.TAKEN, "book.bson")
        assert found["documents"] == 3


async def test_one_gateway_watches_an_inbox_and_the_next_takes_over(kafka, serve, tmp_path, book):
    async with AsyncExitStack() as gone:
        first = await gone.enter_async_context(serve(kafka, limits=QUICK, inbox=tmp_path))
        await until_says(first, "watched")
        async with serve(kafka, limits=QUICK, inbox=tmp_path) as second:
            await until_says(second, "another gateway watches it")
            await gone.aclose()
            await until_says(second, "watched")
            (tmp_path / "bluebird" / "book.bson").write_bytes(b"".join(book(3)))
            found, _ = await answer(tmp_path / "bluebird", inbox.TAKEN, "book.bson")
            assert found["documents"] == 3


async def until_says(client, what):
    async with asyncio.timeout(WAIT_S):
        while (await client.get("/health")).json()["inbox"] != what:  # noqa: ASYNC110 - a process of its own says it
            await asyncio.sleep(0.05)


async def test_an_inbox_that_cannot_be_watched_makes_the_gateway_unhealthy(kafka, serve, tmp_path):
    (tmp_path / "bluebird").write_bytes(b"a file where the folder should be")
    async with serve(kafka, limits=QUICK, inbox=tmp_path) as client:
        async with asyncio.timeout(WAIT_S):
            while (health := await client.get("/health")).status_code == 200:  # noqa: ASYNC110 - see above
                await asyncio.sleep(0.05)
        assert "bluebird" in health.json()["inbox"]
