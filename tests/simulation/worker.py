"""One simulated worker process: the product's runners, partitions and sinks, on the in-memory broker and database."""

import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from schemas.published import Products
from streams.effects import Ask, Message, Sink, Stage
from streams.pace import Pace
from streams.products import ProductsTable
from streams.runner import Runner
from streams.sink import SinkPartition
from streams.step import Partition
from streams.transport import messages_of
from tests.simulation.broker import Cluster
from tests.simulation.client import SimulatedBroker
from tests.simulation.clock import Ended, Process
from tests.simulation.front import Front
from tests.simulation.group import Group
from tests.simulation.network import Network
from tests.simulation.store import Database, SimulatedStore

GROUP = "tranche"


@dataclass(frozen=True, slots=True)
class Servers:
    """What all workers of one simulation talk to."""

    network: Network
    cluster: Cluster
    group: Group
    database: Database


@dataclass(frozen=True, slots=True)
class Agents:
    """The product's stages and sinks, as `make` has them for a worker's own products.

    A Step takes `take_bytes` at most, or what its stage says if that is less.
    """

    make: Callable[[Products], tuple[list[Stage], list[Sink]]]
    take_bytes: int
    ask: Ask


class Worker:
    """A process that runs every agent. `ended` is called when it has ended itself."""

    def __init__(self, name: str, servers: Servers, agents: Agents, ended: Callable[["Worker", str], None]) -> None:
        self.name, self.process, self._ended = name, Process(name), ended
        self._network = servers.network
        self.front = Front(servers.network, servers.cluster, servers.group, self.process)
        self.broker = SimulatedBroker(servers.network, servers.cluster, self.process)
        self.front.isolated = self.broker.isolated
        self.products = ProductsTable(self.broker, Products())
        self._store = SimulatedStore(servers.network, servers.database, self.process)
        self.process.start(self._run(agents))

    async def _run(self, agents: Agents) -> None:
        """As `streams.app.run`: the products first, then the agents that go by them."""
        await self.products.require()
        stages, sinks = agents.make(self.products.products)
        for stage in stages:
            self._add(
                stage.name, stage.source, self._partition(stage, agents.ask), Pace(min(stage.take_bytes, agents.take_bytes), stage.gather_s)
            )
        for sink in sinks:
            self._add(sink.name, sink.source, self._sink_partition(sink, self._store), Pace(agents.take_bytes))
        self.process.start(self.products.follow())
        await self.front.run()

    def _add(self, name: str, topic: Any, hold: Callable[[int], Any], pace: Pace) -> None:
        runner = Runner(self.front, name, topic, hold, self._source, pace, fail_stop=self._fail_stop)
        self.front.runners.append(runner)

    def _partition(self, stage: Stage, ask: Ask) -> Callable[[int], Partition]:
        return lambda number: Partition(stage, number, self.broker, GROUP, ask=ask, products=self.products)

    def _sink_partition(self, sink: Sink, store: SimulatedStore) -> Callable[[int], SinkPartition]:
        return lambda number: SinkPartition(sink, number, store)  # type: ignore[arg-type]

    async def _source(self, topic: str, number: int, start: int, end: int) -> AsyncIterator[list[Message]]:
        async for records in self.broker.read(topic, number, start, end):
            yield messages_of(records)

    def _fail_stop(self, agent: str, partition: int, offset: int, fault: BaseException) -> NoReturn:
        if not self.process.dead:
            self._network.trace(self.name, f"fail-stop of {agent} {partition} at {offset}: {fault!r}")
            self.die()
            self._ended(self, type(fault).__name__)
        raise Ended

    def die(self) -> None:
        """End at once: nothing of it runs any more."""
        self.process.dead = True

    async def leave(self) -> None:
        """End gracefully, as at SIGTERM."""
        self.front.flow_control.active = False
        for actor in self.front.actors.values():
            actor.task.cancel()
        for runner in self.front.runners:
            await runner.close()

    def any_actor(self, rng: random.Random) -> Any:
        """A key of one of the agents' tasks, None if there is none."""
        return rng.choice(list(self.front.actors)) if self.front.actors else None
