"""Parts by largest remainder: nobody gains or loses a cent for good, whatever the amounts."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.ledger.distribution import MICRO, distribute

WEIGHTS = st.lists(st.integers(0, 10**7), min_size=1, max_size=12).filter(any)


def shared(amount: int, weights: list[int], carried: list[int] | None = None) -> tuple[list[int], list[int]]:
    parts, after = distribute(
        np.array([amount]), np.array([0, len(weights)]), np.array(weights), None if carried is None else np.array(carried)
    )
    return parts.tolist(), after.tolist()


@pytest.mark.parametrize(
    ("amount", "weights", "parts"),
    [
        (100, [1, 1, 1], [34, 33, 33]),
        (100, [3, 3, 1], [43, 43, 14]),
        (5, [600, 300, 100], [3, 2, 0]),  # 3.0, 1.5 and 0.5: of equal remainders the first
        (0, [5, 6], [0, 0]),
        (7, [0, 9], [0, 7]),
        (2**61, [2**40, 2**40 + 1], [1152921504606322688, 1152921504607371264]),
    ],
)
def test_the_cents_left_go_to_the_largest_remainders(amount, weights, parts):
    assert shared(amount, weights)[0] == parts


@given(st.integers(0, 10**9), WEIGHTS)
def test_the_parts_add_up_and_each_is_within_a_cent_of_what_is_due(amount, weights):
    parts, carried = shared(amount, weights)
    assert sum(parts) == amount
    assert sum(carried) == 0
    for part, weight, left in zip(parts, weights, carried, strict=True):
        due = Fraction(amount * weight, sum(weights))
        assert abs(due - part) < 1
        assert abs((due - part) * MICRO - left) < 1


@given(WEIGHTS, st.data())
def test_principal_never_takes_more_than_a_claim_and_the_last_payment_clears_exactly(weights, data):
    while sum(weights):
        amount = data.draw(st.integers(1, sum(weights)))
        parts, _ = shared(amount, weights)
        assert all(0 <= part <= weight for part, weight in zip(parts, weights, strict=True))
        weights = [weight - part for weight, part in zip(weights, parts, strict=True)]
        if amount < 10**6:
            weights = [weight // 1_000 for weight in weights]  # to come to an end


@given(WEIGHTS, st.lists(st.integers(0, 500), min_size=1, max_size=40))
def test_over_many_payments_nobody_is_further_from_what_is_due_than_what_is_carried(weights, payments):
    carried, got = [0] * len(weights), [0] * len(weights)
    for amount in payments:
        parts, carried = shared(amount, weights, carried)
        assert sum(parts) == amount
        assert min(parts) >= 0
        assert sum(carried) == 0
        got = [one + part for one, part in zip(got, parts, strict=True)]
    for part, weight, left in zip(got, weights, carried, strict=True):
        exact = Fraction(sum(payments) * weight, sum(weights))
        assert abs((exact - part) * MICRO - left) <= len(payments)
        assert abs(exact - part) < 2


def test_a_cent_a_month_among_three_comes_to_each_in_turn():
    carried, winners = [0, 0, 0], []
    for _ in range(6):
        parts, carried = shared(1, [1, 1, 1], carried)
        winners.append(parts.index(1))
    assert winners == [0, 1, 2, 0, 1, 2]


@given(st.lists(st.tuples(st.integers(0, 10**6), WEIGHTS), min_size=1, max_size=5))
def test_many_groups_at_once_are_each_by_itself(groups):
    starts = np.cumsum([0, *(len(weights) for _, weights in groups)])
    parts, carried = distribute(np.array([a for a, _ in groups]), starts, np.concatenate([w for _, w in groups]))
    alone = [shared(*group) for group in groups]
    assert parts.tolist() == [part for one, _ in alone for part in one]
    assert carried.tolist() == [part for _, one in alone for part in one]


@given(st.integers(1, 2**61), st.lists(st.integers(1, 2**56), min_size=1, max_size=5))
def test_amounts_that_do_not_fit_are_computed_exactly_too(amount, weights):
    parts, carried = shared(amount, weights)
    assert sum(parts) == amount
    assert sum(carried) == 0
    assert all(abs(Fraction(amount * w, sum(weights)) - p) < 1 for p, w in zip(parts, weights, strict=True))


def test_weights_beyond_64_bits_are_refused():
    with pytest.raises(OverflowError):
        shared(1, [2**62, 2**62])
