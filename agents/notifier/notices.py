"""Events of a published topic to the spool of notices, a row an event, for the originators that have a delivery."""

import csv
import io
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from schemas import events
from streams.effects import Copy, Execute, Message

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
COLUMNS: Final = ("originator", "topic", "partition", "record_offset", "event")

Told = events.Investment | events.Released | events.Rejected


class UnreadableError(ValueError):
    """A message of one of our own topics that its reader does not understand: writer and reader are of different versions."""


def compute(messages: Sequence[Message], *, decode: Callable[[bytes], Told], originators: Collection[str]) -> list[Copy | Execute]:
    """One COPY of the events of `originators`, in the order of their offsets.

    Raises:
        UnreadableError: names the message.
    """
    rows = []
    for message in messages:
        try:
            event = decode(message.value)
        except msgspec.MsgspecError as fault:
            raise UnreadableError(f"{message.source}: {fault}; are writer and reader of the same version?") from fault
        if event.originator in originators:
            rows.append((event.originator, message.topic, message.partition, message.offset, line(event, message.timestamp_ms)))
    if not rows:
        return []
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return [Copy("notices", COLUMNS, text.getvalue().encode())]


def line(event: Told, at_ms: int) -> str:
    """An event's line in a file (schemas/notices.md): as it is published, the time of its record in front of it.

    A refused document is left out: the originator has it, and `GET /batches/{id}/rejected` gives it back.
    """
    if isinstance(event, events.Rejected):
        event = msgspec.structs.replace(event, document=b"")
    at = (EPOCH + timedelta(milliseconds=at_ms)).isoformat(timespec="milliseconds").removesuffix("+00:00")
    return f'{{"at":"{at}Z",' + events.encode(event)[1:].decode()
