"""What the runner sees of Faust, with Faust's order of things in a rebalance, the rude parts too.

Revoked: flow stops, queues are cleared, then the handlers are awaited; the agents' tasks go on. Joined: the generation is new, the tasks of
partitions that are gone are cancelled between any two awaits, those of new ones are started, then the handlers are awaited; beside them the
flow begins again, at the offsets that the group has. (faust/app/base.py `_on_partitions_revoked` and `_on_partitions_assigned`,
agents/agent.py, tables/recovery.py, and streams/transport.py, streams/app.py.)
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from streams.app import QUEUE, App
from streams.effects import Fetch
from streams.runner import Runner
from streams.transport import messages_of
from tests.simulation.broker import Cluster
from tests.simulation.clock import Process
from tests.simulation.group import Assigned, Group, Place
from tests.simulation.network import Connection, Network


class Signal:
    """Handlers that are awaited one after the other."""

    def __init__(self) -> None:
        self._handlers: list[Callable[..., Any]] = []

    def connect(self, handler: Callable[..., Any], *, weak: bool) -> None:
        self._handlers.append(handler)

    async def send(self, app: Any, places: Iterable[Place]) -> None:
        for handler in self._handlers:
            await handler(app, places)


@dataclass(slots=True)
class FlowControl:
    """Whether events may go into queues and out of them."""

    active: bool = False

    def is_active(self) -> bool:
        return self.active


@dataclass(frozen=True, slots=True)
class Fetched:
    """A fetch, as the agents get it: a Faust message whose value is what was read."""

    topic: str
    partition: int
    generation_id: int
    value: Fetch


@dataclass(frozen=True, slots=True)
class Event:
    """Faust's wrapping of a message."""

    message: Fetched


class Queue(asyncio.Queue[Event]):
    """A stream's queue, which a rebalance clears."""

    def clear(self) -> None:
        self._queue.clear()


@dataclass(slots=True)
class Channel:
    """Where a stream's events wait."""

    queue: Queue


class Stream:
    """One agent's stream of one partition."""

    def __init__(self, front: "Front", place: Place) -> None:
        self.front, self.place, self.channel = front, place, Channel(Queue())

    async def events(self) -> AsyncIterator[Event]:
        """The events of the assignment that there is; others are dropped."""
        while True:
            await asyncio.sleep(0)
            event = await self.channel.queue.get()
            self.front.fetch(self.place)
            if self.front.flow_control.active and event.message.generation_id == self.front.consumer_generation_id:
                yield event


@dataclass(slots=True)
class Actor:
    """One agent's task on one partition."""

    stream: Stream
    task: "asyncio.Task[None]"


@dataclass(slots=True)
class Position:
    """Where fetching of a partition is; `asked` while a fetch is under way."""

    offset: int
    asked: bool = False


