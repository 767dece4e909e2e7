"""A worker of its own for tests: two agents on one topic, each counting the messages of every key. Arguments: the name of the test."""

import sys
from collections.abc import Sequence

from streams.app import build, start
from streams.effects import Effects, Message, Record, Stage, Table
from streams.settings import load
from streams.topics import Topic

AGENTS = ("one", "two")


def source(name: str) -> Topic:
    return Topic(f"{name}.in", 2)


def out(name: str, agent: str) -> Topic:
    return Topic(f"{name}.{agent}.out", 2)


def table(name: str, agent: str) -> Topic:
    return Topic(f"{name}.{agent}.table", 2, compacted=True)


def stage(name: str, agent: str) -> Stage:
    def compute(counts: Table, messages: Sequence[Message]) -> Effects:
        effects = Effects()
        for message in messages:
            count = b"%d" % (int(effects.rows.get(message.key) or counts.get(message.key, b"0")) + 1)
            effects.rows[message.key] = count
            effects.records.append(Record(out(name, agent), message.key, count, message.partition))
        return effects

    return Stage(agent, source(name), table(name, agent), compute)


if __name__ == "__main__":
    start(build(load(), [stage(sys.argv[1], agent) for agent in AGENTS]))
