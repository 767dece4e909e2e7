"""The assessor: changed asset versions in, the same with their assessment out, in the same order and partition."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Final

import pyarrow as pa

from agents.assessor.assessment import Assessor
from schemas.catalog import Catalog
from schemas.columns import CHANGED, decode, encode, encode_within
from streams import topics
from streams.effects import Effects, Message, Record, Stage
from streams.guard import readable

ROWS_MAX: Final = 1_000  # of one record
BYTES_MAX: Final = 512 * 1024  # of the columns that go into one record; a larger message keeps a record of its own
SCHEMA_BYTES: Final = len(encode(pa.RecordBatch.from_pylist([], schema=CHANGED)))  # of each message: it is written once for all of them


def stages(catalog: Catalog) -> tuple[Stage, ...]:
    """The one stage of this agent. Its table has no rows: an assessment depends on nothing but its version."""
    assessor = Assessor(catalog.products)

    def compute(_state: Any, messages: Sequence[Message]) -> Effects:
        effects = Effects()
        for partition, rows in _together(readable(messages, partial(decode, schema=CHANGED), effects)):
            values = encode_within(assessor.assess(rows), topics.MESSAGE_BYTES_MAX)  # the assessment makes it larger than its messages were
            effects.records += (Record(topics.ASSESSED, None, value, partition) for value in values)
        return effects

    return (Stage("assessor", topics.CHANGED, topics.ASSESSOR_TABLE, compute),)


def _together(messages: Iterable[tuple[Message, pa.RecordBatch]]) -> Iterator[tuple[int, pa.RecordBatch]]:
    """The rows of consecutive messages of a partition as one batch, as long as both limits hold for it."""
    group: list[pa.RecordBatch] = []
    rows = size = partition = 0
    for message, batch in messages:
        more = len(message.value) - SCHEMA_BYTES
        fits = message.partition == partition and rows + batch.num_rows <= ROWS_MAX and size + more <= BYTES_MAX
        if group and not fits:
            yield partition, pa.concat_batches(group)
            group, rows, size = [], 0, 0
        group.append(batch)
        rows, size, partition = rows + batch.num_rows, size + more, message.partition
    if group:
        yield partition, pa.concat_batches(group)
