"""The rate of return beside pyxirr, and what has none."""

from datetime import date, timedelta

import numpy as np
import pyxirr
from hypothesis import given
from hypothesis import strategies as st

from agents.ledger.returns import xirr_ppm

DAY = date(2020, 2, 29)
CENTS = st.integers(1, 10**9)


def found(*flows: tuple[int, int]) -> int | None:
    days, cents = zip(*flows, strict=True) if flows else ((), ())
    return xirr_ppm(np.array(days, np.int64), np.array(cents, np.int64))


@given(
    paid=st.lists(st.tuples(st.integers(0, 100), CENTS), min_size=1, max_size=5),
    came=st.lists(st.tuples(st.integers(130, 12_000), CENTS), min_size=1, max_size=20),
)
def test_the_return_is_that_of_pyxirr(paid, came):
    flows = [*((day, -cents) for day, cents in paid), *came]
    ppm = found(*flows)
    expected = pyxirr.xirr([DAY + timedelta(days=day) for day, _ in flows], [cents for _, cents in flows])
    if expected is None or not -0.9999 < expected < 900_000:
        return
    assert ppm is not None
    assert abs(ppm - 1e6 * expected) <= 0.501 + 1e-9 * abs(expected) * 1e6


@given(st.permutations([(0, -100_000), (31, 400), (61, 380), (92, 50_000), (365, 52_000)]))
def test_the_order_of_the_amounts_does_not_matter(flows):
    assert found(*flows) == found(*sorted(flows))


def test_a_year_says_it_all():
    assert found((0, -100_000), (365, 107_500)) == 75_000
    assert found((0, -100_000), (365, 100_000)) == 0
    assert found((0, -100_000), (365, 25_000)) == -750_000
    assert found((0, -100_000), (36_500, 1)) == -108_749  # 1e-5 ** (1 / 100) - 1, over a century
    assert found((0, -1), (1, 10**15)) is None  # beyond a million times


def test_what_has_no_rate_has_none():
    assert found() is None
    assert found((5, 0)) is None
    assert found((5, -100), (5, 200)) is None
    assert found((5, -100), (9, 0)) is None
    assert found((5, -100), (9, -1)) is None
