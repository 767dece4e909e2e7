"""The consumer group as the broker keeps it: members, generations, who has which partition, and the offsets that were committed.

Membership is static, as the worker's is: a process that starts again under its name gets its partitions back without a rebalance, unless
its session has ended. A member that is dead or paused for longer than SESSION_S is put out; it hears of that when it asks next.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from tests.simulation.clock import Process
from tests.simulation.network import Network

SESSION_S: Final = 6.0
HEARTBEAT_S: Final = 1.5
REBALANCE_S: Final = 60.0


class Place(NamedTuple):
    """A topic's partition."""

    topic: str
    partition: int


class Assigned(NamedTuple):
    """The answer to a join."""

    generation: int
    places: tuple[Place, ...]


@dataclass(slots=True)
class Member:
    """One process in the group. `rejoin` tells it that there is a new generation to join."""

    process: Process
    rejoin: Callable[[], None]
    joining: Callable[[Any], None] | None = None
    places: tuple[Place, ...] = ()


class Group:
    """One group of one simulation; `places` is what there is to be assigned."""

    def __init__(self, network: Network, places: Iterable[Place]) -> None:
        self.network, self.places = network, tuple(places)
        self.members: dict[str, Member] = {}
        self.generation = 0
        self.offsets: dict[Place, int] = {}
        self._preparing = False

    def join(self, reply: Callable[[Any], None], process: Process, rejoin: Callable[[], None]) -> None:
        """Ask for a place; answered when all members have."""
        known = self.members.get(process.name)
        if known is None:
            self.members[process.name] = Member(process, rejoin, reply)
            self.rebalance()
        elif not self._preparing and known.process is not process:
            known.process, known.rejoin = process, rejoin
            reply(Assigned(self.generation, known.places))
        else:
            known.process, known.rejoin, known.joining = process, rejoin, reply
            self._complete()

    def rebalance(self) -> None:
        """Have all members join anew."""
        if self._preparing:
            self._complete()
            return
        self._preparing = True
        self.network.faults["rebalances"] += 1
        for member in self.members.values():
            if member.joining is None:
                self._tell(member)
        self.network.loop.outside(REBALANCE_S, self._give_up, self.generation)
        self.network.loop.outside(self.network.delay(), self._complete)

    def _tell(self, member: Member) -> None:
        """With its next heartbeat; a process that hears nothing, because it is paused, hears it when it goes on."""
        loop, process = self.network.loop, member.process
        loop.call_later(self.network.rng.uniform(0, HEARTBEAT_S), member.rejoin, context=process.context)

    def watch(self, process: Process) -> None:
        """A process has died or was paused: its session ends unless it is back in time."""
        self.network.loop.outside(SESSION_S, self._expire, process, process.pauses)

    def _expire(self, process: Process, pauses: int) -> None:
        member = self.members.get(process.name)
        away = process.dead or (process.paused and process.pauses == pauses)
        if member is not None and member.process is process and away:
            del self.members[process.name]
            self.network.trace("group", f"{process.name} is put out")
            if not process.dead:
                self.network.faults["zombies"] += 1
                self._tell(member)
            self.rebalance()

    def _give_up(self, generation: int) -> None:
        if self._preparing and generation == self.generation:
            for name in [name for name, member in self.members.items() if member.joining is None]:
                member = self.members.pop(name)
                self._tell(member)
            self._complete()

    def _complete(self) -> None:
        if not self._preparing or not self.members or any(member.joining is None for member in self.members.values()):
            return
        self._preparing = False
        self.generation += 1
        self._assign()
        for name, member in self.members.items():
            reply, member.joining = member.joining, None
            assert reply is not None
            self.network.trace("group", f"generation {self.generation}: {name} has {len(member.places)}")
            reply(Assigned(self.generation, member.places))

    def _assign(self) -> None:
        """Most partitions stay where they are; the others go anywhere, and so do some that could stay."""
        rng, names = self.network.rng, list(self.members)
        held = {place: name for name, member in self.members.items() for place in member.places}
        given: dict[str, list[Place]] = {name: [] for name in names}
        for place in self.places:
            stays = place in held and rng.random() < 0.7
            given[held[place] if stays else rng.choice(names)].append(place)
        for name, places in given.items():
            self.members[name].places = tuple(places)

    def commit(self, reply: Callable[[Any], None], process: Process, generation: int, offsets: dict[Place, int]) -> None:
        """Take offsets from a member of this generation; others are refused, silently since nobody asks."""
        member = self.members.get(process.name)
        if member is not None and member.process is process and generation == self.generation and not self._preparing:
            self.offsets.update(offsets)
        reply(None)
