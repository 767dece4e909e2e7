"""`batches.status` to one row a batch: what the gateway received, and the counts of what intake made of it.

Counts are added, which is right because the sink takes every event exactly once. The events of a Step are added up per batch first:
thousands of them are few statements. All events of a batch are in one partition, so no two transactions meet in a row.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from agents.merger import rows
from schemas import events
from schemas.asset import OUTCOMES  # columns of the table, too
from streams.effects import Copy, Execute, Message

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_TIMES: Final = (
    "first_event = least(batches.first_event, excluded.first_event), last_event = greatest(batches.last_event, excluded.last_event)"
)
# What a BatchReceived says, in the order of `_delivery`.
_DELIVERY: Final = (
    "documents",
    "bytes",
    "digest",
    "oversized",
    "error",
    "position",
    "way",
    "sender",
    "same_as",
    "restart_of",
    "began_at",
    "received_at",
)
_RECEIVED: Final = (
    f"INSERT INTO batches (batch, originator, first_event, last_event, received, {', '.join(_DELIVERY)}) "  # noqa: S608 - names of ours
    f"VALUES ($1, $2, $3, $4, true, {', '.join(f'${n}' for n in range(5, 5 + len(_DELIVERY)))}) ON CONFLICT (batch) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in ("originator", "received", *_DELIVERY))
    + f", {_TIMES}"
)
_PROGRESS: Final = (
    f"INSERT INTO batches (batch, originator, first_event, last_event, {', '.join(OUTCOMES)}) "  # noqa: S608 - names of ours
    f"VALUES ($1, $2, $3, $4, {', '.join(f'${n}' for n in range(5, 5 + len(OUTCOMES)))}) ON CONFLICT (batch) DO UPDATE SET "
    + ", ".join(f"{name} = batches.{name} + excluded.{name}" for name in OUTCOMES)
    + f", {_TIMES}"
)


@dataclass(slots=True)
class _Batch:
    """What the events of one Step say about one batch."""

    originator: str
    first_ms: int
    last_ms: int
    counts: Counter[str] = field(default_factory=Counter)
    counted: bool = False
    received: tuple[events.BatchReceived, int] | None = None  # and when, in ms


def compute(messages: Sequence[Message]) -> list[Copy | Execute]:
    """At most two statements: the batches received, and the counts added; batches in order of their ids."""
    batches: dict[str, _Batch] = {}
    for message in messages:
        event = rows.read(message, events.decode_batch)
        at = message.timestamp_ms
        batch = batches.setdefault(rows.clean(event.batch), _Batch(rows.clean(event.originator), at, at))
        batch.first_ms, batch.last_ms = min(batch.first_ms, at), max(batch.last_ms, at)
        if isinstance(event, events.BatchReceived):
            batch.received = event, at
        else:
            if unknown := event.counts.keys() - set(OUTCOMES):
                raise rows.UnreadableError(f"{message.source}: unknown outcomes {sorted(unknown)}; known are {', '.join(OUTCOMES)}")
            batch.counts.update(event.counts)
            batch.counted = True
    ordered = sorted(batches.items())
    received = [(*_head(key, batch), *_delivery(*batch.received)) for key, batch in ordered if batch.received]
    progress = [(*_head(key, batch), *(batch.counts[name] for name in OUTCOMES)) for key, batch in ordered if batch.counted]
    return [Execute(sql, arguments) for sql, arguments in ((_RECEIVED, received), (_PROGRESS, progress)) if arguments]


def _head(key: str, batch: _Batch) -> tuple[Any, ...]:
    return (key, batch.originator, _time(batch.first_ms), _time(batch.last_ms))


def _delivery(event: events.BatchReceived, at_ms: int) -> tuple[Any, ...]:
    counts = event.documents, event.bytes, event.digest, event.oversized, rows.clean(event.error), event.position
    began = _time(event.began_ms) if event.began_ms else None
    return (*counts, event.way, rows.clean(event.sender), event.same_as, event.restart_of, began, _time(at_ms))


def _time(ms: int) -> datetime:
    return EPOCH + timedelta(milliseconds=ms)
