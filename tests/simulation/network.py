"""Between a process and its servers: every request takes its time there and its answer back, in the order of its connection.

A process that dies leaves its last requests under way: each arrives or does not. An answer to a dead process goes nowhere, one to a paused
process waits. Faults of the network are drawn from the seed; the trace of all arrivals is what a replay must repeat.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import xxhash

from tests.simulation.clock import Process, VirtualLoop

USUAL_S = 0.004
SLOW_S = 4.0


class LostError(Exception):
    """An answer that never came; whether the request did anything is not known."""


class Network:
    """The clock, the seed's randomness, the trace and the counts of faults that all parts of one simulation share."""

    def __init__(self, loop: VirtualLoop, rng: random.Random, show: Callable[[str], None] | None = None) -> None:
        self.loop, self.rng = loop, rng
        self.faults: Counter[str] = Counter()
        self.late_s = 0.0  # at most, for what is followed
        self.slow = 0.0  # how likely a way takes up to SLOW_S
        self.lose = 0  # answers to lose from now on
        self._hash = xxhash.xxh3_64()
        self._show = show

    def trace(self, who: str, what: str) -> None:
        """One line of the story."""
        line = f"{self.loop.now:9.4f} {who}: {what}"
        self._hash.update(line.encode())
        if self._show:
            self._show(line)

    @property
    def told(self) -> str:
        """A hash of the story so far."""
        return self._hash.hexdigest()

    def delay(self) -> float:
        """Seconds that one way takes."""
        if self.slow and self.rng.random() < self.slow:
            return self.rng.uniform(0, SLOW_S)
        return self.rng.random() * 2 * USUAL_S


class Connection:
    """A process's way to a server and back; `ask` calls a function there, whose Reply may be given later."""

    def __init__(self, network: Network, process: Process, *, lossy: bool = False) -> None:
        """Requests of a `lossy` one are the writes of Steps: their answers may be lost, and processes are stopped at them."""
        self.network, self.process, self.lossy = network, process, lossy
        self._there = self._back = 0.0

    def ask(self, what: str, function: Callable[..., None], *arguments: Any) -> asyncio.Future[Any]:
        """Have `function(reply, *arguments)` called at the server; the future is the reply's."""
        answered: asyncio.Future[Any] = self.network.loop.create_future()
        send = (what, function, Reply(self, answered, what), arguments)
        if self.lossy:
            self.process.count_write()
        if self.process.paused:
            self.network.loop.call_soon(self._send, *send, context=self.process.context)  # when it goes on
        elif not self.process.dead:
            self._send(*send)
        return answered

    def _send(self, what: str, function: Callable[..., None], reply: "Reply", arguments: Any) -> None:
        loop = self.network.loop
        self._there = max(self._there, loop.now + self.network.delay())
        loop.outside(self._there - loop.now, self._arrive, what, function, reply, arguments)

    def _arrive(self, what: str, function: Callable[..., None], reply: "Reply", arguments: Any) -> None:
        if self.process.dead and self.network.rng.random() < 0.5:
            self.network.trace(self.process.name, f"{what} is lost with its process")
            return
        if self.lossy and self.network.lose and self.network.rng.random() < 0.5:
            reply(None)  # and with it the request: it is not known which of the two
            return
        self.network.trace(self.process.name, what)
        function(reply, *arguments)


class Reply:
    """An answer on its way back. Called once, with a value or an exception."""

    __slots__ = ("_answered", "_connection", "_what")

    def __init__(self, connection: Connection, answered: asyncio.Future[Any], what: str) -> None:
        self._connection, self._answered, self._what = connection, answered, what

    def __call__(self, value: Any) -> None:
        connection, network = self._connection, self._connection.network
        if connection.process.dead:
            return
        if connection.lossy and network.lose:
            network.lose -= 1
            network.faults["answers lost"] += 1
            network.trace(connection.process.name, f"{self._what}: no answer comes")
            value = LostError(self._what)
        connection._back = max(connection._back, network.loop.now + network.delay())
        # the answer belongs to the process: it is kept while that is paused, and gone when it is dead
        network.loop.call_at(connection._back, self._deliver, value, context=connection.process.context)

    def _deliver(self, value: Any) -> None:
        if self._answered.done():
            return
        if isinstance(value, BaseException):
            self._answered.set_exception(value)
            self._answered._log_traceback = False  # who has seen one refusal need not wait for the others
        else:
            self._answered.set_result(value)
