"""The breaker beside a plain description of it: never asked while open, one at a time when tried out."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from streams.breaker import FAILURES_MAX, OPEN_S, Breaker

LONGEST_S = 10.0


def opened(at_s=100.0):
    breaker = Breaker()
    for _ in range(FAILURES_MAX):
        assert breaker.lets(at_s, LONGEST_S)
        breaker.failed(at_s)
    return breaker


def test_a_few_failures_with_a_good_answer_between_them_do_not_open_it():
    breaker = Breaker()
    for _ in range(10):
        for _ in range(FAILURES_MAX - 1):
            breaker.failed(1.0)
        breaker.answered()
    assert breaker.lets(1.0, LONGEST_S)


def test_failures_in_a_row_open_it_for_a_while_and_then_one_question_tries_it_out():
    breaker = opened(100.0)
    assert not breaker.lets(100.0 + OPEN_S - 0.001, LONGEST_S)
    assert breaker.lets(100.0 + OPEN_S, LONGEST_S)
    assert not breaker.lets(100.0 + OPEN_S, LONGEST_S), "one at a time"


def test_a_trial_that_fails_opens_it_anew_and_one_that_is_answered_closes_it():
    breaker = opened(100.0)
    assert breaker.lets(106.0, LONGEST_S)
    breaker.failed(107.0)
    assert not breaker.lets(107.0 + OPEN_S - 0.001, LONGEST_S)
    assert breaker.lets(107.0 + OPEN_S, LONGEST_S)
    breaker.answered()
    assert all(breaker.lets(113.0, LONGEST_S) for _ in range(5))


def test_a_trial_of_which_nobody_tells_is_followed_by_another():
    breaker = opened(100.0)
    assert breaker.lets(106.0, LONGEST_S)
    assert not breaker.lets(106.0 + LONGEST_S - 0.001, LONGEST_S)
    assert breaker.lets(106.0 + LONGEST_S, LONGEST_S)


def test_late_failures_of_questions_from_before_do_not_keep_it_open_for_longer():
    breaker = opened(100.0)
    breaker.failed(104.0)
    assert breaker.lets(100.0 + OPEN_S, LONGEST_S)


@given(st.lists(st.tuples(st.floats(0, 3), st.booleans()), max_size=200))
def test_a_service_that_never_answers_is_asked_at_most_once_in_each_while_once_it_is_open(moments):
    breaker, now_s, asked = Breaker(), 0.0, []
    for more_s, tells in moments:
        now_s += more_s
        if breaker.lets(now_s, LONGEST_S):
            asked.append(now_s)
            if tells or len(asked) <= FAILURES_MAX:
                breaker.failed(now_s)
    later = asked[FAILURES_MAX - 1 :]
    assert all(after - before >= min(OPEN_S, LONGEST_S) - 1e-9 for before, after in pairwise(later))
