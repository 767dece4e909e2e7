"""An asyncio event loop in which time is a number: nothing sleeps, nothing runs beside it, and the same calls give the same order.

Every callback belongs to the simulated process whose code asked for it, or to none (the broker, the network). A process that is dead runs
nothing any more; what a paused one would run is kept until it goes on. So a process can be stopped between any two awaits of its code,
which is what its `budget` and `writes` are for.
"""

import asyncio
import contextlib
import heapq
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from typing import Any

CALLBACKS_MAX = 400_000  # of one simulation: far more than any needs


class DeadlockError(Exception):
    """Somebody waits, and nothing is scheduled that could ever end it."""


class RunawayError(Exception):
    """The simulation does not come to an end."""


class Ended(BaseException):
    """This process has ended, in the middle of this very callback."""


class Process:
    """What can be killed and paused. `stop` is called once, when `budget` callbacks have run, or just before write number `writes`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.dead = False
        self.paused = False
        self.pauses = 0  # how often it was
        self.budget: int | None = None
        self.writes: int | None = None
        self.stop: Callable[[], None] = lambda: None
        self.backlog: deque[asyncio.Handle] = deque()
        self.context = copy_context()
        self.context.run(PROCESS.set, self)

    def start(self, coroutine: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        """Run a coroutine as this process's."""
        return asyncio.get_running_loop().create_task(coroutine, context=self.context.copy())

    def count_callback(self) -> None:
        """A callback is about to run."""
        if self.budget is not None:
            self.budget -= 1
            if self.budget < 0:
                self._stop()

    def count_write(self) -> None:
        """A write of a Step is about to be sent."""
        if self.writes is not None:
            self.writes -= 1
            if self.writes < 0:
                self._stop()

    def _stop(self) -> None:
        self.budget = self.writes = None
        self.stop()


PROCESS: ContextVar[Process | None] = ContextVar("PROCESS", default=None)


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs what is ready in its order, then moves the time on to what is next."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.callbacks = 0
        self.faults: list[str] = []  # exceptions that nobody awaited, of processes that live
        self._tasks: list[tuple[asyncio.Task[Any], Process | None]] = []
        self._nobody = Context()
        self.set_task_factory(self._task)

    def time(self) -> float:
        return self.now

    def _task(self, loop: Any, coroutine: Any, context: Context | None = None) -> "asyncio.Task[Any]":
        task: asyncio.Task[Any] = asyncio.Task(coroutine, loop=loop, context=context)
        task._log_destroy_pending = False  # a dead process's tasks are never done
        self._tasks.append((task, PROCESS.get() if context is None else context.get(PROCESS)))
        return task

    def outside(self, delay: float, callback: Callable[..., None], *arguments: Any) -> None:
        """Call something that belongs to no process, after `delay` seconds."""
        self.call_later(delay, callback, *arguments, context=self._nobody)

    def run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run to the end of `coroutine`, then end everything else.

        Raises:
            DeadlockError: it waits, and nothing is scheduled. RunawayError: too much happens.
        """
        events._set_running_loop(self)
        try:
            whole = self.create_task(coroutine, context=self._nobody)
            while not whole.done():
                self._turn()
            whole.result()
        finally:
            self._end()
            events._set_running_loop(None)

    def _turn(self) -> None:
        if not self._ready:
            while self._scheduled and self._scheduled[0]._cancelled:
                heapq.heappop(self._scheduled)._scheduled = False
            if not self._scheduled:
                raise DeadlockError(f"at {self.now:.3f} s everything waits and nothing is scheduled")
            self.now = max(self.now, self._scheduled[0]._when)
            while self._scheduled and self._scheduled[0]._when <= self.now:
                handle = heapq.heappop(self._scheduled)
                handle._scheduled = False
                self._ready.append(handle)
        self.callbacks += 1
        if self.callbacks > CALLBACKS_MAX:
            raise RunawayError(f"{CALLBACKS_MAX} callbacks, and at {self.now:.3f} s still no end")
        handle = self._ready.popleft()
        if not handle._cancelled:
            self._call(handle)

    def _call(self, handle: asyncio.Handle) -> None:
        process = handle._context.get(PROCESS)
        if process is not None:
            if not process.dead and not process.paused:
                process.count_callback()
            if process.paused:
                process.backlog.append(handle)
            if process.dead or process.paused:
                return
        with contextlib.suppress(Ended):
            handle._run()

    def resume(self, process: Process) -> None:
        """Let a paused process go on with what it would have run."""
        process.paused = False
        while process.backlog:
            self._ready.append(process.backlog.popleft())

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """A fault in a callback that is no task's is one of the product or of the simulation: the world asks for them at the end."""
        if not isinstance(context.get("exception"), Ended):
            self.faults.append(f"{context.get('message')}: {context.get('exception')!r}")

    def _end(self) -> None:
        """Close every coroutine that is left, with its process dead, so that nothing of it runs later at the collector's whim."""
        for task, process in self._tasks:
            if task.done() and task._log_traceback and not isinstance(task.exception(), Ended) and not (process and process.dead):
                self.faults.append(f"nobody awaited {task.get_coro().__qualname__}: {task.exception()!r}")
            task._log_traceback = False
        for _, process in self._tasks:
            if process is not None:
                process.dead = True
        for task, _ in self._tasks:
            if not task.done():
                with contextlib.suppress(BaseException):
                    task.get_coro().close()
        self._ready.clear()
        self._scheduled.clear()
        self._tasks.clear()
        self.close()

    def _write_to_self(self) -> None:
        """There is no other thread that could have called."""

    def _process_events(self, event_list: Any) -> None:
        """There is nothing outside that could have happened."""
