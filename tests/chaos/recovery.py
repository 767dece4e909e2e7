"""How long a killed worker's partitions stand still, and how often the group was rebalanced, from what the broker itself keeps."""

import asyncio
import contextlib
import struct
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, Self

import asyncpg

from streams.broker import KafkaBroker
from streams.effects import Stage
from tests.audit.logs import Logs

# A partition with fewer Steps in the time before a kill has too little input: whether it is back, or nothing came, nobody can tell.
FLOWING_STEPS: Final = 5
FLOWING_MS: Final = 3_000
POLL_S: Final = 0.2
GROUPS: Final = ("__consumer_offsets", 8)  # the broker's own topic, and its partitions as the embedded broker has them

Place = tuple[str, int]  # agent, partition
Steps = dict[Place, list[int]]  # when each Step was committed, milliseconds since 1970, in order


class Kill(NamedTuple):
    at_ms: int
    worker: str


class Opening(NamedTuple):
    at_ms: int
    worker: str
    place: Place


class Recovery(NamedTuple):
    """How long a partition stood still after a kill of its worker."""

    seconds: float
    kill: Kill
    place: Place

    def __str__(self) -> str:
        at = datetime.fromtimestamp(self.kill.at_ms / 1000, UTC)
        return f"{self.seconds:.1f} s: {self.place[0]} {self.place[1]}, after {self.kill.worker} was killed at {at:%H:%M:%S}"


class SinkWatch:
    """When the sinks' offsets move: the database keeps no times, so they are looked at, every POLL_S."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self.steps: Steps = defaultdict(list)
        self._at: dict[Place, int] = {}

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.wait({self._task})

    async def _watch(self) -> None:
        while True:
            with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):  # it is one of those that are killed
                connection = await asyncpg.connect(self._dsn, timeout=5, command_timeout=5)
                try:
                    await self._look(connection)
                finally:
                    connection.terminate()
            await asyncio.sleep(POLL_S)

    async def _look(self, connection: Any) -> None:
        while True:
            for row in await connection.fetch("SELECT sink, partition, next_offset FROM sink_offsets"):
                place, offset = (row["sink"], row["partition"]), row["next_offset"]
                if self._at.get(place) != offset:
                    self._at[place] = offset
                    self.steps[place].append(now_ms())
            await asyncio.sleep(POLL_S)


def steps_of(stages: Iterable[Stage], logs: Logs) -> Steps:
    """The stages' Steps: each has written its offset to its changelog, with the time."""
    return {
        (stage.name, n): [at for at, _ in logs.tables[stage.table.name, n].steps]
        for stage in stages
        for n in range(stage.source.partitions)
    }


def openings_of(said: Iterable[Mapping[str, Any]]) -> list[Opening]:
    """Who opened which partition, by the workers' logs."""
    found = [
        Opening(round(datetime.fromisoformat(line["timestamp"]).timestamp() * 1000), line["process"], (line["agent"], line["partition"]))
        for line in said
        if line.get("event") == "partition opened"
    ]
    return sorted(found)


def recoveries(kills: Iterable[Kill], openings: Sequence[Opening], steps: Steps) -> list[Recovery]:
    """Each kill and each partition with input that the worker held: from the kill to the next Step committed, by anybody; slowest first."""
    found = []
    for kill in kills:
        holders = {opening.place: opening.worker for opening in openings if opening.at_ms <= kill.at_ms}
        for place, times in steps.items():
            after = bisect_right(times, kill.at_ms)
            flows = after >= FLOWING_STEPS and times[after - FLOWING_STEPS] >= kill.at_ms - FLOWING_MS
            if flows and holders.get(place) == kill.worker and after < len(times):
                found.append(Recovery((times[after] - kill.at_ms) / 1000, kill, place))
    return sorted(found, reverse=True)


def percentile(values: Sequence[float], percent: int) -> float | None:
    """The value that `percent` of the values do not exceed; None of none."""
    return sorted(values)[-(-len(values) * percent // 100) - 1] if values else None


async def rebalances(kafka: str, group: str) -> int:
    """How often a consumer group was rebalanced: the generation in the newest of the records that the broker keeps of it."""
    topic, partitions = GROUPS
    generation = 0
    for number in range(partitions):
        async for records in KafkaBroker(kafka).read(topic, number):
            found = [generation_of(record.value) for record in records if record.value and is_group(record.key, group)]
            generation = max([generation, *found])
    return generation


def is_group(key: bytes, group: str) -> bool:
    """Whether a record's key is that of a group's metadata: version 2 (int16), then its name (int16 length, bytes)."""
    return key == struct.pack(">hh", 2, len(group)) + group.encode()


def generation_of(value: bytes) -> int:
    """A group's generation: after the version (int16) and the protocol's type (int16 length, bytes)."""
    (length,) = struct.unpack_from(">h", value, 2)
    return int(struct.unpack_from(">i", value, 4 + length)[0])


def now_ms() -> int:
    return round(datetime.now().timestamp() * 1000)  # noqa: DTZ005 - a time stamp has no zone
