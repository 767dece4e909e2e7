"""Faust as its documentation shows it: one asset a message, `table[key] = value`, one `send` for each output; at least once."""

from collections.abc import AsyncIterable

import faust
import xxhash

from tests.bench.peers.lap import Lap, arguments

given = arguments()
lap = Lap(given.assets)
app = faust.App(
    given.id,
    broker=f"kafka://{given.kafka}",
    key_serializer="raw",
    value_serializer="raw",
    topic_partitions=8,
    topic_replication_factor=1,
    topic_disable_leader=True,
    consumer_auto_offset_reset="earliest",
    stream_buffer_maxsize=16384,
    web_enabled=False,
    datadir=given.work,
)
source = app.topic(given.source, key_type=bytes, value_type=bytes)
out = app.topic(given.out, key_type=bytes, value_type=bytes, partitions=8)
digests = app.Table("digests", partitions=8, key_type=bytes, value_type=bytes)


@app.agent(source)
async def diff(stream: AsyncIterable[bytes]) -> None:
    async for key, document in stream.items():
        lap.one()
        digest = xxhash.xxh3_128_digest(document)
        if digests.get(key) != digest:
            await out.send(key=key, value=document)
            digests[key] = digest
        lap.end()


if __name__ == "__main__":
    faust.Worker(app, loglevel="WARNING", redirect_stdouts=False).execute_from_commandline()
