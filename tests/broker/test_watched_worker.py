"""The watch over a real worker: what does not move is seen from outside, with the reason, and what stopped is remembered."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from aiokafka import AIOKafkaProducer
from prometheus_client.parser import text_string_to_metric_families

from streams.broker import KafkaBroker
from streams.embedded.ports import free_port
from streams.settings import inherited
from streams.step import Partition
from tests.broker import counting_worker as counting
from tests.broker.tools import committed, make_topics

ROOT = Path(__file__).parents[2]
BOUND_S = 90


class System:
    """One worker at a time, asked over HTTP; `hang` and `go_on` make its first agent do so."""

    def __init__(self, kafka, postgres, group, folder):
        self.kafka, self.group, self.folder = kafka, group, folder
        self.home = folder / "home"
        self.port = free_port()
        self.environ = {
            "TRANCHE_KAFKA": kafka,
            "TRANCHE_POSTGRES": postgres,
            "TRANCHE_GROUP": group,
            "TRANCHE_OPS_PORT": str(self.port),
            "TRANCHE_HOME": str(self.home),
        }
        self.process = None

    def start(self, stalled_s=30.0, stop_s=120.0):
        command = [sys.executable, "-m", "tests.broker.hanging_worker", self.group, str(self.folder), str(stalled_s), str(stop_s)]
        with (self.folder / "worker.log").open("ab") as log:
            self.process = subprocess.Popen(command, env={**inherited(), **self.environ}, cwd=ROOT, stdout=log, stderr=log)

    async def code(self):
        return await asyncio.to_thread(self.process.wait, BOUND_S)

    def hang(self, where):
        (self.folder / where).touch()

    def go_on(self, where):
        (self.folder / where).unlink()

    async def get(self, path):
        async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
            return await client.get(f"http://127.0.0.1:{self.port}{path}")

    async def until(self, true, path="/health/ready"):
        """Ask until the answer is `true`; returns it."""
        async with asyncio.timeout(BOUND_S):
            while True:
                try:
                    answer = await self.get(path)
                    if true(answer):
                        return answer.json()
                except httpx.TransportError:
                    assert self.process.poll() is None, (self.folder / "worker.log").read_text()[-3000:]
                await asyncio.sleep(0.05)

    async def rows_of(self, number):
        return [row for row in (await self.get("/lag?format=json")).json() if row["partition"] == number]

    async def rest(self):
        """Wait until nothing is to be done in any of the four partitions."""
        return await self.until(lambda answer: [row["lag"] for row in answer.json()] == [0] * 4, "/lag?format=json")

    async def counters(self, name):
        families = text_string_to_metric_families((await self.get("/metrics")).text)
        samples = [sample for family in families for sample in family.samples if sample.name == name]
        return {(sample.labels["agent"], sample.labels["partition"]): sample.value for sample in samples}


@pytest.fixture
async def system(kafka, postgres, group, tmp_path):
    written = [f(group, agent) for f in (counting.out, counting.table) for agent in counting.AGENTS]
    await make_topics(kafka, counting.source(group), *written)
    system = System(kafka, postgres, group, tmp_path)
    yield system
    if system.process:
        system.process.kill()
        system.process.wait()


@pytest.fixture
async def deliver(kafka, group):
    """A function that writes one message to a partition; returns its offset."""
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:

        async def deliver(number):
            return (await producer.send_and_wait(counting.source(group).name, b"", b"k", number)).offset

        yield deliver


def ready(answer):
    return answer.status_code == 200


@pytest.mark.parametrize(("where", "why"), [("open", "opening under way since"), ("step", "Step under way since")])
async def test_a_partition_that_hangs_makes_readiness_fail_says_why_and_recovers(system, deliver, where, why):
    if where == "open":
        system.hang(where)
    system.start(stalled_s=1.5)
    if where == "step":
        await system.until(ready)
        system.hang(where)
    await deliver(0)
    # the other agent does the same input
    told = await system.until(lambda answer: {row["agent"] for row in answer.json()["stalled"]} == {"one"})
    assert (told["ready"], told["joined"], told["database"]) == (False, True, True)
    (row,) = (row for row in told["stalled"] if row["partition"] == 0)
    assert row["why"].startswith(why)
    assert row["since_s"] >= 1.5
    (seen,) = (row for row in await system.rows_of(0) if row["agent"] == "one")
    assert seen["lag"] >= 1
    assert 1.5 <= seen["oldest_s"] < BOUND_S
    assert (await system.counters("tranche_still_seconds"))["one", "0"] >= 1.5
    system.go_on(where)
    told = await system.until(ready)
    assert told == {"ready": True, "joined": True, "database": True, "stalled": []}
    rows = await system.rest()
    assert [row["steps"] for row in rows if row["partition"] == 0] == [1, 1]
    assert all(row["step_last_s"] > 0 for row in rows if row["steps"])


async def test_no_lag_means_that_everything_is_done_whenever_one_asks(system, deliver):
    system.start(stalled_s=5)
    await system.until(ready)
    for n in range(20):
        offset = await deliver(n % 2)
        rows = await system.rows_of(n % 2)
        while any(row["lag"] for row in rows):
            rows = await system.rows_of(n % 2)
        assert [row["table_offset"] for row in rows] == [offset, offset]
    system.process.terminate()
    assert await system.code() == 0
    assert len(await committed(system.kafka, counting.out(system.group, "one"))) == 20
    system.start(stalled_s=1.5)
    await system.until(ready)
    await system.rest()
    await asyncio.sleep(3)
    assert ready(await system.get("/health/ready")), "an idle partition that ends with markers has nothing to do"


async def test_how_much_waits_is_known_while_nothing_more_is_fetched(system, deliver):
    system.start()
    await system.until(ready)
    system.hang("step")
    for n in range(1, 13):  # more fetches than there is room for
        await deliver(0)
        await system.until(lambda answer, n=n: n in [row["lag"] for row in answer.json() if row["agent"] == "one"], "/lag?format=json")
    system.go_on("step")
    await system.rest()


async def test_a_worker_that_hangs_for_long_stops_itself_and_the_next_one_tells_of_it(system, deliver):
    system.start(stalled_s=1.0, stop_s=3.0)
    await system.until(ready)
    system.hang("step")
    await deliver(0)
    assert await system.code() == 3
    system.go_on("step")
    system.hang("compute")
    system.start(stop_s=2.0)
    assert await system.code() == 3
    system.go_on("compute")
    (file,) = (system.home / "stops").iterdir()
    step, loop = (json.loads(line) for line in file.read_text().splitlines() if line)
    assert (step["kind"], step["agent"], step["partition"]) == ("stall", "one", 0)
    assert "one-0 has not moved for 3 s: Step under way since" in step["why"]
    assert (loop["kind"], loop["agent"], loop["partition"]) == ("stall", "event loop", -1)
    assert "at compute (" in loop["why"]
    system.start()
    await system.until(ready)
    await system.rest()
    assert await system.counters("tranche_stalls_total") == {("one", "0"): 1, ("event loop", "-1"): 1}
    page = (await system.get("/lag")).text
    assert "Step under way since" in page
    assert len(await committed(system.kafka, counting.out(system.group, "one"))) == 1


async def test_a_worker_that_was_fenced_and_one_that_was_at_fault_are_told_apart(system, deliver):
    system.start()
    await system.until(ready)
    await deliver(1)
    await system.rest()
    holder = Partition(counting.stage(system.group, "two"), 1, KafkaBroker(system.kafka), system.group)
    await holder.open()
    await deliver(1)
    assert await system.code() == 3
    await holder.close()
    system.start()
    await system.until(ready)
    rows = await system.rest()
    assert {(row["agent"], row["partition"]): (row["fences"], row["aborts"]) for row in rows} == {
        ("one", 0): (0, 0),
        ("one", 1): (0, 0),
        ("two", 0): (0, 0),
        ("two", 1): (1, 0),
    }
    assert await system.counters("tranche_fences_total") == {("two", "1"): 1}
    system.hang("fault")
    await deliver(0)
    assert await system.code() == 3
    stop = json.loads(next((system.home / "stops").iterdir()).read_text().splitlines()[-1])
    assert (stop["kind"], stop["partition"]) == ("abort", 0)
