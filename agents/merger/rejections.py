"""`assets.rejected` to the table of dead letters, a row a document."""

from collections.abc import Sequence
from typing import Final

import pyarrow as pa

from agents.merger import rows
from schemas import events
from streams.effects import Copy, Execute, Message

TEXTS: Final = ("originator", "batch", "asset", "field", "reason", "source")


def compute(messages: Sequence[Message]) -> list[Copy | Execute]:
    """One COPY of all the rejections; a row's key is its record's topic, partition and offset."""
    rejected = [rows.read(message, events.decode_rejected) for message in messages]
    columns = {
        "topic": [m.topic for m in messages],
        "partition": [m.partition for m in messages],
        "record_offset": [m.offset for m in messages],
        **{name: [rows.clean(getattr(event, name)) for event in rejected] for name in TEXTS},
        "position": [event.position for event in rejected],
        "document": [f"\\x{event.document.hex()}" for event in rejected],
        "rejected_at": pa.array([m.timestamp_ms for m in messages], pa.timestamp("ms", "UTC")),
    }
    return [rows.copy("rejections", pa.table(columns))]
