"""Some chunks of the random loans of `python -m tests.oracles`; a million of them take minutes."""

import pytest

from tests.oracles.chunk import CHUNK, check


@pytest.mark.parametrize("seed", range(12))
def test_loans_by_columns_are_to_the_cent_those_of_the_plain_implementations(seed):
    found = check(seed)
    assert found.instalments >= CHUNK
    assert found.ties > 0
    assert found.differences == []
