"""A batch that should not have come is dropped and sent through again, as an operator does it."""

import subprocess
import sys

import asyncpg
import pytest

from schemas.events import SellOffer, decode_market
from streams import settings, topics
from streams.backups import Backups, UnknownBackupError
from streams.demo.client import Client
from streams.settings import load
from streams.supervisor import System
from tests.broker.test_corrected import deliver
from tests.broker.test_whole import eventually
from tests.broker.tools import committed
from tests.loans import DAY, encoded

DOCUMENTS = {
    "first": [encoded("A", updated_at=DAY), encoded("B"), encoded("C")],
    "bad": [encoded("A", term_months=48), encoded("B", status="recalled"), encoded("C"), encoded("D"), encoded("E", term_months=24)],
    "later": [encoded("E", term_months=12)],
}
WANTED = """
    SELECT asset, array_agg(array[way, change, term_months::text] ORDER BY version) AS story
    FROM asset_versions JOIN batches USING (batch) WHERE asset = ANY('{A,B,C,D,E}') GROUP BY asset"""


@pytest.mark.broker
async def test_a_dropped_batch_leaves_no_trace_but_in_the_versions_and_comes_again_in_its_place(tmp_path):
    given = load({"TRANCHE_HOME": str(tmp_path / "home"), "TRANCHE_OPS_PORT": "0", "TRANCHE_GATEWAY_PORT": "0"})
    async with System(given) as system:
        client = Client(system.gateway_url, system.ops_urls, system.settings.secret)
        batches = {name: (await deliver(client, tmp_path, docs))[0] for name, docs in DOCUMENTS.items()}
        await client.rest()
        await eventually(lambda: backed_up(tmp_path / "home", batches["bad"]), expected=True)
        said = restart(system, batches["bad"], "--drop")
        assert "2 assets are as before it, 1 recalled, 1 left alone" in said
        again = said.split("sent again as ")[1].split(";")[0]
        await client.processed("bluebird", again)
        await client.rest()

        counts = (await client.batch("bluebird", again))["counts"]
        assert {name: n for name, n in counts.items() if n} == {"extended": 1, "recalled": 1, "unchanged": 1, "returned": 1, "stale": 1}
        assert await story(system.postgres) == {
            "A": ["upload created 36", "upload extended 48", "drop terms_changed 36", "restart extended 48"],
            "B": ["upload created 36", "upload recalled 36", "drop returned 36", "restart recalled 36"],
            "C": ["upload created 36"],
            "D": ["upload created 36", "drop recalled 36", "restart returned 36"],
            "E": ["upload created 24", "upload terms_changed 12"],
        }
        told = await offers(system.kafka)
        assert told["D"] == ["placed 1", "withdrawn 2", "placed 3"]
        assert told["B"] == ["placed 1", "withdrawn 2", "placed 3", "withdrawn 4"]
        assert told["A"] == ["placed 1", "placed 2", "placed 3", "placed 4"]

        assert restart(system, batches["bad"]).startswith(f"{batches['bad']}: 5 documents are sent again as ")
        await client.rest()
        await eventually(lambda: latest(system.postgres), {"A": 4, "B": 4, "C": 1, "D": 3, "E": 2})
        await client.close()


def restart(system, *arguments):
    """`tranche restart`, as a person types it."""
    environ = {"TRANCHE_SECRET": system.settings.secret, "TRANCHE_GATEWAY_PORT": str(system.settings.gateway_port)}
    command = [sys.executable, "-m", "streams.cli", "restart", *arguments]
    done = subprocess.run(command, env={**settings.inherited(), **environ}, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


async def backed_up(home, batch):
    """Whether the gateway has backed a batch up."""
    try:
        return (await Backups((home / "backups").as_uri()).find(batch)).complete
    except UnknownBackupError:
        return False


async def story(dsn):
    """Of each asset its versions: how their batch came, the change, the term."""
    return {row["asset"]: [" ".join(one) for one in row["story"]] for row in await rows(dsn, WANTED)}


async def latest(dsn):
    return {
        row["asset"]: row["version"] for row in await rows(dsn, "SELECT asset, max(version) AS version FROM asset_versions GROUP BY asset")
    }


async def rows(dsn, sql):
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetch(sql)
    finally:
        await connection.close()


async def offers(kafka):
    """Of each asset its sell offers, placed and withdrawn, in order."""
    told = {}
    for record in await committed(kafka, topics.OFFERS):
        for event in decode_market(record.value):
            told.setdefault(event.asset, []).append(f"{'placed' if isinstance(event, SellOffer) else 'withdrawn'} {event.version}")
    return told
