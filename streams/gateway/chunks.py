"""Documents into chunks: each to the partition of its asset, a chunk when it is large enough.

Pure. A chunk is one message of `assets.ingest`: documents one after the other, all of one partition, in the order of the file.
"""

from collections.abc import Sequence
from struct import pack, unpack
from typing import Final, NamedTuple

from streams.frames import identify
from streams.partition import asset_key, partitions_of

ASSET_ID_BYTES_MAX: Final = 64  # as schemas/asset.py says; a longer one cannot be an asset's


class Chunk(NamedTuple):
    """One message to be. `positions`: uint64, little-endian, each document's byte position in the file."""

    partition: int
    value: bytes
    positions: bytes
    documents: int


def positions_of(chunk: Chunk) -> tuple[int, ...]:
    """The byte position of each document of a chunk."""
    return unpack(f"<{chunk.documents}Q", chunk.positions)


class Chunker:
    """Collects one originator's documents, at most one open chunk a partition."""

    def __init__(self, originator: str, partitions: int, chunk_bytes: int, chunk_documents: int) -> None:
        tenant = originator.encode()
        self._prefix, self._partitions = asset_key(tenant, b""), partitions
        self._bytes, self._documents = chunk_bytes, chunk_documents
        self._docs: list[list[bytes]] = [[] for _ in range(partitions)]
        self._positions: list[list[int]] = [[] for _ in range(partitions)]
        self._sizes = [0] * partitions
        self._lead = b"\2originator_id\0" + pack("<i", len(tenant) + 1) + tenant + b"\0\2asset_id\0"
        self._lead_end = 4 + len(self._lead)

    def add(self, positions: Sequence[int], docs: Sequence[bytes]) -> list[Chunk]:
        """Take documents in; returns the chunks that became full, in the order in which they did.

        A document without a readable asset id goes to partition 0, where intake says what is wrong with it.
        """
        full = []
        all_docs, all_positions, sizes = self._docs, self._positions, self._sizes
        for position, doc, partition in zip(positions, docs, self._route(docs), strict=True):
            chunk = all_docs[partition]
            chunk.append(doc)
            all_positions[partition].append(position)
            sizes[partition] += len(doc)
            if sizes[partition] >= self._bytes or len(chunk) >= self._documents:
                full.append(self._close(partition))
        return full

    def rest(self) -> list[Chunk]:
        """The chunks that are still open, closed."""
        return [self._close(partition) for partition, docs in enumerate(self._docs) if docs]

    def _route(self, docs: Sequence[bytes]) -> list[int]:
        """Each document's partition."""
        keys = [self._key(doc) for doc in docs]
        routed = partitions_of([key for key in keys if key is not None], self._partitions)
        if len(routed) == len(docs):
            return routed
        following = iter(routed)
        return [0 if key is None else next(following) for key in keys]

    def _key(self, doc: bytes) -> bytes | None:
        """The asset's key: the id is read at once where the document begins as most do, else wherever it stands; None without one."""
        if doc.startswith(self._lead, 4):
            at = self._lead_end
            stop = at + 4 + int.from_bytes(doc[at : at + 4], "little", signed=True)
            asset = doc[at + 4 : stop - 1] if at + 4 < stop < len(doc) else None
        else:
            asset = identify(doc).asset
        return None if asset is None or len(asset) > ASSET_ID_BYTES_MAX else self._prefix + asset

    def _close(self, partition: int) -> Chunk:
        docs, positions = self._docs[partition], self._positions[partition]
        self._docs[partition], self._positions[partition], self._sizes[partition] = [], [], 0
        return Chunk(partition, b"".join(docs), pack(f"<{len(positions)}Q", *positions), len(docs))
