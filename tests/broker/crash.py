"""Kills (-9), pauses (SIGSTOP past the session timeout, then SIGCONT: zombies) and leaves (SIGTERM) of real workers while input flows.

`Run.go` makes the faults; `tests/broker/audit.py` then compares every topic and table with a plain sequential run of the same input.
"""

import asyncio
import random
import signal
import subprocess
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import xxhash
from bson.decimal128 import Decimal128

from schemas.events import Bucket, Criteria, Portfolio, encode
from streams import topics
from streams.effects import Record
from streams.embedded.ports import free_ports
from streams.partition import asset_key, partition_of
from streams.settings import inherited
from streams.supervisor import COMMAND, System
from tests.broker.tools import produce
from tests.loans import encoded, paid

SESSION_S = 6.0  # the shortest that the broker allows: a pause past it makes a zombie
ORIGINATORS = ("bluebird", "harbor")


@dataclass
class Run:
    """One crash run against a running `system` that has no workers of its own."""

    system: System
    logs: Path
    seed: int
    kills: int
    pauses: int
    leaves: int
    assets: int = 1500
    expected: dict[bytes, list[bytes]] = field(default_factory=lambda: defaultdict(list))  # asset key -> digests of its versions
    sent: Counter[str] = field(default_factory=Counter)  # batch -> documents
    faults: Counter[str] = field(default_factory=Counter)
    _workers: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)
    _latest: dict[bytes, bytes] = field(default_factory=dict)

    async def go(self) -> None:
        """Start two workers, deliver until all faults have been made; the workers are left running."""
        rng = random.Random(self.seed)
        self._ports = dict(zip(("w1", "w2"), free_ports(2), strict=True))
        for name in self._ports:
            self._start(name)
        await produce(self.system.kafka, _portfolios())
        delivery = asyncio.create_task(self._deliver(rng))
        await self._make_faults(random.Random(self.seed + 1))
        self._finish = True
        await delivery

    async def watch(self, seconds: float) -> None:
        """Wait, and start again what has ended."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for name, process in self._workers.items():
                if (code := process.poll()) is not None:
                    self.faults[f"ended with {code}"] += 1
                    self._start(name)
            await asyncio.sleep(0.1)

    async def _make_faults(self, rng: random.Random) -> None:
        await self.watch(6)
        plan = ["kill"] * self.kills + ["pause"] * self.pauses + ["leave"] * self.leaves
        rng.shuffle(plan)
        for fault in plan:
            name = rng.choice(list(self._workers))
            process = self._workers[name]
            if fault == "kill":
                process.kill()
                process.wait()
            elif fault == "leave":
                process.terminate()
                await asyncio.to_thread(process.wait, 30)
            else:
                process.send_signal(signal.SIGSTOP)
                await asyncio.sleep(SESSION_S + rng.uniform(2, 4))  # the fault itself: longer than the group waits for it
                process.send_signal(signal.SIGCONT)
            self.faults[fault] += 1
            await self.watch(rng.uniform(0.5, 5))

    _finish = False

    async def _deliver(self, rng: random.Random) -> None:
        """Rounds of deliveries, each a batch an originator: new, changed, unchanged and duplicate documents."""
        number = 0
        while not self._finish:
            number += 1
            for originator in ORIGINATORS:
                batch = f"{originator}.{number}"
                chunks: dict[int, list[bytes]] = defaultdict(list)
                for i in rng.sample(range(self.assets), 400):
                    key, doc = asset_key(originator.encode(), b"A%d" % i), self._document(rng, originator, i)
                    for _ in range(1 + (rng.random() < 0.02)):
                        chunks[partition_of(key, topics.INGEST.partitions)].append(doc)
                        self._expect(key, doc)
                        self.sent[batch] += 1
                headers = (("originator", originator.encode()), ("batch", batch.encode()))
                await produce(self.system.kafka, [Record(topics.INGEST, None, b"".join(d), p, headers) for p, d in chunks.items()])
            await asyncio.sleep(0.2)  # the pace of the input: about 4,000 documents a second

    def _document(self, rng: random.Random, originator: str, i: int) -> bytes:
        principal = 100_00 * (1 + i % 7)
        repaid = rng.randrange(0, 4) * 10_00
        money = {"principal": Decimal128(f"{principal / 100:.2f}"), "outstanding": Decimal128(f"{(principal - repaid) / 100:.2f}")}
        status, days = rng.choice([("current", 0)] * 6 + [("late", 20), ("recalled", 0)])
        sale = "all_or_none" if i % 5 == 0 else "partial"
        paid_amounts = paid(f"{repaid / 100:.2f}", f"{repaid / 500:.2f}")
        return encoded(f"A{i}", originator, status=status, days_past_due=days, sale=sale, paid=paid_amounts, **money)

    def _expect(self, key: bytes, doc: bytes) -> None:
        digest = xxhash.xxh3_128_digest(doc)
        if self._latest.get(key) != digest:
            self._latest[key] = digest
            self.expected[key].append(digest)

    def _start(self, name: str) -> None:
        own = {"TRANCHE_WORKER": name, "TRANCHE_OPS_PORT": str(self._ports[name]), "TRANCHE_SESSION_TIMEOUT_S": str(SESSION_S)}
        with (self.logs / f"{name}.log").open("ab") as output:
            self._workers[name] = subprocess.Popen(
                [*COMMAND, "worker"], env={**inherited(), **self.system.environ, **own}, stdout=output, stderr=output
            )

    async def stop(self) -> None:
        """End the workers gracefully; a worker that does not end with 0 is a fault."""
        for process in self._workers.values():
            process.terminate()
        for name, process in self._workers.items():
            code = await asyncio.to_thread(process.wait, 30)
            assert code == 0, f"{name} ended with {code} after SIGTERM, see {self.logs}"


def _portfolios() -> list[Record]:
    buckets = (Bucket("safe", 60, Criteria(risk_groups=("A", "B", "C"))), Bucket("any", 40, Criteria(days_past_due_max=30)))
    placed = [Portfolio("main", f"investor-{n}", 1, "USD", 20_000_00 + n, buckets, bid_cents_max=90_00) for n in range(40)]
    return [Record(topics.PORTFOLIOS, portfolio.investor.encode(), encode(portfolio)) for portfolio in placed]
