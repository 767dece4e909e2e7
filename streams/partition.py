"""Which partition a key belongs to: murmur2, the default of Kafka's Java client and of aiokafka (librdkafka's default differs).

Source: org.apache.kafka.common.utils.Utils.murmur2 and BuiltInPartitioner.partitionForKey. aiokafka has it in Python too, at twice the
time for a key; the gateway does it for each document of a file.
"""

from struct import Struct
from typing import Final

_WORDS: Final = tuple(Struct(f"<{n}I").unpack_from for n in range(65))
_M: Final = 0x5BD1E995
_32: Final = 0xFFFFFFFF


def asset_key(originator: bytes, asset: bytes) -> bytes:
    """The key of everything that is said about one asset."""
    return originator + b"/" + asset


def partition_of(key: bytes, partitions: int) -> int:
    """The partition, 0 … partitions - 1, of a key of at most 259 bytes."""
    size = len(key)
    words, rest = size >> 2, size & 3
    h = 0x9747B28C ^ size
    for word in _WORDS[words](key):
        k = word * _M & _32
        h = (h * _M ^ (k ^ (k >> 24)) * _M) & _32
    if rest:
        h = (h ^ int.from_bytes(key[words << 2 :], "little")) * _M & _32
    h = (h ^ (h >> 13)) * _M & _32
    return ((h ^ (h >> 15)) & 0x7FFFFFFF) % partitions