@dataclass(slots=True)
class Front:
    """The worker's app: member of the group, fetcher, and the agents' tasks."""

    network: Network
    cluster: Cluster
    group: Group
    process: Process
    runners: list[Runner] = field(default_factory=list)
    on_partitions_revoked: Signal = field(default_factory=Signal)
    on_partitions_assigned: Signal = field(default_factory=Signal)
    flow_control: FlowControl = field(default_factory=FlowControl)
    consumer_generation_id: int = -1
    actors: dict[tuple[str, Place], Actor] = field(default_factory=dict)
    assignment: tuple[Place, ...] = ()
    isolated: bool = True
    _positions: dict[Place, Position] = field(default_factory=dict)
    _fetching: dict[Place, Connection] = field(default_factory=dict)
    _resuming: "asyncio.Task[None] | None" = None

    async def run(self) -> None:
        """Be a member for ever."""
        connection = Connection(self.network, self.process)
        self.network.loop.call_later(1.0, self._commit, connection, context=self.process.context)
        while True:
            again = asyncio.Event()
            joined: Assigned = await connection.ask("joins", self.group.join, self.process, again.set)
            await self._assigned(joined)
            await again.wait()
            await self._revoked()

    async def _revoked(self) -> None:
        self.network.trace(self.process.name, "revoked")
        revoked, self._positions = self.assignment, {}
        if self._resuming is not None:
            self._resuming.cancel()
        if revoked:
            self.flow_control.active = False
            for actor in self.actors.values():
                actor.stream.channel.queue.clear()
        await self.on_partitions_revoked.send(self, revoked)

    async def _assigned(self, joined: Assigned) -> None:
        self.consumer_generation_id = joined.generation
        gone, self.assignment = set(self.assignment) - set(joined.places), joined.places
        await asyncio.sleep(0)
        for name, place in [key for key in self.actors if key[1] in gone]:
            actor = self.actors.pop((name, place))
            actor.task.cancel()
            await asyncio.wait([actor.task])
        for runner in self.runners:
            for place in joined.places:
                if place.topic == runner.topic and (runner.name, place) not in self.actors:
                    stream = Stream(self, place)
                    self.actors[runner.name, place] = Actor(stream, asyncio.ensure_future(runner.run(stream)))
        self._fetching = {place: Connection(self.network, self.process) for place in joined.places}
        self._resuming = asyncio.ensure_future(self._resume(joined.places))
        await self.on_partitions_assigned.send(self, joined.places)

    async def _resume(self, places: tuple[Place, ...]) -> None:
        """Let the flow begin where the group's offsets are: beside the handlers of the assignment, before or after them."""
        starts = await Connection(self.network, self.process).ask("asks for the group's offsets", self._offsets, places)
        self._positions = {place: Position(start) for place, start in starts.items()}
        self.flow_control.active = True
        for runner in self.runners:
            runner.begin({place.partition: start for place, start in starts.items() if start and place.topic == runner.topic})
        for place in places:
            self.fetch(place)

    def _offsets(self, reply: Callable[[Any], None], places: tuple[Place, ...]) -> None:
        reply({place: self.group.offsets.get(place, 0) for place in places})

    def fetch(self, place: Place) -> None:
        """Ask for more of a partition, unless that is done, or its agents have enough."""
        position = self._positions.get(place)
        if position is not None and not position.asked and not self._full(place):
            position.asked = True
            answered = self._fetching[place].ask(f"fetches {place.topic}-{place.partition}", self._read, place, position.offset)
            answered.add_done_callback(lambda done: self._fetched(place, position, done.result()), context=self.process.context)

    def _read(self, reply: Callable[[Any], None], place: Place, offset: int) -> None:
        log = self.cluster.logs[place]
        most = self.network.rng.choice((1, 3, 100))
        some = []
        for entry in log.read(offset, isolated=self.isolated):
            some.append(entry)
            if len(some) == most:
                break
        if some:
            reply(some)
        else:
            log.waiting.append(lambda: self._read(reply, place, offset))

    def _fetched(self, place: Place, position: Position, some: list[Any]) -> None:
        position.asked = False
        if self._positions.get(place) is not position or not self.flow_control.active:
            return
        start, position.offset = position.offset, some[-1].offset + 1
        if self.network.rng.random() < self.network.lose and any(self.cluster.logs[place].read(position.offset, isolated=self.isolated)):
            self.network.faults["fetches dropped"] += 1  # as Faust does at times; the next one shows it
            self.fetch(place)
            return
        event = Event(Fetched(place.topic, place.partition, self.consumer_generation_id, Fetch(start, position.offset, messages_of(some))))
        for stream in self._streams(place):
            stream.channel.queue.put_nowait(event)
        self.fetch(place)

    def _full(self, place: Place) -> bool:
        return any(stream.channel.queue.qsize() >= QUEUE for stream in self._streams(place))

    def _streams(self, place: Place) -> list[Stream]:
        return [actor.stream for (_, at), actor in self.actors.items() if at == place]

    def back(self, place: Place, share: float) -> None:
        """Fetch again what was fetched already, but for a first `share` of it."""
        if place in self._positions:
            self._positions[place] = Position(int(share * self._positions[place].offset))
            self.fetch(place)

    def restart(self, key: tuple[str, Place]) -> None:
        """Cancel an agent's task and start it anew on the same stream."""
        actor, runner = self.actors[key], next(runner for runner in self.runners if runner.name == key[0])
        actor.task.cancel()
        actor.task = self.process.start(runner.run(actor.stream))

    def done(self) -> dict[Place, int]:
        """The product's own."""
        return App.done(self)  # type: ignore[arg-type]

    def _commit(self, connection: Connection) -> None:
        """The group's offsets, once a second; and whatever has room again is fetched."""
        offsets = {place: offset for place, offset in self.done().items() if place in self._positions}
        if offsets and self.flow_control.active:
            connection.ask("commits offsets", self.group.commit, self.process, self.consumer_generation_id, offsets)
        for place in self._positions:
            self.fetch(place)
        self.network.loop.call_later(1.0, self._commit, connection, context=self.process.context)
