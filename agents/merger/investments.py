"""`investments` to a table, a row an investment, with the partition and offset that page them."""

from collections.abc import Sequence

import pyarrow as pa

from agents.merger import rows
from schemas import events
from streams.effects import Copy, Execute, Message


def compute(messages: Sequence[Message]) -> list[Copy | Execute]:
    """One COPY of all the investments, in the order of their offsets."""
    made = [rows.read(message, events.decode_investment) for message in messages]
    columns = {
        **{name: [getattr(event, name) for event in made] for name in events.Investment.__struct_fields__},
        "partition": [m.partition for m in messages],
        "record_offset": [m.offset for m in messages],
        "made_at": pa.array([m.timestamp_ms for m in messages], pa.timestamp("ms", "UTC")),
    }
    return [rows.copy("investments", pa.table(columns))]
