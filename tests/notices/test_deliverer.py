"""Notices on a real PostgreSQL, delivered to real receivers by deliverers that are killed anywhere."""

import asyncio
import contextlib
from collections import defaultdict
from itertools import count

import pytest

from schemas.catalog import Originator
from streams import metrics
from streams.notices import deliverer as module
from streams.notices.deliverer import Deliverer, Delivery
from streams.notices.spool import Spool
from streams.notices.ways import DeliveryError, Stored, way_to
from streams.store import Store
from streams.webhooks.client import Webhooks
from streams.webhooks.signing import webhook_secret
from tests.webhooks.receivers import is_signed, receiver, says

SECRET = "0123456789abcdef0123456789abcdef"
LIVES_MAX = 300
LEFT = "SELECT EXISTS (SELECT FROM notices) OR EXISTS (SELECT FROM notice_files WHERE delivered IS NULL)"


@pytest.fixture
async def webhooks():
    made = Webhooks(SECRET, allow_private=True)
    yield made
    await made.close()


async def spool(sql, originator, numbers, length=100):
    """Notices, each a line of `length` bytes, by its number."""
    rows = [(originator, originator, number, f"{number:0{length - 1}}") for number in numbers]
    await sql.executemany("INSERT INTO notices (originator, topic, partition, record_offset, event) VALUES ($1, $2, 0, $3, $4)", rows)


def notices(body):
    return [int(line) for line in body.splitlines()]


def delivery(originator, way, after_s=0.0, bytes_max=1000):
    return Delivery(originator, way, after_s, bytes_max)


def steps(store, one):
    """A worker's life for one originator, until there is nothing to do."""
    deliverer = Deliverer(Spool(store), [one], None)

    async def live():
        for _ in range(LIVES_MAX):
            if not await deliverer.step(one):
                return
        raise AssertionError("it never ends")

    return live


class KilledAt:
    """Awaits a coroutine as it is, and cancels the task where it waits for the `place`th time."""

    def __init__(self, coroutine, place):
        self.coroutine, self.place = coroutine, place

    def __await__(self):
        waiting, task, cancelled = self.coroutine.__await__(), asyncio.current_task(), None
        for place in count(1):
            try:
                future = waiting.throw(cancelled) if cancelled else next(waiting)
            except StopIteration:
                return
            if place == self.place:
                asyncio.get_running_loop().call_soon(task.cancel)
            try:
                cancelled = yield future
            except asyncio.CancelledError as now:
                cancelled = now


async def lives(awaitable):
    await awaitable


async def killed_everywhere(store, sql, one):
    """Lives that are killed at their first await, their second, …, until all is delivered; how many that took."""
    for place in range(1, LIVES_MAX):
        if not await sql.fetchval(LEFT):
            return place
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.create_task(lives(KilledAt(steps(store, one)(), place)))
        await sql.execute("UPDATE notice_files SET next_attempt = now()")  # what a lost worker has claimed is another's later
    raise AssertionError("it never ends")


async def test_killed_at_any_await_nothing_is_lost_and_no_name_has_two_contents(store, sql, webhooks):
    await spool(sql, "bluebird", range(35))
    async with receiver(says(200)) as there:
        one = delivery("bluebird", way_to(Originator("bluebird", "B", deliver_to=there.url("127.0.0.1")), webhooks))
        assert await killed_everywhere(store, sql, one) > 20
    contents = defaultdict(set)
    for request in there.requests:
        assert is_signed(webhook_secret(SECRET, "bluebird"), request)
        contents[request.headers["webhook-id"]].add(request.body)
    assert sorted(contents) == [f"bluebird-{number:012}" for number in range(1, 5)]
    assert all(len(bodies) == 1 for bodies in contents.values())
    assert [number for _, (body,) in sorted(contents.items()) for number in notices(body)] == list(range(35))
    assert len(there.requests) > len(contents), "some were killed between the receiver's yes and ours"


async def test_in_a_folder_every_file_is_there_once_and_whole(store, sql, tmp_path):
    await spool(sql, "bluebird", range(35))
    folder = tmp_path / "to originators" / "bluebird"
    await killed_everywhere(store, sql, delivery("bluebird", Stored(f"file://{folder}".replace(" ", "%20"))))
    files = sorted(folder.iterdir())
    assert [file.name for file in files] == [f"bluebird-{number:012}.jsonl" for number in range(1, 5)]
    assert [number for file in files for number in notices(file.read_bytes())] == list(range(35))


