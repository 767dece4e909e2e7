"""A worker of its own for tests, with a protection of the product turned off, or none. Arguments: a name, the protection, the parts.

Two AGENTS, one behind the other, count the messages of every key, and a SINK writes the messages' numbers to PostgreSQL; either may be left
out. Every count and number is one more than the last, so each event that is lost or done twice shows.

It stops itself (SIGSTOP) in the middle of the next Step when it is sent ASLEEP: a pause from outside may find it between two of them.
"""

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Final

import xxhash

from streams import logs
from streams.app import build, start
from streams.effects import Effects, Execute, Message, Record, Sink, Stage, Table
from streams.settings import load
from streams.store import Store
from streams.topics import Topic
from tests.sabotage import SABOTAGES

PARTITIONS: Final = 8
TAKE_BYTES: Final = 2_000  # of a Step: ten messages or so, so that many Steps wait
ASLEEP: Final = signal.SIGRTMIN
NOTHING: Final = "nothing"  # is turned off
AGENTS, SINK = "agents", "sink"


def source(name: str) -> Topic:
    return Topic(f"{name}.in", PARTITIONS)


def middle(name: str) -> Topic:
    return Topic(f"{name}.middle", PARTITIONS)


def out(name: str) -> Topic:
    return Topic(f"{name}.out", PARTITIONS)


def table(name: str, agent: str) -> Topic:
    return Topic(f"{name}.{agent}.table", PARTITIONS, compacted=True)


def rows(name: str) -> str:
    """The database's table of a test; PostgreSQL cuts names after 63 bytes."""
    return f"counts_{xxhash.xxh3_64_hexdigest(name.encode())}"


def first(name: str) -> Stage:
    """Counts what is sent, and says the count."""

    def compute(counts: Table, messages: Sequence[Message]) -> Effects:
        _sleep_if_told()
        effects = Effects()
        for message in messages:
            effects.rows[message.key] = count = _next(counts, effects, message.key)
            effects.records.append(Record(middle(name), message.key, count, message.partition))
        return effects

    return Stage("first", source(name), table(name, "first"), compute, take_bytes=TAKE_BYTES)


def second(name: str) -> Stage:
    """Counts what the first says, and says both counts."""

    def compute(counts: Table, messages: Sequence[Message]) -> Effects:
        effects = Effects()
        for message in messages:
            effects.rows[message.key] = count = _next(counts, effects, message.key)
            effects.records.append(Record(out(name), message.key, b"%s %s" % (count, message.value), message.partition))
        return effects

    return Stage("second", middle(name), table(name, "second"), compute, take_bytes=TAKE_BYTES)


def _next(counts: Table, effects: Effects, key: bytes) -> bytes:
    return b"%d" % (int(effects.rows.get(key) or counts.get(key, b"0")) + 1)


def sink(name: str) -> Sink:
    """Writes what is sent."""

    def compute(messages: Sequence[Message]) -> list[Execute]:
        _sleep_if_told()
        written = [(message.key.decode(), int(message.value)) for message in messages]
        return [Execute(f"INSERT INTO {rows(name)} (key, count) VALUES ($1, $2)", written)]

    return Sink("written", source(name), compute)


_told: list[int] = []


def _sleep_if_told() -> None:
    if _told:
        _told.clear()
        os.kill(os.getpid(), signal.SIGSTOP)


def main(name: str, protection: str, *parts: str) -> None:
    signal.signal(ASLEEP, lambda number, _frame: _told.append(number))
    settings = load()
    logs.configure(settings.worker)
    with SABOTAGES.get(protection, nullcontext)():
        stages = [first(name), second(name)] if AGENTS in parts else []
        start(build(settings, stages, [sink(name)] if SINK in parts else [], Store(settings.postgres)))


if __name__ == "__main__":
    main(*sys.argv[1:])
