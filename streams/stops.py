"""Fail-stop, and what is remembered of it: each stop is a line of JSON in the worker's home, read at its next start.

A fault ends the process, and its counters with it. So the last thing that the process does is to append when, which and why to a file; the
next start counts on from there, and the ops views show it. The file helps operators and nothing else: whatever is wrong with it, the
process starts, and it ends.
"""

import os
from collections import Counter, deque
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from threading import Timer
from traceback import format_exception
from typing import Any, Final, NoReturn

import orjson
import structlog
from aiokafka.errors import InvalidProducerEpoch, ProducerFenced

from streams import metrics
from streams.embedded.folders import write_private
from streams.logs import mask_secrets
from streams.store import Fenced

FAIL_STOP: Final = 3  # the exit code that tells a supervisor: start me again
LAST: Final = 20  # stops that are shown
LINES_MAX: Final = 1000  # of the file; a start that finds more leaves the counts and the last
WHY_MAX: Final = 300  # characters
END_S: Final = 0.5  # for log and file, which may hang with their disk; then the process ends without

FENCE, ABORT, STALL = "fence", "abort", "stall"
_COUNTERS: Final = {FENCE: metrics.FENCES, ABORT: metrics.ABORTS, STALL: metrics.STALLS}

log = structlog.get_logger()


class StalledError(Exception):
    """A partition, the event loop or the consumer group did not move for too long: starting anew is the remedy."""


def kind_of(fault: BaseException) -> str:
    """FENCE: another holder has the partition. STALL: nothing moved. ABORT: all else; what the Step had written is aborted."""
    if isinstance(fault, (ProducerFenced, InvalidProducerEpoch, Fenced)):
        return FENCE
    return STALL if isinstance(fault, StalledError) else ABORT


class Stops:
    """The stops of one worker, in `file`. `counts` is by kind, agent and partition; `last` has the latest first."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.counts: Counter[tuple[str, str, int]] = Counter()
        self.last: list[dict[str, Any]] = []

    def read(self) -> None:
        """Take in what earlier processes left, and begin the metrics with it. Lines that are none of ours are passed over."""
        try:
            lines = [line for line in self._file.read_bytes().splitlines() if line]
        except FileNotFoundError:
            return
        except OSError as fault:
            log.warning("the stops of earlier processes cannot be read", file=str(self._file), fault=repr(fault))
            return
        last: deque[dict[str, Any]] = deque(maxlen=LAST)
        broken = 0
        for line in lines:
            try:
                self._take(orjson.loads(line), last)
            except (ValueError, TypeError, KeyError):
                broken += 1
        if broken:
            log.warning("lines of the stops cannot be read", file=str(self._file), lines=broken)
        self.last = list(reversed(last))
        for (kind, agent, partition), count in self.counts.items():
            _COUNTERS[kind].labels(agent, partition).inc(count)
        if len(lines) > LINES_MAX:
            self._shorten()

    def _take(self, said: Mapping[str, Any], last: deque[dict[str, Any]]) -> None:
        key = (str(said["kind"]), str(said["agent"]), int(said["partition"]))
        if key[0] not in _COUNTERS:
            raise ValueError(key[0])
        if "count" in said:
            self.counts[key] += max(0, int(said["count"]))
            return
        stop = {"time": str(said["time"]), "agent": key[1], "partition": key[2], "offset": int(said["offset"])}
        last.append({**stop, "kind": key[0], "why": str(said["why"])[:WHY_MAX]})
        self.counts[key] += 1

    def _shorten(self) -> None:
        shown = Counter((stop["kind"], stop["agent"], stop["partition"]) for stop in self.last)
        rest = ((key, count - shown[key]) for key, count in self.counts.items() if count > shown[key])
        counts = [{"kind": kind, "agent": agent, "partition": partition, "count": n} for (kind, agent, partition), n in rest]
        try:
            write_private(self._file, "".join(f"{orjson.dumps(said).decode()}\n" for said in (*counts, *reversed(self.last))))
        except OSError as fault:
            log.warning("the stops cannot be shortened", file=str(self._file), fault=repr(fault))

    def fail_stop(self, agent: str, partition: int, offset: int, fault: BaseException) -> NoReturn:
        """End this process at once, after END_S at the latest; the fault goes to the log and to the file, nothing else is saved.

        `offset` is the first of the Step at fault, -1 where there is none.
        """
        try:
            limit = Timer(END_S, os._exit, (FAIL_STOP,))
            limit.daemon = True
            limit.start()
            trace = "".join(format_exception(fault))
            log.critical("fail-stop", agent=agent, partition=partition, offset=offset, fault=repr(fault), trace=trace)
            self._note(agent, partition, offset, fault)
        except BaseException as lost:  # noqa: BLE001 - the process ends in any case
            log.error("this stop is not in its file", file=str(self._file), fault=repr(lost))  # noqa: TRY400 - the trace above is the one
        finally:
            os._exit(FAIL_STOP)

    def _note(self, agent: str, partition: int, offset: int, fault: BaseException) -> None:
        why = f"{type(fault).__name__}: {fault}".splitlines()[0][:WHY_MAX]
        stop = {"time": datetime.now(UTC).isoformat(timespec="seconds"), "kind": kind_of(fault), "agent": agent, "partition": partition}
        line = orjson.dumps(mask_secrets(None, "", {**stop, "offset": offset, "why": why}))
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(file, b"\n" + line + b"\n")  # the line before may have been cut by a full disk
