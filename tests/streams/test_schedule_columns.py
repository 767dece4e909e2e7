"""Schedules in documents: the lock-step reader and the plain one say the same, and what is wrong is told with its line."""

import random
from datetime import timedelta

import bson
import pytest
from bson.decimal128 import Decimal128
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.asset import LINES_MAX, LOAN
from streams import decode as decoding
from streams import document
from streams.decode import decode
from tests.loans import DAY, encoded


def line(nth, **more):
    """The 1st, 2nd … line, its fields in one order whatever is changed."""
    whole = {"due": DAY + timedelta(30 * nth), "principal": Decimal128("10.00"), "interest": Decimal128("1.5")}
    return {name: value for name, value in {**whole, **more}.items() if value is not ...}


def lines(count, **more):
    return [line(nth, **more) for nth in range(1, count + 1)]


def same(docs):
    decoded = decode(docs, LOAN)
    accepted, faults = {}, {}
    for i, doc in enumerate(docs):
        try:
            accepted[i] = document.read(doc, LOAN)
        except document.FieldError as fault:
            faults[i] = (i, fault.field, fault.reason)
    assert dict(zip(decoded.rows.tolist(), decoded.columns.to_pylist(), strict=True)) == accepted
    assert {fault.row: tuple(fault) for fault in decoded.faults} == faults
    return decoded


GOOD = [encoded(f"LC{n}", schedule=lines(1 + n * 3)) for n in range(12)]
TWICE = bson.encode(line(2))[4:-1] + bson.encode({"due": DAY})[4:-1]
BAD = [
    ([], "schedule", "has no lines"),
    ("36", "schedule", "must be an array, is string"),
    ({"0": line(1)}, "schedule", "must be an array, is document"),
    ([line(1), 5], "schedule.1", "must be a document, is int32"),
    ([line(1), None], "schedule.1.due", "is missing"),
    ([line(1), line(2, interest=...)], "schedule.1.interest", "is missing"),
    ([line(1), line(2, principal=None)], "schedule.1.principal", "is null"),
    ([line(1), line(2, principal=10)], "schedule.1.principal", "must be a Decimal128, is int32"),
    ([line(1), line(2, principal=Decimal128("-0.01"))], "schedule.1.principal",
     "is -0.01, must be between 0.00 and 1000000000000.00"),
    ([line(1), line(2, interest=Decimal128("1000000000000.01"))], "schedule.1.interest",
     "is 1000000000000.01, must be between 0.00 and 1000000000000.00"),
    ([line(1), line(2, interest=Decimal128("NaN"))], "schedule.1.interest", "is NaN, not a number"),
    ([line(1), line(2, interest=Decimal128("0.001"))], "schedule.1.interest", "has more than 2 decimals"),
    ([line(1), line(2, due="2026-02-30")], "schedule.1.due", "must be a date, is string"),
    ([line(1), line(2, due=DAY + timedelta(40, 1))], "schedule.1.due", "must be a day: midnight UTC, without a time"),
    ([line(1), line(2, due=DAY.replace(year=2200))], "schedule.1.due", "is 2200-03-01, must be between 1880-04-14 and 2149-06-07"),
    ([line(1), line(1)], "schedule.1.due", "must be after that of the line before"),
    ([line(2), line(1)], "schedule.1.due", "must be after that of the line before"),
]  # fmt: skip


@pytest.mark.parametrize(("schedule", "field", "reason"), BAD)
def test_a_bad_schedule_refuses_its_document_alone_with_its_line_and_reason(schedule, field, reason):
    decoded = same([*GOOD[:6], encoded("BAD", schedule=schedule), *GOOD[6:]])
    assert [tuple(fault) for fault in decoded.faults] == [(6, field, reason)]
    assert [tuple(fault) for fault in decode([encoded("BAD", schedule=schedule)], LOAN).faults] == [(0, field, reason)]


def raw(schedule):
    """A document with these bytes as its array."""
    doc = encoded("BAD")[4:-1] + b"\x04schedule\0" + (len(schedule) + 5).to_bytes(4, "little") + schedule + b"\0"
    return (len(doc) + 5).to_bytes(4, "little") + doc + b"\0"


@pytest.mark.parametrize(
    ("schedule", "field", "reason"),
    [
        (b"\x031\0" + bson.encode(line(1)), "schedule", "is no array: schedule.1 stands where schedule.0 must"),
        (b"\x030\0" + bson.encode(line(1)) + b"\x030\0" + bson.encode(line(2)), "schedule.0", "appears twice"),
        (b"\x030\0" + (len(TWICE) + 5).to_bytes(4, "little") + TWICE + b"\0", "schedule.0.due", "appears twice"),
        (b"\x030\0" + bson.encode(line(1))[:-1] + b"x", "schedule.0", "does not end with a zero byte"),
    ],
)
def test_an_array_that_is_none_is_refused(schedule, field, reason):
    assert [tuple(fault) for fault in same([raw(schedule), *GOOD]).faults] == [(0, field, reason)]


def test_a_schedule_has_a_bounded_number_of_lines():
    days = [{**line(1), "due": DAY + timedelta(number)} for number in range(1, LINES_MAX + 2)]
    decoded = same([*GOOD, encoded("MOST", schedule=days[:LINES_MAX]), encoded("MORE", schedule=days)])
    assert [tuple(fault) for fault in decoded.faults] == [(13, "schedule", f"has more than {LINES_MAX} lines")]


@pytest.mark.parametrize(
    "more",
    [{}, {"balance": Decimal128("7")}, {"number": 5, "paid": True}],
    ids=["fields of the contract", "a field of its own", "several"],
)
def test_documents_with_schedules_are_read_in_lock_step_whatever_else_their_lines_have(more, monkeypatch):
    monkeypatch.setattr(decoding.document, "read", None)
    docs = [encoded(f"LC{n}", schedule=lines(1 + n * 5, **more), notes={"a": {"b": [1]}}) for n in range(30)]
    decoded = decode(docs, LOAN)
    assert len(decoded.rows) == 30
    assert [len(value) for value in decoded.columns["schedule"].to_pylist()] == [1 + n * 5 for n in range(30)]


def test_lines_of_other_layouts_and_documents_without_a_schedule_keep_their_places():
    order = lambda one: dict(reversed(one.items()))  # noqa: E731
    kinds = [
        lambda n: {"schedule": lines(n % 7 + 1)},
        lambda n: {"schedule": [order(one) for one in lines(n % 7 + 1)]},
        lambda n: {"schedule": lines(n % 7 + 1, note="é" * n)},
        lambda _: {"schedule": None},
        lambda _: {},
    ]
    decoded = same([encoded(f"LC{n}", **kinds[n % 5](n)) for n in range(100)])
    assert decoded.rows.tolist() == list(range(100))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 3))
def test_damaged_schedules_get_the_same_answer_from_both(seed, flips):
    rng = random.Random(seed)
    docs = []
    for doc in GOOD[1:]:
        damaged, begin = bytearray(doc), doc.index(b"\x04schedule")
        for _ in range(flips):
            damaged[rng.randrange(begin, len(doc) - 1)] = rng.choice([0, 1, 2, 3, 4, 9, 0x0A, 0x13, 0x30, 0x31, 0xFF, rng.randrange(256)])
        docs.append(bytes(damaged))
    same(docs + GOOD)
