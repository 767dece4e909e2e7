"""Both indexes find what `schemas.criteria.takes` says, whatever came and went before."""

import random

import pytest
from histories import sell
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.matcher import index
from agents.matcher.index import Wants
from agents.matcher.shelf import Shelf
from schemas.criteria import Criteria, Predicate, takes

TEXTS, NUMBERS = ["p", "q", "r", "s"], [-40, -1, 0, 1, 2, 31, 32, 33, 1_000, 1_023, 2**61]
_texts = st.lists(st.sampled_from(TEXTS), max_size=3, unique=True).map(sorted).map(tuple)
_predicates = st.one_of(
    st.builds(Predicate, st.sampled_from(["kind", "x"]), _texts, st.booleans()),
    st.builds(
        lambda name, low, high: Predicate(name, low=low, high=high),
        st.sampled_from(["size", "x"]),
        st.none() | st.sampled_from(NUMBERS),
        st.none() | st.sampled_from(NUMBERS),
    ),
)
_conjunctions = st.lists(_predicates, max_size=3, unique_by=lambda one: one.attribute).map(tuple)
_wants = st.tuples(
    st.lists(_conjunctions, min_size=1, max_size=3).map(tuple).map(Criteria), st.sampled_from([(), ("loan",), ("loan", "note"), ("note",)])
)
_attributes = st.dictionaries(st.sampled_from(["kind", "size", "x"]), st.sampled_from([*TEXTS, "z", *NUMBERS, 7]))
_assets = st.tuples(_attributes, st.sampled_from([(), (), ("loan",), ("loan", "note"), ("unheard of",)]))


def fits(want, asset):
    return takes(want[0], asset[0]) and set(asset[1]) <= set(want[1])


@settings(max_examples=60)
@given(
    st.lists(_wants, unique=True, max_size=12), st.lists(_assets, max_size=6), st.sets(st.integers(0, 11)), st.sampled_from([3, 5, 1_024])
)
def test_an_asset_finds_the_wants_that_take_it(wanted, assets, gone, rows):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index, "ROWS_MAX", rows)  # with few bit sets most bounds and texts are beyond them
        wants = Wants()
        numbers = {wants.add(want): want for want in wanted}
        for number in gone & numbers.keys():
            wants.remove(number)
            del numbers[number]
        for want in wanted[:2]:
            if want not in numbers.values():
                numbers[wants.add(want)] = want
        for asset in assets:
            found = wants.taking(*asset).tolist()
            assert len(set(found)) == len(found)
            assert set(found) == {number for number, want in numbers.items() if fits(want, asset)}


@settings(max_examples=60)
@given(st.lists(_assets, max_size=12), st.lists(_wants, max_size=4), st.sets(st.integers(0, 11)))
def test_a_want_finds_the_assets_that_it_takes(assets, wanted, gone):
    shelf, there = Shelf(), {}
    for n, (attributes, agreements) in enumerate(assets):
        offer = sell(f"a{n}", amount=100, more=attributes, agreements=agreements)
        shelf.put(f"a{n}", offer, 100, n)
        there[f"a{n}"] = (attributes, agreements)
    for key in [f"a{n}" for n in gone if f"a{n}" in there]:
        shelf.take_off(key)
        del there[key]
    assert len(shelf) == len(there)
    for want in wanted:
        assert list(shelf.taken(*want, lambda: 100)) == [key for key, asset in there.items() if fits(want, asset)]


def test_many_assets_come_in_order_and_only_while_they_can_be_afforded():
    chance, shelf, ranks = random.Random(1), Shelf(), {}
    for n in range(3_000):
        left, since = chance.choice([100, 100, 100, 60, 20]), chance.randrange(1_000_000)
        shelf.put(f"a{n}", sell(f"a{n}", amount=100, low=5), left, since)
        ranks[f"a{n}"] = (left, since)
    everything = Criteria()
    assert list(shelf.taken(everything, (), lambda: 100)) == sorted(ranks, key=ranks.__getitem__)
    money = [1_000]

    def affordable():
        return money[0]

    found = []
    for key in shelf.taken(everything, (), affordable):
        found.append(key)
        money[0] -= 10
    assert len(found) == 100, "what is left then affords no bid"


def test_more_wants_than_there_was_room_for_are_all_found():
    wants = Wants()
    for n in range(2_000):
        assert wants.add((Criteria(((Predicate("size", low=n, high=n + 9), Predicate("kind", (TEXTS[n % 4],))),)), ())) == n
    assert wants.taking({"size": 1_500, "kind": "p"}, ()).tolist() == [1_492, 1_496, 1_500]
    assert wants.taking({"size": 1_500, "kind": "z"}, ()).tolist() == wants.taking({"size": 1_500}, ()).tolist() == []
