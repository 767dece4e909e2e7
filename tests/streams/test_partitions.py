"""Many keys at once go where each goes alone."""

from hypothesis import given
from hypothesis import strategies as st

from streams.partition import partition_of
from streams.partitions import partitions_of


@given(st.lists(st.binary(max_size=140), max_size=50), st.integers(1, 64))
def test_all_keys_go_where_each_alone_goes(keys, partitions):
    assert partitions_of(keys, partitions) == [partition_of(key, partitions) for key in keys]
