"""A worker of its own for tests, with a protection of the product turned off, or none. Arguments: the test's name, the protection, "alone".

Two agents, one behind the other, count the messages of every key, and a sink writes the messages' numbers to PostgreSQL; "alone" it is the
only one. Every count and number is one more than the last, so each event that is lost or done twice shows.
"""

import sys
import time
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
ALONE_S: Final = 0.3  # of a Step of the sink alone, before its transaction: where a pause finds it
NOTHING: Final = "nothing"  # is turned off


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


def sink(name: str, slow_s: float) -> Sink:
    """Writes what is sent."""

    def compute(messages: Sequence[Message]) -> list[Execute]:
        time.sleep(slow_s)
        written = [(message.key.decode(), int(message.value)) for message in messages]
        return [Execute(f"INSERT INTO {rows(name)} (key, count) VALUES ($1, $2)", written)]

    return Sink("written", source(name), compute)


def main(name: str, protection: str, *alone: str) -> None:
    settings = load()
    logs.configure(settings.worker)
    with SABOTAGES.get(protection, nullcontext)():
        stages = [] if alone else [first(name), second(name)]
        start(build(settings, stages, [sink(name, ALONE_S if alone else 0.0)], Store(settings.postgres)))


if __name__ == "__main__":
    main(*sys.argv[1:])
