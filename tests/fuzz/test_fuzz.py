"""A short form of the fuzzing; that it can fail; and all that it once found."""

import itertools
from collections import Counter

import pytest

from agents.intake import agent
from schemas.asset import OUTCOMES
from streams.gateway.chunks import Chunker
from streams.gateway.splitter import Splitter
from streams.layout import Buffer
from tests.fuzz import opinion, shrink
from tests.fuzz.elements import document, elements
from tests.fuzz.life import FILE_DOCUMENTS, Life, sending
from tests.fuzz.sendings import FoundError, Sending
from tests.fuzz.sources import documents
from tests.loans import encoded

FILES = 8
GOOD = tuple(encoded(f"LC{n}") for n in range(40))
BROKEN = tuple(encoded(f"LC{n}", days_past_due=-1) for n in range(3))


def test_mutated_documents_come_out_once_and_are_read_as_they_are_alone():
    life, counts = Life(), Counter()
    for number in range(FILES):
        counts.update(life.take(sending(2, number)))
    assert sum(counts[outcome] for outcome in OUTCOMES) > FILES * FILE_DOCUMENTS / 2
    assert all(counts[outcome] for outcome in ("created", "terms_changed", "repayment_reported", "unchanged", "stale", "rejected"))
    assert counts["investments"]


@pytest.mark.parametrize("direct", [False, True])
def test_what_was_found_once_is_not_found_again(direct):
    for path in sorted(shrink.FOUND.glob("*.bson")):
        life, originator = Life(), path.name.partition("-")[0]
        for seed in range(3):
            life.take(Sending(originator, (path.read_bytes(),), direct, seed))


def without_last(method):
    return lambda *args: method(*args)[:-1]


def one_more(decimals):
    return lambda *args: decimals(*args) + 1


def no_documents_of(feed):
    def wrong(self, piece):
        cut = feed(self, piece)
        del cut.docs[:1], cut.positions[:1]
        return cut

    return wrong


@pytest.mark.parametrize(
    ("place", "name", "wrong"),
    [
        (Chunker, "rest", without_last),  # a chunk is not handed over
        (Splitter, "feed", no_documents_of),  # a document is cut and lost
        (agent, "_quarantine", without_last),  # a refused document is lost
        (agent, "_versions", lambda versions: lambda *args: versions(*args) * 2),  # what changed comes out twice
        (Buffer, "decimals", one_more),  # the lock-step reads another amount than the plain reader
        (opinion, "_value", lambda value: lambda *args: value(*args) or "x"),  # both read another value than pymongo
    ],
)
def test_each_check_can_fail(monkeypatch, place, name, wrong):
    one = Sending("bluebird", GOOD + BROKEN, direct=False, seed=1)
    Life().take(one)
    monkeypatch.setattr(place, name, wrong(getattr(place, name)))
    with pytest.raises(FoundError):
        Life().take(one)


def test_what_fails_is_shrunk_to_what_it_needs(monkeypatch):
    monkeypatch.setattr(Buffer, "decimals", one_more(Buffer.decimals))
    files = [Sending("bluebird", GOOD, direct=False, seed=n) for n in range(2)]
    (least,) = shrink.shrunk(files, tries=30)
    assert shrink.fault_of([least]).startswith("FoundError")
    assert len(least.frames) < len(GOOD)


def test_a_seed_always_makes_the_same_file():
    assert sending(3, 1) == sending(3, 1)
    assert sending(3, 1) != sending(3, 2)


def test_a_document_that_is_taken_apart_and_put_together_is_the_same():
    every = itertools.chain.from_iterable(itertools.islice(docs, 50) for docs in documents().values())
    assert all(document(elements(doc)) == doc for doc in every)
