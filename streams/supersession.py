"""What the gateway says of documents that put a batch's effect right: which version of its asset each may follow.

Pure. The header `supersedes` of a message on `assets.ingest` has an entry of 28 bytes for each of its documents, little-endian: the version
(int32) that must be the asset's latest, or else the document is stale; the digest and the `updated_at` that the new version is known by.
A restored document is not the bytes that were sent at the time, but it stands for them: what is sent again is then unchanged, and nothing
is stale that was not before. 0 is no asset's version, so such a document is stale; -1 stands for a document like any other.

Only the gateway writes this header, at the order of somebody who may; a document cannot say it.
"""

from collections.abc import Sequence
from struct import Struct
from typing import Final, NamedTuple

HEADER: Final = "supersedes"
_ENTRY: Final = Struct("<i16sq")
_ANY: Final = -1
_NEVER_MS: Final = -(2**63)


class Supersession(NamedTuple):
    """The version that a document follows, and by what the new one is known: digest and `updated_at` of the document that it stands for."""

    version: int
    digest: bytes
    updated_ms: int | None  # since 1970-01-01 UTC; None: no version ever said

    @property
    def known_ms(self) -> int:
        """`updated_ms` as a row of the table has it."""
        return _NEVER_MS if self.updated_ms is None else self.updated_ms


STALE: Final = Supersession(0, bytes(16), None)  # of a document that must not be the latest


def pack(entries: Sequence[Supersession | None]) -> bytes:
    """The header's value; None for a document like any other."""
    return b"".join(_packed(entry) for entry in entries)


def unpack(value: bytes) -> list[Supersession | None]:
    """The entries of `pack`.

    Raises:
        struct.error: it is none.
    """
    found = _ENTRY.iter_unpack(value)
    return [None if version == _ANY else Supersession(version, digest, None if ms == _NEVER_MS else ms) for version, digest, ms in found]


def _packed(entry: Supersession | None) -> bytes:
    if entry is None:
        return _ENTRY.pack(_ANY, bytes(16), _NEVER_MS)
    return _ENTRY.pack(entry.version, entry.digest, entry.known_ms)
