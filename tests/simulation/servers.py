"""A broker for the contract suite: the in-memory one on its virtual loop, or Kafka on a real one. A scenario is the same for both."""

import asyncio
import itertools
import random
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from streams.broker import Broker, KafkaBroker
from streams.topics import Topic
from tests.broker.tools import make_topics
from tests.simulation.broker import Cluster
from tests.simulation.client import SimulatedBroker
from tests.simulation.clock import Process, VirtualLoop
from tests.simulation.network import Network


class Server(Protocol):
    """Where a scenario runs. `name` is unlike that of any other test."""

    name: str

    def run(self, scenario: Callable[[Any, Topic], Awaitable[None]]) -> None:
        """Run a scenario with this server and an empty topic of one partition."""

    def broker(self) -> Broker:
        """The broker as one more process has it."""


class InMemory:
    """The simulation's broker, in a network whose delays are those of a seed."""

    name = "contract"

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._numbers = itertools.count()

    def run(self, scenario: Callable[[Any, Topic], Awaitable[None]]) -> None:
        topic = Topic(f"{self.name}.out", 1)
        self.network = Network(VirtualLoop(), random.Random(self._seed))
        self.cluster = Cluster(self.network, [topic])

        async def whole() -> None:
            await scenario(self, topic)

        self.network.loop.run(whole())

    def broker(self) -> Broker:
        return SimulatedBroker(self.network, self.cluster, Process(f"p{next(self._numbers)}"))


class OnKafka:
    """The real one."""

    def __init__(self, kafka: str, name: str) -> None:
        self._kafka, self.name = kafka, name

    def run(self, scenario: Callable[[Any, Topic], Awaitable[None]]) -> None:
        topic = Topic(f"{self.name}.out", 1)

        async def whole() -> None:
            await make_topics(self._kafka, topic)
            await scenario(self, topic)

        asyncio.run(whole())

    def broker(self) -> Broker:
        return KafkaBroker(self._kafka)
