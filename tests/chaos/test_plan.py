"""Faults and input are functions of the seed."""

import struct
from itertools import islice

import pytest

from tests.chaos import plan, recovery
from tests.chaos.books import Book, portfolios
from tests.chaos.faults import FAULTS
from tests.chaos.recovery import FLOWING_MS, FLOWING_STEPS, Kill, Opening, Recovery

DECKS = 2 * len(plan.DECK) + 1


@pytest.mark.parametrize("faults", [plan.mixed, plan.kills])
def test_a_seed_gives_the_same_faults_again_and_another_seed_others(faults):
    assert list(islice(faults(1), DECKS)) == list(islice(faults(1), DECKS)) != list(islice(faults(2), DECKS))


def test_two_decks_have_every_fault_there_is_and_begin_with_the_one_that_comes_once():
    names = [fault.name for fault in islice(plan.mixed(1), DECKS)]
    assert set(names) == set(FAULTS)
    assert (names[0], names.count("topic")) == ("topic", 1)
    assert names.index("join") < names.index("removal")


def test_a_seed_gives_the_same_files_and_portfolios_again():
    def sent(seed):
        book = Book(seed, "bluebird", 50)
        files = [book.file(20, refusable=True, straying=True) for _ in range(6)]
        return files, list(islice(portfolios(seed), 20))

    assert sent("1.") == sent("1.") != sent("2.")


def test_an_asset_says_the_same_wherever_it_stands_in_a_file():
    book = Book("1.", "bluebird", 50)
    for _ in range(50):
        documents = book.file(40, refusable=True, straying=True)
        said = {document.asset: document.data for document in documents}
        assert all(said[document.asset] == document.data for document in documents)


def test_recovery_is_from_the_kill_to_the_next_step_of_each_partition_that_the_worker_held_and_that_had_input():
    flowing, gone, idle, never = ("intake", 0), ("intake", 1), ("intake", 2), ("intake", 3)
    openings = [Opening(0, "w1", place) for place in (flowing, gone, idle, never)] + [Opening(5_000, "w2", gone)]
    at = 20_000
    before = [at - 10] * FLOWING_STEPS
    steps = {
        flowing: [*before, at + 1_500, at + 1_600],
        gone: [*before, at + 9_000],
        idle: [at - FLOWING_MS - 1, *before[1:], at + 8_000],
        never: before,
    }
    kill = Kill(at, "w1")
    assert recovery.recoveries([kill], openings, steps) == [Recovery(1.5, kill, flowing)]


def test_the_slowest_recoveries_come_first_and_say_what_stood_still():
    places = [("intake", 0), ("router", 3)]
    at = 1_795_458_611_000
    openings = [Opening(0, "w1", place) for place in places]
    steps = {place: [*[at - 10] * FLOWING_STEPS, at + 1_000 * (n + 1)] for n, place in enumerate(places)}
    assert [str(one) for one in recovery.recoveries([Kill(at, "w1")], openings, steps)] == [
        "2.0 s: router 3, after w1 was killed at 18:30:11",
        "1.0 s: intake 0, after w1 was killed at 18:30:11",
    ]


def test_a_percentile_is_a_value_that_was_measured():
    assert [recovery.percentile(range(1, 101), percent) for percent in (50, 99)] == [50, 99]
    assert recovery.percentile([7.0], 99) == 7.0
    assert recovery.percentile([], 50) is None


def test_the_brokers_record_of_a_group_says_its_generation():
    key = struct.pack(">hh7s", 2, 7, b"tranche")
    value = struct.pack(">hh8si", 3, 8, b"consumer", 41)
    assert recovery.is_group(key, "tranche")
    assert not recovery.is_group(key, "tranche2")
    assert not recovery.is_group(struct.pack(">hh7s", 1, 7, b"tranche"), "tranche")
    assert recovery.generation_of(value) == 41
