"""A file counts when nothing about it has changed for a while, and never while it grows."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from streams.gateway.settling import SETTLE_S, Look, Settling, counts

BOOK = Path("book.bson")


def test_a_file_counts_when_it_has_been_the_same_for_the_time_and_not_before():
    settling, look = Settling(), {BOOK: Look(1, 10, 5)}
    assert [settling.settled(look, now) for now in (0.0, SETTLE_S - 0.1, SETTLE_S)] == [[], [], [BOOK]]


@given(st.lists(st.tuples(st.floats(0.01, 3), st.integers(1, 3), st.integers(0, 3), st.integers(0, 3)), max_size=30))
def test_what_counts_was_the_same_at_every_look_of_the_time_before(looks):
    settling, history, now = Settling(), [], 0.0
    for wait, *look in looks:
        now += wait
        history.append((now, look))
        if settling.settled({BOOK: Look(*look)}, now):
            started = next(at for at, _ in reversed(history) if at <= now - SETTLE_S)
            assert all(seen == look for at, seen in history if at >= started)


def test_a_file_that_went_and_came_back_begins_anew():
    settling, look = Settling(), {BOOK: Look(1, 10, 5)}
    settling.settled(look, 0.0)
    settling.settled({}, 1.0)
    assert settling.settled(look, SETTLE_S) == []


def test_files_count_in_the_order_in_which_they_were_written():
    settling = Settling()
    looks = {Path("a"): Look(1, 1, 30), Path("c"): Look(2, 1, 20), Path("b"): Look(3, 1, 20)}
    settling.settled(looks, 0.0)
    assert settling.settled(looks, SETTLE_S) == [Path("b"), Path("c"), Path("a")]


def test_hidden_files_and_those_that_will_be_renamed_never_count():
    assert [name for name in ("book.bson", ".book.bson", "book.tmp", "book.bson.PART", "book.filepart", "tmp") if counts(name)] == [
        "book.bson",
        "tmp",
    ]
