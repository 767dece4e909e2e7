"""A worker that stops itself, under the supervisor that starts it again."""

import asyncio
import json

import httpx

from streams import topics
from streams.app import discover
from streams.broker import KafkaBroker
from streams.effects import Record
from streams.settings import load
from streams.step import Partition
from streams.supervisor import System
from tests.broker.tools import produce
from tests.embedded.waiting import until

BOUND_S = 90


async def test_a_worker_that_stopped_itself_is_started_again_by_its_supervisor_and_tells_why(kafka, postgres, group, tmp_path):
    settings = load({"TRANCHE_HOME": str(tmp_path / "home"), "TRANCHE_GROUP": group, "TRANCHE_OPS_PORT": "0"})
    intake = next(stage for stage in discover(settings.load_catalog())[0] if stage.name == "intake")
    async with System(settings, kafka=kafka, postgres=postgres, gateway=False) as system, httpx.AsyncClient(trust_env=False) as client:

        async def those_with(field):
            rows = (await client.get(f"{system.ops_url}/lag?format=json")).json()
            return [(row["agent"], row["partition"]) for row in rows if row[field]]

        async with asyncio.timeout(BOUND_S):
            while ("intake", 0) not in await those_with("open"):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        first = system.pids["worker-1"]
        holder = Partition(intake, 0, KafkaBroker(kafka), group)
        await holder.open()
        await produce(kafka, [Record(topics.INGEST, None, b"no document", 0)])
        await until(lambda: system.pids["worker-1"] != first)
        await holder.close()
        async with asyncio.timeout(BOUND_S):
            while not await serves(client, f"{system.ops_url}/health/ready"):  # noqa: ASYNC110 - HTTP has no event for it
                await asyncio.sleep(0.1)
        stops = [json.loads(line) for line in (settings.home / "stops" / "worker-1.jsonl").read_text().splitlines() if line]
        assert [(stop["kind"], stop["agent"], stop["partition"]) for stop in stops] == [("fence", "intake", 0)], stops
        assert await those_with("fences") == [("intake", 0)]


async def serves(client, url):
    try:
        return (await client.get(url)).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
