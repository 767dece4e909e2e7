"""One simulation: servers, workers under a supervisor, the input, the faults, and the wait until all is done."""

import asyncio
import contextlib
import logging
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

import structlog
from msgspec import structs

from schemas.catalog import Originator
from schemas.published import Products
from streams import topics
from streams.app import discover
from streams.effects import Sink, Stage
from streams.partition import partition_of
from tests.audit.findings import Findings
from tests.rows import CATALOG
from tests.simulation import deliveries, faults, oracle
from tests.simulation.broker import Cluster
from tests.simulation.clock import VirtualLoop
from tests.simulation.group import Group, Place
from tests.simulation.network import Network
from tests.simulation.originators import Originators
from tests.simulation.store import Database
from tests.simulation.worker import Agents, Servers, Worker

HEALED_S: Final = 14.0
LIMIT_S: Final = 150.0
WORKERS_MAX: Final = 4


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one seed went: what was found, the faults that happened, a hash of the story, and the virtual seconds."""

    seed: int
    findings: Findings
    faults: Counter[str]
    told: str
    seconds: float


def agents(asked: frozenset[str], products: Products) -> tuple[list[Stage], list[Sink]]:
    """All agents by these products, where these originators want to be asked before something is sold, and the first gets notices."""
    listed = {name: Originator(name, name, f"https://{name}/" if name in asked else None) for name in deliveries.ORIGINATORS}
    told = deliveries.ORIGINATORS[0]
    listed[told] = structs.replace(listed[told], deliver_to="file:///notices")
    return discover(structs.replace(CATALOG, originators=listed, products=products))


class World:
    """The workers of one simulation, and what befalls them."""

    def __init__(self, seed: int, network: Network, likely: faults.Likely) -> None:
        self.network, self.likely, self.rng = network, likely, random.Random(f"faults {seed}")
        self.given = deliveries.make(seed)
        self.originators = Originators(seed, network)
        self.products = Products()  # of the checks
        self.make = partial(agents, self.originators.asked)
        self.stages, self.sinks = self.make(self.products)
        self.agents = Agents(self.make, self.rng.choice((1, 3_000, 1 << 20)), self.originators.ask)
        self.servers = Servers(network, Cluster(network, topics.ALL), Group(network, self._places()), Database())
        self.wanted: set[str] = set()
        self.workers: dict[str, Worker] = {}

    def _places(self) -> Iterator[Place]:
        """The partitions that the input can reach."""
        (theirs,) = {partition_of(name.encode(), topics.ASSET_PARTITIONS) for name in ("", *deliveries.ORIGINATORS)}
        by_originator = {topic.name: (theirs,) for topic in (topics.REJECTED, topics.PROPOSED, topics.RELEASED)}
        used = {topics.OFFERS.name: range(len(topics.MARKETS)), **by_originator}
        sources = dict.fromkeys(agent.source.name for agent in (*self.stages, *self.sinks))
        return (Place(topic, number) for topic in sources for number in used.get(topic, self.given.homes))

    async def run(self) -> None:
        """Everything, until all input is done or LIMIT_S is over."""
        for one in self.given.deliveries:
            self.network.loop.outside(one.at_s, self._publish, one)
        for at_s, fault in faults.plan(self.rng, self.likely):
            self.network.loop.outside(at_s, self._befall, fault)
        for _ in range(self.rng.randint(1, 3)):
            self.join()
        await asyncio.sleep(HEALED_S)
        self._heal()
        while self.network.loop.now < LIMIT_S and not self.done():  # noqa: ASYNC110 - the end is looked for from outside
            await asyncio.sleep(0.5)

    def _publish(self, one: deliveries.Delivery) -> None:
        self.servers.cluster.publish(one.topic, one.partition, one.key, one.value, one.headers)

    def _befall(self, fault: faults.Fault) -> None:
        self.network.trace("world", fault.__name__)
        fault(self, self.rng)

    def _heal(self) -> None:
        """No more faults: everything that is wanted lives and can be reached."""
        self.network.trace("world", "no more faults")
        self.network.lose = self.servers.cluster.refuse = 0
        self.network.late_s = 0.0
        self.usual_speed()
        self.database_up()
        for worker in self.alive():
            worker.process.budget = worker.process.writes = None

    def reached(self) -> dict[Place, int]:
        """The last offset of each partition that every agent on it includes."""
        cluster, database = self.servers.cluster, self.servers.database
        reached: dict[Place, list[int]] = defaultdict(list)
        for topic, number in self.servers.group.places:
            for stage in self.stages:
                if stage.source.name == topic:
                    reached[Place(topic, number)].append(oracle.reached(cluster, stage, number))
            for sink in self.sinks:
                if sink.source.name == topic:
                    row = database.rows.get((sink.name, topic, number))
                    reached[Place(topic, number)].append(row.next_offset - 1 if row else -1)
        return {place: min(offsets) for place, offsets in reached.items()}

    def done(self) -> bool:
        """Whether every agent has done all that is in its source, and nothing is open."""
        cluster = self.servers.cluster
        return all(oracle.last(cluster, *place) == offset for place, offset in self.reached().items()) and all(
            holder.transaction is None for holder in cluster.holders.values()
        )

    def alive(self) -> list[Worker]:
        return [worker for worker in self.workers.values() if not worker.process.dead]

    def any_worker(self) -> Worker | None:
        """One that runs."""
        running = [worker for worker in self.alive() if not worker.process.paused]
        return self.rng.choice(running) if running else None

    def join(self) -> None:
        """A worker more, unless there are many."""
        if len(self.wanted) < WORKERS_MAX:
            name = next(f"w{n}" for n in range(1, 1 + WORKERS_MAX) if f"w{n}" not in self.wanted)
            self.wanted.add(name)
            self.network.faults["workers added"] += 1
            self._start(name)

    def _start(self, name: str) -> None:
        if name in self.wanted and (name not in self.workers or self.workers[name].process.dead):
            self.network.trace("world", f"starts {name}")
            self.workers[name] = Worker(name, self.servers, self.agents, self._stopped)

    def killed(self, worker: Worker) -> None:
        """Kill -9, now."""
        if not worker.process.dead:
            self.network.faults["kills"] += 1
            worker.die()
            self._ended(worker, "killed")

    def _stopped(self, worker: Worker, why: str) -> None:
        self.network.faults[f"fail-stop: {why}"] += 1
        self._ended(worker, "ended itself")

    def _ended(self, worker: Worker, how: str) -> None:
        """Its session ends later; its supervisor starts it again, at once or when that is over."""
        self.network.trace(worker.name, how)
        self.servers.group.watch(worker.process)
        self.network.loop.outside(self.rng.uniform(0.1, 2) if self.rng.random() < 0.7 else 8.0, self._start, worker.name)

    def pause(self, worker: Worker, seconds: float) -> None:
        """Stop a worker for `seconds`."""
        if not worker.process.dead and not worker.process.paused:
            self.network.trace(worker.name, f"paused for {seconds:.1f} s")
            self.network.faults["pauses"] += 1
            worker.process.paused = True
            worker.process.pauses += 1
            self.servers.group.watch(worker.process)
            self.network.loop.outside(seconds, self._go_on, worker)

    def _go_on(self, worker: Worker) -> None:
        self.network.trace(worker.name, "goes on")
        self.network.loop.resume(worker.process)

    def leave(self, worker: Worker) -> None:
        """SIGTERM."""
        self.network.faults["leaves"] += 1
        self.network.trace(worker.name, "is told to stop")
        left = worker.process.start(worker.leave())
        left.add_done_callback(lambda _: self._left(worker))

    def _left(self, worker: Worker) -> None:
        if not worker.process.dead:
            worker.die()
            self._ended(worker, "has left")

    def skip(self) -> None:
        """The group's offsets say that everything is done."""
        self.network.faults["group offsets reset"] += 1
        group = self.servers.group
        group.offsets.update((place, self.servers.cluster.logs[place].stable) for place in group.places)

    def usual_speed(self) -> None:
        self.network.slow = 0.0

    def database_up(self) -> None:
        self.servers.database.down = False


def simulate(seed: int, show: Callable[[str], None] | None = None, likely: faults.Likely = faults.LIKELY) -> Outcome:
    """Run one seed with faults as `likely`, and check it; `show` gets each line of its story."""
    loop = VirtualLoop()
    network = Network(loop, random.Random(f"network {seed}"), show)
    world = World(seed, network, likely)
    with _quiet():
        loop.run(world.run())
    findings = oracle.check(world)
    for id_ in world.originators.odd:
        findings.add("questions: diverged", 1, id_)
    for fault in loop.faults:
        network.trace("world", fault)
        findings.add("unexpected exceptions: diverged", 1, fault)
    return Outcome(seed, findings, network.faults, network.told, loop.now)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No log lines: workers that stop themselves are what a simulation is about."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL), cache_logger_on_first_use=False)
    try:
        yield
    finally:
        structlog.configure(**before)