async def test_several_workers_deliver_every_file_once_and_in_order(database, sql):
    await spool(sql, "bluebird", range(95))
    got = []

    async def way(name, body):
        got.append((name, body))
        await asyncio.sleep(0.01)

    stores = [Store(database) for _ in range(3)]
    for _ in range(LIVES_MAX):
        await asyncio.gather(*(steps(store, delivery("bluebird", way))() for store in stores))
        if not await sql.fetchval(LEFT):
            break
    for store in stores:
        await store.close()
    assert [name for name, _ in got] == [f"bluebird-{number:012}" for number in range(1, 11)]
    assert [number for _, body in got for number in notices(body)] == list(range(95))


async def test_a_file_waits_for_its_time_or_its_size(store, sql):
    got = asyncio.Queue()

    async def way(_name, body):
        await got.put(notices(body))

    one = delivery("bluebird", way, after_s=3600.0, bytes_max=500)
    await spool(sql, "bluebird", range(4))
    await steps(store, one)()
    assert got.empty()
    await spool(sql, "bluebird", range(4, 7))
    await steps(store, one)()
    assert got.get_nowait() == [0, 1, 2, 3, 4]
    assert got.empty()
    await sql.execute("UPDATE notices SET spooled = spooled - interval '1 hour'")
    await steps(store, one)()
    assert got.get_nowait() == [5, 6]
    assert await sql.fetch("SELECT 1 FROM notices") == []
    assert [tuple(row) for row in await sql.fetch("SELECT number, notices, body FROM notice_files ORDER BY 1")] == [
        (1, 5, None),
        (2, 2, None),
    ]


async def test_what_is_not_taken_is_tried_again_later_and_later_under_its_name(store, sql):
    tried = []

    async def way(name, body):
        tried.append((name, body))
        raise DeliveryError("no")

    await spool(sql, "harbor", [1])
    before = metrics.NOTICE_FAULTS.labels("harbor")._value.get()
    for pause_s in (5, 10, 20):
        await steps(store, delivery("harbor", way))()
        assert await sql.fetchval("SELECT round(extract(epoch FROM next_attempt - now())) FROM notice_files") == pytest.approx(
            pause_s, abs=1
        )
        await steps(store, delivery("harbor", way))()
        await spool(sql, "harbor", [pause_s])
        await sql.execute("UPDATE notice_files SET next_attempt = now()")
    assert len(tried) == 3
    assert len(set(tried)) == 1
    assert metrics.NOTICE_FAULTS.labels("harbor")._value.get() - before == 3


async def test_an_originator_that_never_answers_holds_up_nobody_else(store, sql, webhooks, monkeypatch):
    monkeypatch.setattr(module, "LOOK_S", 0.01)
    asked, taken = asyncio.Event(), asyncio.Event()

    async def silence(*_):
        asked.set()
        await asyncio.Event().wait()

    async def way(*_):
        taken.set()

    await spool(sql, "harbor", [1])
    running = asyncio.create_task(Deliverer(Spool(store), [delivery("harbor", silence), delivery("bluebird", way)], webhooks).run())
    async with asyncio.timeout(10):
        await asked.wait()
        await spool(sql, "bluebird", [1])
        await taken.wait()
    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled()


async def test_a_database_that_goes_in_the_middle_is_waited_for(database, sql, webhooks, monkeypatch):
    monkeypatch.setattr(module, "LOOK_S", 0.01)
    taken, gone, again = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def way(*_):
        if taken.is_set():
            again.set()
        taken.set()
        await gone.wait()

    store = Store(database)
    await spool(sql, "bluebird", [1])
    running = asyncio.create_task(Deliverer(Spool(store), [delivery("bluebird", way)], webhooks).run())
    async with asyncio.timeout(10):
        await taken.wait()
        await sql.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tranche'")
        gone.set()
        await spool(sql, "bluebird", [2])
        while not again.is_set():
            await sql.execute("UPDATE notice_files SET next_attempt = now() WHERE delivered IS NULL")
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.wait([running])
    await store.close()
    assert running.cancelled()


async def test_a_folder_that_cannot_be_is_a_reason(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DeliveryError) as caught:
        await Stored(f"file://{tmp_path}/file/folder")("a-1", b"x")
    assert "\n" not in str(caught.value)
