"""Whether every partition moves: how far each agent is in its input, what it waits for, and the end of a process that does not move.

A partition that has input and whose table's offset does not move for STALLED_S makes `/health/ready` fail, which says which and why. Nobody
acts on that, so the worker does it itself: after STOP_S it ends (`streams/stops.py`), its supervisor starts it again, and its partitions
are opened anew. Nothing that works takes as long: a Step is bounded by its transaction (TRANSACTION_MS) or by the database's patience
(LIMIT_S), and an opening moves with every row that it reads. A transaction that whoever writes the input leaves open holds a partition
back too; that is said, but no start of ours would help.

An agent whose computing does not end holds the event loop, which then answers nothing; so a thread counts whether the loop turns.
"""

import asyncio
import sys
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from time import monotonic, time
from traceback import extract_stack, format_stack
from typing import Any, Final

import structlog

from streams import metrics
from streams.runner import Runner
from streams.stops import ABORT, FENCE, StalledError, Stops
from streams.transport import Input
from streams.waiting import STEP, Work

STALLED_S: Final = 30.0
STOP_S: Final = 120.0
LOOK_S: Final = 2.0  # between two looks
CONSUMER_S: Final = 5.0  # of waiting for the consumer's thread
GROUP: Final = "consumer group"  # what stands for the agent where the whole worker does not move
LOOP: Final = "event loop"
FOREIGN: Final = "a transaction of whoever writes the input is open"

Row = dict[str, Any]
Place = tuple[str, int]  # agent, partition
Inputs = Callable[[], Awaitable[Mapping[Any, Input]]]

log = structlog.get_logger()


class Watch:
    """The watch over one worker.

    `tables` has the changelog of each stage, by its name; `inputs` asks the consumer (`streams/transport.py`), `joined` says whether this
    worker is in its group.
    """

    stalled_s, stop_s, look_s = STALLED_S, STOP_S, LOOK_S

    def __init__(
        self, runners: Sequence[Runner], tables: Mapping[str, str], inputs: Inputs, joined: Callable[[], bool], stops: Stops
    ) -> None:
        self._runners, self._tables, self._inputs, self.joined, self.stops = runners, tables, inputs, joined, stops
        self._known: Mapping[Any, Input] = {}
        self._still: dict[Place, tuple[object, float]] = {}  # where a partition with input is, and since when
        self._answered_s = monotonic()  # when the worker was in its group and its consumer answered
        self._looks = 0
        self._ended = threading.Event()

    async def progress(self) -> list[Row]:
        """A row for each agent and partition of this worker.

        agent, topic, partition; open; table_offset (-1: none yet), end_offset (of what is committed), lag (offsets still to do; a
        transaction's marker is none, so 0 means that everything is done); oldest_s (age of the oldest record to do, 0 without);
        steps, step_mean_s, step_last_s (of this process; None without); aborts, fences (over restarts); still_s (how long it has
        not moved with input before it, 0 without), waiting_s (how long it waits for somebody outside,
        0 without), why (what it waits for, empty where it waits for nothing).
        """
        # The tables first: what an agent has written by now is before the ends that are asked for next. All lags 0 is a moment of rest.
        tables = {
            (runner.name, number): (held.offset, runner.reached.get(number, 0))
            for runner in self._runners
            for number, held in runner.held.items()
        }
        joined = self.joined()
        try:
            async with asyncio.timeout(CONSUMER_S):
                self._known = await self._inputs()
            if joined:
                self._answered_s = monotonic()
        except TimeoutError:
            joined = False
        rows = [
            self._row(runner, tp.partition, known, *tables.get((runner.name, tp.partition), (None, 0)), joined=joined)
            for runner in self._runners
            for tp, known in sorted(self._known.items())
            if tp.topic == runner.topic
        ]
        places = {(row["agent"], row["partition"]) for row in rows}
        self._still = {place: still for place, still in self._still.items() if place in places}
        return rows

    def _row(self, runner: Runner, number: int, known: Input, offset: int | None, reached: int, *, joined: bool) -> Row:
        work, table_offset = runner.work.get(number) or Work(), -1 if offset is None else offset
        lag = to_do(known, offset, reached)
        at: object = None
        why = ""
        if lag or offset is None:
            lag = max(lag, 1)  # what a table that is not open yet includes is not known
            table = self._tables.get(runner.name)  # a sink has none
            at = table_offset, metrics.records_read(table, number) if table else 0
            why = waits_for(known, offset, work, monotonic()) if joined else "this worker is not in its group"
        elif known.written > known.end:
            at, why = known.end, FOREIGN
        still_s = self._since((runner.name, number), at)
        waiting_s = waits_s(work, monotonic())
        if waiting_s:
            why = f"waits for {work.waits}, since {waiting_s:.0f} s"
        return {
            "agent": runner.name,
            "topic": runner.topic,
            "partition": number,
            "open": offset is not None,
            "table_offset": table_offset,
            "end_offset": known.end,
            "lag": lag,
            "oldest_s": oldest_s(known, table_offset, work, time(), still_s) if lag else 0.0,
            "steps": work.steps,
            "step_mean_s": work.steps_s / work.steps if work.steps else None,
            "step_last_s": work.last_s if work.steps else None,
            "aborts": self.stops.counts[ABORT, runner.name, number],
            "fences": self.stops.counts[FENCE, runner.name, number],
            "still_s": still_s,
            "waiting_s": waiting_s,
            "why": why,
        }

    def _since(self, place: Place, at: object) -> float:
        """How long `place` has been `at` the same; None: it waits for nothing."""
        if at is None:
            self._still.pop(place, None)
            return 0.0
        where, since_s = self._still.get(place, (None, 0.0))
        if where != at:
            since_s = monotonic()
            self._still[place] = at, since_s
        return monotonic() - since_s

    def stalled(self, rows: Sequence[Row]) -> list[Row]:
        """What has not moved for too long: agent, partition (None: the whole worker), since_s, why.

        What waits for an outside service is not among it: this worker is well, and no start of it would help.
        """
        found = [
            {"agent": row["agent"], "partition": row["partition"], "since_s": round(row["still_s"], 1), "why": row["why"]}
            for row in rows
            if row["still_s"] >= self.stalled_s and not row["waiting_s"]
        ]
        silent_s = monotonic() - self._answered_s
        if silent_s >= self.stalled_s:
            why = "this worker's consumer does not answer" if self.joined() else "this worker has not joined"
            found.append({"agent": GROUP, "partition": None, "since_s": round(silent_s, 1), "why": why})
        return found

    async def run(self) -> None:
        """Look every LOOK_S until `end`, and end the process when something has not moved for STOP_S."""
        threading.Thread(target=self._guard, args=(threading.get_ident(),), daemon=True).start()
        said: set[tuple[str, int | None]] = set()
        while not self._ended.is_set():
            self._looks += 1
            stalled = self.stalled(await self.progress())
            for row in stalled:
                if (row["agent"], row["partition"]) not in said:
                    log.warning("does not move", **row)
                if row["since_s"] >= self.stop_s and row["why"] != FOREIGN:
                    self._stop(row["agent"], row["partition"], f"has not moved for {row['since_s']:.0f} s: {row['why']}")
            said = {(row["agent"], row["partition"]) for row in stalled}
            await asyncio.sleep(self.look_s)

    def end(self) -> None:
        """Look no more: the worker is told to stop."""
        self._ended.set()

    def _guard(self, loop_thread: int) -> None:
        """Count the seconds without a look, in a thread of its own. A process that was paused has not counted them, and is let go on."""
        looks, seconds = self._looks, 0
        while not self._ended.wait(1.0):
            looks, seconds = self._looks, seconds + 1 if looks == self._looks else 0
            if seconds >= self.stop_s:
                stack = sys._current_frames()[loop_thread]  # noqa: SLF001 - the documented way to see another thread's stack
                where = extract_stack(stack)[-1]
                text = f"has not turned for {seconds} s, at {where.name} ({where.filename}:{where.lineno})\n{''.join(format_stack(stack))}"
                self._stop(LOOP, None, text)

    def _stop(self, agent: str, partition: int | None, text: str) -> None:
        number = -1 if partition is None else partition
        self.stops.fail_stop(agent, number, -1, StalledError(f"{agent}{'' if partition is None else f'-{partition}'} {text}"))


