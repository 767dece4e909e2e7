"""The lock-step decoder and the plain reader say the same of every document: the same values, or the same reason."""

import datetime
import random

import bson
import pytest
from bson.decimal128 import Decimal128
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.asset import DEPTH_MAX, DOCUMENT_BYTES_MAX, LOAN
from streams import document
from streams.decode import decode

DAY = datetime.datetime(2018, 3, 1, tzinfo=datetime.UTC)


def loan(asset="LC1", **changed):
    whole = {
        "originator_id": "bluebird", "asset_id": asset, "product": "consumer-loan-usd", "status": "current", "currency": "USD",
        "country": "US",
        "sale": "partial", "issued": DAY, "term_months": 36, "rate": Decimal128("0.1407"), "principal": Decimal128("28000.00"),
        "outstanding": Decimal128("27015.86"), "days_past_due": 0,
        "paid": {"principal": Decimal128("984.14"), "interest": Decimal128("1015.19"), "fees": Decimal128("0")},
        "borrower": {"region": "NJ", "income": Decimal128("90000"), "employment_years": 3, "debt_ratio": Decimal128("0.1801")},
    }  # fmt: skip
    return {k: v for k, v in {**whole, **changed}.items() if v is not ...}


def plainly(docs):
    accepted, faults = {}, {}
    for i, doc in enumerate(docs):
        try:
            accepted[i] = document.read(doc, LOAN)
        except document.FieldError as fault:
            faults[i] = (i, fault.field, fault.reason)
    return accepted, faults


def same(docs):
    decoded = decode(docs, LOAN)
    accepted, faults = plainly(docs)
    assert dict(zip(decoded.rows.tolist(), decoded.columns.to_pylist(), strict=True)) == accepted
    assert {fault.row: tuple(fault) for fault in decoded.faults} == faults
    return decoded


GOOD = [bson.encode(loan(f"LC{i}", rate=Decimal128(f"0.{i:04}"))) for i in range(12)]
TOO_LONG = Decimal128.from_bid((6176 << 113 | 2**113 - 1).to_bytes(16, "little"))  # a coefficient of 35 digits
NAN, MANY = Decimal128("NaN"), Decimal128("1.001")
BAD = [
    ("asset_id", loan(asset_id=...), "is missing"),
    ("asset_id", loan(asset_id=None), "is null"),
    ("asset_id", loan("a/b"), "letters"),
    ("asset_id", loan(""), "between 1 and 64"),
    ("principal", loan(principal=28000.0), "must be a Decimal128, is double"),
    ("principal", loan(principal="28000"), "must be a Decimal128, is string"),
    ("principal", loan(principal=NAN), "not a number"),
    ("principal", loan(principal=Decimal128("Infinity")), "is Infinity"),
    ("principal", loan(principal=TOO_LONG), "is no Decimal128: more than 34 digits"),
    ("principal", loan(principal=MANY), "more than 2 decimals"),
    ("principal", loan(principal=Decimal128("0E+3")), "is 0.00"),
    ("outstanding", loan(outstanding=Decimal128("-0.01")), "is -0.01"),
    ("outstanding", loan(outstanding=Decimal128("1E+6000")), "out of range"),
    ("outstanding", loan(outstanding=Decimal128("1E-6000")), "more than 2 decimals"),
    ("term_months", loan(term_months=True), "is bool"),
    ("term_months", loan(term_months=36.5), "is double"),
    ("term_months", loan(term_months=2**40), "must be between 1 and 600"),
    ("issued", loan(issued=DAY + datetime.timedelta(hours=1)), "midnight"),
    ("updated_at", loan(updated_at="2026-11-23"), "must be a date, is string"),
    ("updated_at", loan(updated_at=DAY.replace(year=1969)), "is 1969-03-01, must be between 1970-01-01 and 2149-06-07"),
    ("status", loan(status="fine"), "must be one of"),
    ("currency", loan(currency="DOLLAR"), "between 1 and 3"),
    ("product", loan(product="a\0b"), "control character"),
    ("paid", loan(paid=3), "must be a document"),
    ("paid.fees", loan(paid={"principal": NAN, "interest": NAN}), None),
    ("rate", loan(rate=Decimal128("-0.05")), "is -0.050000"),
]


