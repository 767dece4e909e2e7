"""The oracle: every agent run over its committed input, one message after the other, without a fault."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from streams.effects import Effects, Stage, Table
from tests.audit.events import Written
from tests.audit.logs import Logs


@dataclass
class Replay:
    """What plain sequential runs write: records by topic, and the rows of each table's partition."""

    written: dict[str, list[Written]] = field(default_factory=lambda: defaultdict(list))
    rows: dict[tuple[str, int], Table] = field(default_factory=dict)


def replay(stages: Iterable[Stage], logs: Logs) -> Replay:
    """Run `stages` over what `logs` has of their sources."""
    found = Replay()
    for stage in stages:
        for number in range(stage.source.partitions):
            state, rows = stage.state(), Table()
            for message in logs.records[stage.source.name, number]:
                effects: Effects = stage.compute(state, [message])
                state.apply(effects.rows)
                rows.apply(effects.rows)
                for record in effects.records:
                    found.written[record.topic.name].append(Written.by(record))
            found.rows[stage.table.name, number] = rows
    return found