def to_do(known: Input, offset: int | None, reached: int) -> int:
    """Offsets that a table which includes all up to `offset` (None: it is not open), and all before `reached`, has still to do.

    What lies between that and the consumer's position was skipped or is no record, if nothing that was fetched is still under way:
    markers, aborted transactions. But where the group's offset was ahead of the table, the agent has to read that by itself first.
    """
    done = max(0 if offset is None else offset + 1, reached)
    continues = offset is None or known.start is None or known.start <= done
    fetched = any(last >= done for last, _ in known.fetched)
    return max(0, known.end - max(done, known.position if continues and not fetched and known.position is not None else 0))


def waits_s(work: Work, now_s: float) -> float:
    """How long a Step waits for somebody outside, 0 if it does not. An attempt that takes as long as STOP_S waits for something else."""
    return now_s - work.waits_since_s if work.waits and not (work.doing and now_s - work.began_s >= STOP_S) else 0.0


def waits_for(known: Input, offset: int | None, work: Work, now_s: float) -> str:
    """What keeps a partition that has something to do, as far as can be seen from here."""
    if work.doing:
        return f"{work.doing} under way since {now_s - work.began_s:.0f} s"
    if offset is None:
        return "nobody opens it"
    if any(last > offset for last, _ in known.fetched):
        return "fetched, but the agent does not take it up"
    if known.position is None:
        return "the group does not say where to begin"
    if known.position < known.end:
        return "waits for a fetch"
    return "the group's offset skips it"


def oldest_s(known: Input, table_offset: int, work: Work, now_s: float, still_s: float) -> float:
    """Age of the oldest record to do, by its timestamp. One not fetched yet has waited as long as the partition stands still."""
    if work.doing == STEP:
        first_ms = work.first_ms
    else:
        first_ms = next((timestamp_ms for last, timestamp_ms in known.fetched if last > table_offset), -1)
    return max(still_s, now_s - first_ms / 1000) if first_ms >= 0 else still_s
