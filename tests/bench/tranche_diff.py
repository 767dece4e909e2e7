"""The peers' job on our Step and frames: digests compared with the table, the table written, the changed documents sent on."""

from collections.abc import Sequence

from xxhash import xxh3_128_digest

from streams import frames
from streams.effects import Effects, Message, Record, Stage, Table
from streams.partition import asset_key
from streams.topics import ASSET_PARTITIONS, Topic

CHUNKS = Topic("bench.chunks", ASSET_PARTITIONS)


def out(run: str) -> Topic:
    return Topic(f"{run}.out", ASSET_PARTITIONS)


def digests(run: str) -> Topic:
    return Topic(f"{run}.table", ASSET_PARTITIONS, compacted=True)


def stage(run: str) -> Stage:
    """The stage of one run, with topics of its own. Every document must be whole and have both ids: the book is ours."""
    changed_to = out(run)

    def compute(table: Table, messages: Sequence[Message]) -> Effects:
        effects = Effects()
        for message in messages:
            documents, fault = frames.split(message.value)
            if fault is not None:
                raise fault
            for document in documents:
                originator, asset = frames.identify(document)
                assert originator is not None
                assert asset is not None
                key, digest = asset_key(originator, asset), xxh3_128_digest(document)
                if table.get(key) != digest:
                    effects.rows[key] = digest
                    effects.records.append(Record(changed_to, key, document, message.partition))
        return effects

    return Stage("diff", CHUNKS, digests(run), compute)
