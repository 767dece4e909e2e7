"""How even a market was: who got what of what they asked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.matcher.evenness import Asked, evenness

OFFERS = st.lists(
    st.builds(
        lambda investor, criteria, demanded, part: Asked(investor, criteria, demanded, demanded * part // 100),
        st.sampled_from("abcde"),
        st.sampled_from([b"safe", b"bold"]),
        st.integers(1, 10**12),
        st.integers(0, 100),
    ),
    min_size=1,
    max_size=20,
).filter(lambda offers: any(offer.served for offer in offers))


def plainly(pairs):
    """Gini's coefficient of fills, each weighing as much as was demanded: half the mean difference of all pairs, by the mean fill."""
    demanded, served = (sum(column) for column in zip(*pairs, strict=True))
    differences = sum(d * e * abs(s / d - t / e) for d, s in pairs for e, t in pairs)
    return differences / (2 * demanded * demanded) / (served / demanded)


@given(OFFERS)
def test_gini_is_half_the_mean_difference_of_all_pairs(offers):
    found = evenness(offers)
    assert found.gini == pytest.approx(plainly([(line.demanded_cents, line.served_cents) for line in found.lines]), abs=1e-9)


@given(OFFERS)
def test_every_cent_is_on_one_line_and_the_shares_are_all(offers):
    lines = evenness(offers).lines
    assert sum(line.demanded_cents for line in lines) == sum(offer.demanded for offer in offers)
    assert sum(line.served_cents for line in lines) == sum(offer.served for offer in offers)
    assert sum(line.offers for line in lines) == len(offers)
    assert sum(line.demanded_share for line in lines) == pytest.approx(1)
    assert sum(line.served_share for line in lines) == pytest.approx(1)


def test_all_filled_alike_is_even_whatever_they_asked():
    assert evenness([Asked("ann", b"", 100, 50), Asked("ben", b"", 10_000, 5_000)]).gini == pytest.approx(0)


def test_one_who_has_all_of_what_many_asked_is_as_uneven_as_can_be():
    found = evenness([Asked(str(n), b"", 100, 100 * (n == 7)) for n in range(10)])
    assert found.gini == pytest.approx(0.9)
    assert [line.investor for line in found.lines][-1] == "7"


def test_who_asks_for_what_is_not_there_is_no_unfairness_among_equals():
    found = evenness([Asked("ann", b"there", 100, 50), Asked("ben", b"there", 100, 50), Asked("eve", b"not there", 200, 0)])
    assert (found.gini, found.among_equals) == (pytest.approx(0.5), pytest.approx(0))
    unequal = evenness([Asked("ann", b"there", 100, 75), Asked("ben", b"there", 100, 25), Asked("eve", b"not there", 200, 0)])
    assert unequal.among_equals == pytest.approx(0.25)


def test_where_nothing_was_served_there_is_nothing_to_compare():
    with pytest.raises(ValueError, match="nothing was invested"):
        evenness([Asked("ann", b"", 100, 0)])
