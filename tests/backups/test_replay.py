"""`tranche replay`, as a person types it: backups go through again, as new batches."""

import asyncio
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from streams import settings, topics
from streams.backups import Backups, StoreError
from streams.frames import split
from tests.backups.test_spool import spooled, until
from tests.gateway.conftest import SECRET

pytestmark = pytest.mark.broker
NONE = "bluebird.20200101T000000-abcdef"


class Shop:
    """A gateway with backups in a folder, and the command beside it."""

    def __init__(self, client, home, url):
        self.client, self.home, self.url = client, home, url

    async def upload(self, docs, originator="bluebird"):
        answer = (await self.client.upload(b"".join(docs), originator)).json()
        await until(lambda: not spooled(self.home))
        return answer["batch"]

    async def tranche(self, *arguments, **over):
        own = {"HOME": self.home, "SECRET": SECRET, "BACKUPS": self.url, "GATEWAY_PORT": self.client.address[1], **over}
        environ = {**settings.inherited(), **{f"TRANCHE_{name}": str(value) for name, value in own.items()}, "COLUMNS": "200"}
        command = [sys.executable, "-m", "streams.cli", "replay", *arguments]
        return await asyncio.to_thread(subprocess.run, command, env=environ, capture_output=True, text=True, timeout=60, check=False)

    async def refused(self, *arguments, **over):
        done = await self.tranche(*arguments, **over)
        assert (done.returncode, done.stdout) == (2, "")
        assert "Traceback" not in done.stderr
        return done.stderr


@pytest.fixture
async def shop(kafka, serve, tmp_path):
    url = (tmp_path / "store").as_uri()
    async with serve(kafka, HOME=tmp_path, BACKUPS=url) as client:
        yield Shop(client, tmp_path, url)


def of_batch(records, batch):
    return sorted(doc for r in records if dict(r.headers)["batch"] == batch.encode() for doc in split(r.value)[0])


async def test_a_batch_goes_through_again_under_a_new_name_that_leads_to_the_first(shop, published, book):
    docs = book(2_000, 300)
    first = await shop.upload(docs)
    done = await shop.tranche("--batch", first, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    (again,) = json.loads(done.stdout)["replayed"]
    assert {**again, "batch": ""} == {"first_batch": first, "batch": "", "documents": 2_000, "bytes": len(b"".join(docs)), "error": ""}
    assert again["batch"] != first
    assert of_batch(await published(topics.INGEST), again["batch"]) == sorted(docs)


async def test_a_span_of_time_of_an_originator_goes_through_in_its_order(shop, book):
    batches = [await shop.upload(book(1), name) for name in ("bluebird", "bluebird", "harbor")]
    now = datetime.now(UTC)
    day, tomorrow = (f"{now + timedelta(days=n):%Y-%m-%d}" for n in (-1, 1))
    done = await shop.tranche("--originator", "bluebird", "--since", day, "--until", tomorrow, "--json")
    assert sorted(one["first_batch"] for one in json.loads(done.stdout)["replayed"]) == sorted(batches[:2])
    shown = (await shop.tranche("--originator", "harbor", "--since", day, "--until", tomorrow)).stdout
    assert batches[2] in shown
    assert "there is no backup of bluebird from" in await shop.refused("--originator", "bluebird", "--since", tomorrow)


async def test_a_backup_that_is_incomplete_is_sent_only_if_that_is_wanted(shop, book):
    docs = book(3)
    first = await shop.upload([*docs, b"\x05"])
    assert "incomplete" in await shop.refused("--batch", first)
    (again,) = json.loads((await shop.tranche("--batch", first, "--incomplete", "--json")).stdout)["replayed"]
    assert (again["documents"], again["bytes"]) == (3, len(b"".join(docs)))
    assert "Byte" in again["error"]


async def test_what_cannot_be_replayed_says_why(shop, book):
    first = await shop.upload(book(1))
    assert f"{NONE}: there is no backup of it" in await shop.refused("--batch", NONE)
    assert "no batch that the gateway has taken" in await shop.refused("--batch", "x")
    assert "TRANCHE_BACKUPS" in await shop.refused("--batch", first, BACKUPS="")
    assert "does not answer" in await shop.refused("--batch", first, GATEWAY_PORT="1")
    assert "answered 401" in await shop.refused("--batch", first, SECRET="another secret of 32 characters!")
    assert "give --batch, or --originator with --since" in await shop.refused("--originator", "bluebird")
    with pytest.raises(StoreError):
        Backups("s3://")


async def test_the_gateway_names_the_first_batch_if_it_is_the_originators(shop, book):
    answer = await shop.client.upload(b"".join(book(1)), Tranche_Replay_Of=NONE)
    assert (answer.status_code, answer.json()["replay_of"]) == (202, NONE)
    wrong = await shop.client.upload(b"".join(book(1)), Tranche_Replay_Of="harbor.1")
    assert (wrong.status_code, wrong.json()["field"]) == (400, "Tranche-Replay-Of")
