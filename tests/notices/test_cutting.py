from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from streams.notices.cutting import NOTICES_MAX, PAUSE_MAX_S, due, name_of, pause_s

sizes = st.lists(st.integers(1, 500), max_size=60)
limits = st.integers(1, 1000)


@given(sizes, limits, st.floats(0, 100), st.floats(1, 100))
def test_a_file_is_cut_when_it_is_full_or_its_oldest_notice_is_old_and_never_before(waiting, bytes_max, oldest_s, after_s):
    count = due(waiting, oldest_s, after_s, bytes_max)
    assert (count > 0) == (bool(waiting) and (sum(waiting) >= bytes_max or oldest_s >= after_s))
    assert count <= len(waiting)


@given(sizes, limits)
def test_files_take_every_notice_once_in_order_and_are_no_larger_than_they_may_be(waiting, bytes_max):
    left, files = list(waiting), []
    while left:
        count = due(left, 1.0, 1.0, bytes_max)
        files.append(left[:count])
        left = left[count:]
    assert [size for file in files for size in file] == waiting
    assert all(sum(file) <= bytes_max or len(file) == 1 for file in files)
    following = pairwise(files)
    assert all(sum(file) + after[0] > bytes_max for file, after in following), "a file takes all that it has room for"


def test_so_many_notices_are_a_file_however_small_they_are():
    assert due([1] * (NOTICES_MAX - 1), 0, 1, 10**9) == 0
    assert due([1] * NOTICES_MAX, 0, 1, 10**9) == NOTICES_MAX


@given(st.integers(1, 10**9))
def test_the_pause_grows_to_its_bound(attempts):
    assert 5 <= pause_s(attempts) <= pause_s(attempts + 1) <= PAUSE_MAX_S
    assert pause_s(20) == PAUSE_MAX_S


@given(st.integers(1, 10**12 - 2))
def test_the_order_of_the_names_is_that_of_the_files(number):
    assert name_of("o", number) < name_of("o", number + 1)
    assert "." not in name_of("o", number), "a webhook-id"
