"""The assessor: changed asset versions in, the same with their assessment out, in the same order and partition.

Two stages. The first assesses at once what is built in, and hands over to `assets.queried` what goes by a lane (`lanes.py`). The second
takes it from there and asks the products' services; a lane that waits for its service keeps no other product waiting.

An answer is an input that is in no log. It is written in the same transaction as the offset of what was asked, so whoever reads
`assets.assessed` replays exactly; a crash before the commit asks again, and what was answered before is in no place.
"""

from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from hashlib import blake2b
from typing import Any, Final

import numpy as np
import pyarrow as pa

from agents.assessor.answers import ids_of, question, read
from agents.assessor.assessment import Assessor
from agents.assessor.lanes import DIRECT, Lanes
from schemas.catalog import Catalog
from schemas.columns import CHANGED, by_product, decode, encode, encode_within
from schemas.published import Products
from streams import topics
from streams.effects import MODELS, Answers, Effects, Message, Query, Record, Stage, Table
from streams.guard import readable

ROWS_MAX: Final = 1_000  # of one record
BYTES_MAX: Final = 512 * 1024  # of the columns that go into one record; a larger message keeps a record of its own
SCHEMA_BYTES: Final = len(encode(pa.RecordBatch.from_pylist([], schema=CHANGED)))  # of each message: it is written once for all of them
QUERY_ROWS_MAX: Final = 250  # of one question
QUERY_BYTES_MAX: Final = 64 * 1024  # of the columns that go into one
QUERIED_TAKE_BYTES: Final = 256 * 1024  # so a Step has a handful of questions, which are asked side by side

Messages = Iterable[tuple[Message, pa.RecordBatch]]


class Pinned(Table):
    """Asset key -> lane, of the assets that were ever in one. In memory always: the agent asks whether there are any."""


def stages(catalog: Catalog) -> tuple[Stage, ...]:
    """What is built in, and what is asked. An assessment depends on its version, which says the product's, and on the service's answer."""
    products = Products.of(catalog.products)
    assessor, lanes = Assessor(products), Lanes(products)

    def compute(pinned: Mapping[bytes, bytes], messages: Sequence[Message]) -> Effects:
        effects = Effects()
        for partition, rows in _together(_changed(messages, effects), ROWS_MAX, BYTES_MAX):
            lane, new = lanes.of(rows, ChainMap(effects.rows, pinned))  # type: ignore[arg-type] # this Step's rows delete nothing
            effects.rows |= new
            direct = rows if (lane == DIRECT).all() else rows.filter(pa.array(lane == DIRECT))
            if direct.num_rows:
                effects.records += _assessed(assessor.assess(direct), partition)
            for number in np.unique(lane[lane != DIRECT]).tolist():
                effects.records += _queried(rows.filter(pa.array(lane == number)), number, partition)
        return effects

    def questions(messages: Sequence[Message]) -> list[Query]:
        return [query for _, rows in _asked(messages, Effects()) for query in _queries(rows, products, assessor).values()]

    def answered(_state: Any, messages: Sequence[Message], answers: Answers = {}) -> Effects:  # noqa: B006 - nobody writes to it
        """The assessment of what was asked; a product whose service gave no answer is assessed by its built-in models, and says so."""
        effects = Effects()
        for partition, rows in _asked(messages, effects):
            said = {by: answers.get(one.id, "it was not asked") for by, one in _queries(rows, products, assessor).items()}
            effects.records += _assessed(assessor.assess(rows, said), partition)
        return effects

    return (
        Stage("assessor", topics.CHANGED, topics.ASSESSOR_TABLE, compute, state=Pinned),
        Stage(
            "assessor.queried",
            topics.QUERIED,
            topics.QUERIED_TABLE,
            answered,
            take_bytes=QUERIED_TAKE_BYTES,
            questions=questions,
            asks=MODELS,
        ),
    )


def _changed(messages: Iterable[Message], effects: Effects) -> Messages:
    return readable(messages, partial(decode, schema=CHANGED), effects)  # type: ignore[arg-type]


def _assessed(rows: pa.RecordBatch, partition: int) -> Iterator[Record]:
    """The assessment makes rows larger than their messages were."""
    return (Record(topics.ASSESSED, None, value, partition) for value in encode_within(rows, topics.MESSAGE_BYTES_MAX))


def _queried(rows: pa.RecordBatch, lane: int, partition: int) -> Iterator[Record]:
    header = ("partition", b"%d" % partition)
    return (Record(topics.QUERIED, None, value, lane, (header,)) for value in encode_within(rows, topics.MESSAGE_BYTES_MAX))


def _asked(messages: Iterable[Message], effects: Effects) -> Iterator[tuple[int, pa.RecordBatch]]:
    """The rows of a lane's messages, by the partition of their assets, at most as many as one question may have."""
    with_origin = ((one._replace(partition=int(dict(one.headers)["partition"])), rows) for one, rows in _changed(messages, effects))
    for partition, rows in _together(with_origin, QUERY_ROWS_MAX, QUERY_BYTES_MAX):
        for start in range(0, rows.num_rows, QUERY_ROWS_MAX):
            yield partition, rows.slice(start, QUERY_ROWS_MAX)


def _queries(rows: pa.RecordBatch, products: Products, assessor: Assessor) -> dict[tuple[str, int], Query]:
    """By product and version, a question for each of those in `rows` that has a service; asked again, each has the same id."""
    queries = {}
    found, place = by_product(rows, products)
    for number, product in enumerate(found):
        if product.service is None:
            continue
        theirs = assessor.assess(rows.filter(pa.array(place == number)))
        body, ids = question(product, theirs), ids_of(theirs)
        id_ = blake2b(body, digest_size=16).hexdigest()
        queries[product.product, product.version] = Query(product.service, product.product, id_, body, partial(read, product, ids))
    return queries


def _together(messages: Messages, rows_max: int, bytes_max: int) -> Iterator[tuple[int, pa.RecordBatch]]:
    """The rows of consecutive messages of a partition as one batch, as long as both limits hold for it."""
    group: list[pa.RecordBatch] = []
    rows = size = partition = 0
    for message, batch in messages:
        more = len(message.value) - SCHEMA_BYTES
        fits = message.partition == partition and rows + batch.num_rows <= rows_max and size + more <= bytes_max
        if group and not fits:
            yield partition, pa.concat_batches(group)
            group, rows, size = [], 0, 0
        group.append(batch)
        rows, size, partition = rows + batch.num_rows, size + more, message.partition
    if group:
        yield partition, pa.concat_batches(group)
