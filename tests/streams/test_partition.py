import pytest
from aiokafka.partitioner import murmur2
from hypothesis import given
from hypothesis import strategies as st

from streams.partition import asset_key, partition_of, partitions_of


@pytest.mark.parametrize(
    ("key", "hash_"),
    [  # from Apache Kafka's own UtilsTest.testMurmur2
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_a_key_goes_where_the_java_client_puts_it(key, hash_):
    partitions = 1_000_003
    assert partition_of(key, partitions) == (hash_ & 0x7FFFFFFF) % partitions


@given(st.binary(max_size=259), st.integers(1, 1000))
def test_a_key_goes_where_aiokafka_puts_it(key, partitions):
    assert partition_of(key, partitions) == (murmur2(key) & 0x7FFFFFFF) % partitions


@given(st.lists(st.binary(max_size=40), max_size=30) | st.integers(0, 40).flatmap(lambda n: st.lists(st.binary(min_size=n, max_size=n))))
def test_many_keys_at_once_go_where_each_goes_alone(keys):
    assert partitions_of(keys, 8) == [partition_of(key, 8) for key in keys]


def test_extreme_bytes_do_not_run_over_into_their_neighbours():
    keys = [bytes([byte]) * 23 for byte in (0xFF, 0, 0xFF, 0x80, 0x7F) * 4]
    assert partitions_of(keys, 2**31) == [partition_of(key, 2**31) for key in keys]


def test_the_longest_key_of_an_asset_has_a_partition():
    key = asset_key(b"o" * 64, b"a" * 64)
    assert len(key) == 129
    assert 0 <= partition_of(key, 8) < 8
