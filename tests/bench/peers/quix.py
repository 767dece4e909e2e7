"""Quix Streams, at its defaults: state in RocksDB with a changelog topic, at least once."""

import xxhash
from quixstreams import Application, State

from tests.bench.peers.lap import Lap, arguments

given = arguments()
lap = Lap(given.assets)
app = Application(
    broker_address=given.kafka,
    consumer_group=given.id,
    auto_offset_reset="earliest",
    auto_create_topics=True,
    loglevel="WARNING",
    state_dir=given.work,
)
source = app.topic(given.source, key_deserializer="bytes", value_deserializer="bytes")
out = app.topic(given.out, key_serializer="bytes", value_serializer="bytes")


def diff(document: bytes, state: State) -> bytes | None:
    lap.one()
    digest = xxhash.xxh3_128_hexdigest(document)
    changed = state.get("digest") != digest
    if changed:
        state.set("digest", digest)
    lap.end()
    return document if changed else None


if __name__ == "__main__":
    app.dataframe(source).apply(diff, stateful=True).filter(lambda document: document is not None).to_topic(out)
    app.run()
