import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.router.offers import Action, Standing, decide, unpack

OPEN = Standing(is_open=True, market=1, version=3)
CLOSED = Standing(is_open=False, market=1, version=3)


@pytest.mark.parametrize(
    ("standing", "version", "market", "offerable", "action"),
    [
        (None, 1, 1, True, Action.PLACE),
        (None, 1, 1, False, Action.NOTHING),
        (OPEN, 4, 1, True, Action.UPDATE),
        (OPEN, 4, 0, True, Action.MOVE),
        (OPEN, 4, 1, False, Action.WITHDRAW),
        (OPEN, 4, 0, False, Action.WITHDRAW),
        (OPEN, 3, 1, True, Action.NOTHING),
        (OPEN, 3, 1, False, Action.NOTHING),
        (OPEN, 2, 1, False, Action.NOTHING),
        (CLOSED, 4, 1, True, Action.PLACE),
        (CLOSED, 4, 0, True, Action.PLACE),
        (CLOSED, 4, 1, False, Action.NOTHING),
        (CLOSED, 3, 1, True, Action.NOTHING),
    ],
)
def test_what_a_version_does_follows_from_the_standing_and_whether_it_is_offerable(standing, version, market, offerable, action):
    assert decide(standing, version, market, offerable=offerable) is action


@given(st.builds(Standing, st.booleans(), st.integers(0, 255), st.integers(1, 2**31 - 1)))
def test_a_table_row_says_in_six_bytes_what_was_packed(standing):
    row = standing.pack()
    assert (len(row), unpack(row)) == (6, standing)