@pytest.mark.parametrize(("field", "content", "reason"), BAD)
def test_a_bad_field_refuses_its_document_alone_with_field_and_reason(field, content, reason):
    decoded = same([*GOOD[:6], bson.encode(content), *GOOD[6:]])
    (fault,) = decoded.faults
    assert fault.row == 6
    assert reason is None or (fault.field == field and reason in fault.reason)


def test_documents_of_many_layouts_keep_their_order():
    layouts = [
        loan(purpose="car"),
        loan(grade="A1", purpose="car"),
        loan(borrower=...),
        loan(borrower=None),
        loan(extra={"a": [1, 2, {"b": None}]}),
    ]
    docs = [bson.encode({**layouts[i % 5], "asset_id": f"LC{i}", "n": i % 3 or "x"}) for i in range(100)]
    assert same(docs).rows.tolist() == list(range(100))


def test_int32_and_int64_values_of_one_field_are_read_from_where_they_stand():
    docs = [bson.encode(loan(f"LC{i}", days_past_due=bson.Int64(i) if i % 2 else i)) for i in range(40)]
    assert same(docs).columns["days_past_due"].to_pylist() == list(range(40))


def test_a_moment_is_read_to_the_millisecond_and_may_be_absent_or_null():
    moments = [DAY + datetime.timedelta(milliseconds=1234 * i) for i in range(20)]
    docs = [bson.encode(loan(f"LC{i}", updated_at=at)) for i, at in enumerate([*moments, None, ...])]
    ms = round(DAY.timestamp() * 1000)
    assert same(docs).columns["updated_at"].to_pylist() == [*(ms + 1234 * i for i in range(20)), None, None]


def test_texts_that_are_not_ascii_are_read():
    docs = [bson.encode(loan(f"LC{i}", purpose="coche de segunda mano, Málaga")) for i in range(20)]
    assert len(same(docs).rows) == 20


def test_a_field_that_appears_twice_refuses_its_document_and_shifts_no_other():
    twice = bson.encode(loan())[4:-1] + bson.encode({"outstanding": Decimal128("1.00")})[4:-1]
    doc = (len(twice) + 5).to_bytes(4, "little") + twice + b"\0"
    (fault,) = same([*GOOD[:5], doc, bson.encode(loan(purpose=None)), *GOOD[5:]]).faults
    assert (fault.field, fault.reason) == ("outstanding", "appears twice")


def test_documents_too_deep_or_too_large_are_refused():
    deep, kept = {}, {}
    for _ in range(DEPTH_MAX + 1):
        deep = {"d": deep}
    for _ in range(DEPTH_MAX - 1):
        kept = {"d": kept}
    docs = [*GOOD, bson.encode(loan(extra=deep)), bson.encode(loan(extra=kept)), bson.encode(loan(extra="x" * DOCUMENT_BYTES_MAX))]
    deep_fault, large_fault = same(docs).faults
    assert deep_fault.row == 12
    assert "deeper" in deep_fault.reason
    assert large_fault.row == 14
    assert "bytes" in large_fault.reason


values = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(), st.text(max_size=8), st.binary(max_size=8), st.just(DAY),
    st.decimals(allow_nan=True, places=3, min_value=-(10**6), max_value=10**6).map(Decimal128),
    st.tuples(st.integers(0, 10**33), st.integers(-6176, 6111)).map(lambda p: Decimal128(f"{p[0]}E{p[1]}")),
    st.dictionaries(st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=4), st.integers(0, 9), max_size=3),
    st.lists(st.integers(0, 9), max_size=3),
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([f.name.split(".")[0] for f in LOAN]), values), min_size=1, max_size=20))
def test_any_value_in_any_field_gets_the_same_answer_from_both(changes):
    docs = [bson.encode({**loan(f"LC{i}"), name: value}) for i, (name, value) in enumerate(changes)]
    same(docs + GOOD)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 4))
@example(seed=0, flips=1)
def test_damaged_bytes_get_the_same_answer_from_both(seed, flips):
    rng = random.Random(seed)
    docs = []
    for doc in GOOD * 2:
        damaged = bytearray(doc)
        for _ in range(flips):
            damaged[rng.randrange(4, len(doc) - 1)] = rng.choice([0, 1, 2, 3, 4, 0x0A, 0x10, 0x12, 0x13, 0x7F, 0xFF, rng.randrange(256)])
        docs.append(bytes(damaged))
    same(docs + GOOD)
