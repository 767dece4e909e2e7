"""`schemas/asset.md` says what the code does: its tables are compared with it, its programs are run; and the example files are theirs."""

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import takewhile
from pathlib import Path

import bson
import msgspec
import pytest
from bson import json_util
from bson.decimal128 import Decimal128

import schemas
from agents.intake import delivery
from agents.intake.diff import Document, difference
from schemas.agreements import Needed
from schemas.asset import DEPTH_MAX, DOCUMENT_BYTES_MAX, FRAME_BYTES_MAX, FRAME_BYTES_MIN, LINES_MAX, LOAN, Change, Kind
from streams import document, topics
from streams.decode import decode
from streams.frames import split
from streams.gateway.coding import WINDOW_BITS
from streams.gateway.delivery import TOO_LARGE
from streams.gateway.limits import Limits
from streams.gateway.splitter import HEAD_BYTES
from streams.partition import asset_key, partition_of
from streams.settings import load
from tests.broker.tools import committed

FOLDER = Path(schemas.__file__).parent
PAGE = (FOLDER / "asset.md").read_text()
EXAMPLES = FOLDER / "examples"
SCHEDULE, BOOK, PRODUCER = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
CATALOG = load({}).load_catalog()
TYPES = {
    Kind.TEXT: "string", Kind.WHOLE: "int32 or int64", Kind.DAY: "date", Kind.MOMENT: "date", Kind.SCHEDULE: "array of documents",
}  # fmt: skip
SELDOM = {"first_due", "maturity", "schedule_convention", "schedule"}  # a loan of whole months does not say them


def table(first: str) -> list[list[str]]:
    """The cells of the page's table whose first column is called `first`, row by row."""
    lines = iter(PAGE.splitlines())
    next(line for line in lines if line.startswith(f"| {first} |"))
    rows = takewhile(lambda line: line.startswith("|"), lines)
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in rows][1:]


def kind_of(field) -> str:
    return TYPES.get(field.kind) or f"Decimal128, {document.DECIMALS[field.kind]} decimals"


def allowed(field) -> str:
    if field.choices:
        return ", ".join(f"`{choice}`" for choice in field.choices)
    if field.kind is Kind.SCHEDULE:
        return f"1 to {LINES_MAX} lines"
    if field.kind is Kind.TEXT:
        return f"1 to {field.length} bytes{', ids' if field.name.endswith('_id') else ''}"
    if field.kind is Kind.DAY:
        return " to ".join(str(date(1970, 1, 1) + timedelta(days)) for days in (field.low, field.high))
    if field.kind is Kind.MOMENT:
        return " to ".join(str(date(1970, 1, 1) + timedelta(milliseconds=bound)) for bound in (field.low, field.high))
    scale = Decimal(10) ** -document.DECIMALS.get(field.kind, 0)
    return " to ".join(f"{(bound * scale).normalize():f}" for bound in (field.low, field.high))


def book() -> list[bytes]:
    """The documents of examples/loans.bson."""
    documents, fault = split((EXAMPLES / "loans.bson").read_bytes())
    assert fault is None
    return documents


FIRST = bson.decode(book()[0])


EUR = CATALOG.products["consumer-loan-eur"]
PARTS = msgspec.structs.replace(EUR, product="parts-eur", sale=("partial",))
SERVICED = msgspec.structs.replace(EUR, product="serviced-eur", agreements=Needed(originator=("servicing-2026",)))
PRODUCTS = {**CATALOG.products, "parts-eur": PARTS, "serviced-eur": SERVICED}


def difference_of(*documents: bytes):
    """What intake finds when bluebird sends `documents` in turn, each compared with those before."""
    return difference([Document(data, b"bluebird", 0, 0) for data in documents], {}, 0, 1, PRODUCTS, CATALOG.originators)


def test_the_table_of_fields_is_that_of_the_code():
    found = [row[:5] for row in table("field")]
    assert found == [[f"`{f.name}`", kind_of(f), "yes" if f.required else "no", allowed(f), "term" if f.term else ""] for f in LOAN]
    assert all(row[5] for row in table("field")), "every field says what it means"


def test_the_characters_of_an_id_are_those_of_the_code():
    (said,) = re.findall(r"only characters of `(.+?)`", PAGE)
    ranges = (part.split("-") if len(part) == 3 else (part, part) for part in said.split())
    assert {code for low, high in ranges for code in range(ord(low), ord(high) + 1)} == set(document.IDS)


def test_the_limits_are_those_of_the_code():
    limits = Limits()
    assert [row[1] for row in table("limit")] == [
        f"{DOCUMENT_BYTES_MAX} bytes",
        f"{DEPTH_MAX} levels",
        f"{FRAME_BYTES_MIN} to {FRAME_BYTES_MAX} bytes",
        f"{limits.upload_bytes} bytes",
        f"{limits.growth_max} times its size",
        f"{2**WINDOW_BITS} bytes",
        f"{limits.idle_s} seconds",
        f"{limits.uploads}",
        f"{limits.dry_runs}",
        f"{topics.MESSAGE_BYTES_MAX} bytes",
    ]
    assert f"once over {limits.growth_free_bytes} bytes" in PAGE
    assert f"bytes, {TOO_LARGE}" in PAGE
    assert f"at most {limits.dry_run_s / 60:g} minutes" in PAGE
    assert f"its first {HEAD_BYTES} bytes" in PAGE
    assert f"at most {delivery.BATCH_LENGTH} characters" in PAGE


CHANGES = {
    Change.CREATED: None,
    Change.RECALLED: {"status": "recalled", "rate": Decimal128("0.08")},
    Change.DEFAULTED: {"status": "defaulted", "days_past_due": 120},
    Change.REPAID: {"status": "repaid", "outstanding": Decimal128("0")},
    Change.RETURNED: ({"status": "repaid"}, {"status": "late", "term_months": 48}),
    Change.EXTENDED: {"term_months": 48, "purpose": None, "outstanding": Decimal128("11117.99")},
    Change.TERMS_CHANGED: {"purpose": None, "outstanding": Decimal128("11117.99")},
    Change.REPAYMENT_REPORTED: {"outstanding": Decimal128("11117.99"), "status": "late"},
    Change.STATUS_CHANGED: {"outstanding": Decimal128("11414.180")},
}


def test_the_kinds_of_change_are_those_of_the_code_in_its_order():
    assert [row[0] for row in table("change")] == [f"`{change}`" for change in Change] == [f"`{change}`" for change in CHANGES]


@pytest.mark.parametrize("change", Change)
def test_each_kind_of_change_is_found(change):
    documents = [bson.encode(FIRST)]
    steps = CHANGES[change]
    documents += [bson.encode({**FIRST, **step}) for step in (steps if isinstance(steps, tuple) else [steps] if steps else [])]
    found = difference_of(*documents, documents[-1])
    assert found.versions[-1].change == change
    assert found.outcomes[0, "unchanged"] == 1


def nested(levels: int) -> list:
    return [nested(levels - 1)] if levels > 1 else []


def doubled(name: str) -> bytes:
    """The first loan with a field that stands twice."""
    body = bson.encode(FIRST)[4:-1] + bson.encode({name: FIRST[name]})[4:]
    return (len(body) + 4).to_bytes(4, "little") + body


def lines_of_the_page() -> list[dict]:
    names = {"datetime": datetime, "UTC": UTC, "Decimal128": Decimal128}
    exec(compile(SCHEDULE, "asset.md", "exec"), names)
    return names["schedule"]


LINES = lines_of_the_page()

REFUSED = [
    bson.encode({name: value for name, value in FIRST.items() if name != "asset_id"}),
    bson.encode({**FIRST, "asset_id": None}),
    bson.encode({**FIRST, "asset_id": "loan 7"}),
    bson.encode({**FIRST, "originator_id": "harbor"}),
    bson.encode({**FIRST, "product": "car-lease"}),
    bson.encode({**FIRST, "product": "serviced-eur"}),
    bson.encode({**FIRST, "currency": "USD"}),
    bson.encode({**FIRST, "product": "parts-eur", "sale": "all_or_none"}),
    bson.encode({**FIRST, "status": "ok"}),
    bson.encode({**FIRST, "principal": 12000.0}),
    bson.encode({**FIRST, "outstanding": Decimal128("NaN")}),
    bson.encode({**FIRST, "outstanding": Decimal128("100.005")}),
    bson.encode({**FIRST, "outstanding": Decimal128("-1")}),
    bson.encode({**FIRST, "term_months": 0}),
    bson.encode({**FIRST, "first_due": datetime(2026, 9, 1, tzinfo=UTC)}),
    bson.encode({**FIRST, "first_due": datetime(2026, 10, 15, tzinfo=UTC)}),
    bson.encode({**FIRST, "maturity": datetime(2026, 8, 31, tzinfo=UTC)}),
    bson.encode({**FIRST, "schedule": []}),
    bson.encode({**FIRST, "schedule": [LINES[1], LINES[0], LINES[2]]}),
    bson.encode({**FIRST, "schedule": [LINES[0], {"due": LINES[1]["due"], "principal": LINES[1]["principal"]}, LINES[2]]}),
    bson.encode({**FIRST, "term_months": 3, "schedule": [*LINES[:2], {**LINES[2], "principal": Decimal128("4044.33")}]}),
    bson.encode({**FIRST, "schedule": LINES}),
    bson.encode({**FIRST, "term_months": 3, "schedule": LINES, "schedule_convention": "act-360"}),
    bson.encode({**FIRST, "issued": datetime(2026, 9, 1, 9, 30)}),  # noqa: DTZ001 - BSON's dates are UTC
    doubled("rate"),
    bson.encode({**FIRST, "paid": 5}),
    bson.encode({**FIRST, "notes": nested(DEPTH_MAX + 1)}),
    bson.encode({**FIRST, "notes": "x" * 70_000}),
]


@pytest.mark.parametrize(("row", "data"), [pytest.param(*pair, id=pair[0][0]) for pair in zip(table("example"), REFUSED, strict=True)])
def test_a_refused_document_gets_the_reason_that_the_page_says(row, data):
    (refusal,) = difference_of(data).refusals
    assert [f"`{refusal.field}`" if refusal.field else "", refusal.reason] == row[1:]


def test_what_the_page_allows_is_accepted():
    for allowed_one in ({"notes": nested(DEPTH_MAX)}, {"grade": None}, {"borrower": None}, {"outstanding": Decimal128("1.500")}):
        assert difference_of(bson.encode({**FIRST, **allowed_one})).outcomes == {(0, "created"): 1}


def test_the_program_writes_the_example_and_every_loan_of_it_is_accepted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(BOOK, "asset.md", "exec"), {})
    assert (tmp_path / "loans.bson").read_bytes() == (EXAMPLES / "loans.bson").read_bytes()
    documents = book()
    assert [document.read(data, LOAN)["asset_id"] for data in documents] == [f"DE-2026-00011{n}" for n in (7, 8, 9)]
    assert decode(documents, LOAN).columns.to_pylist() == [document.read(data, LOAN) for data in documents]
    assert difference_of(*documents).outcomes == {(0, "created"): 3}


def test_the_first_example_has_every_field_of_a_loan_of_whole_months():
    assert {name for name, value in document.read(book()[0], LOAN).items() if value is None} == SELDOM


def test_the_single_example_is_the_first_loan_and_its_json_is_the_same():
    single = (EXAMPLES / "loan.bson").read_bytes()
    assert single == book()[0] == bson.encode(json_util.loads((EXAMPLES / "loan.json").read_text()))


async def test_the_producer_sends_each_loan_to_its_partition_with_its_headers(kafka):
    names: dict = {}
    exec(compile(PRODUCER, "asset.md", "exec"), names)
    await names["send"](kafka, [bson.decode(data) for data in book()])
    arrived = [record for record in await committed(kafka, topics.INGEST) if ("batch", b"bluebird.2026-11-23") in record.headers]
    assert sorted(record.value for record in arrived) == sorted(book())
    for record in arrived:
        found = delivery.unpack(record.value, record.headers, record.timestamp, CATALOG.originators)
        key = asset_key(b"bluebird", bson.decode(record.value)["asset_id"].encode())
        assert (found.originator, found.batch, record.key) == ("bluebird", "bluebird.2026-11-23", key)
        assert record.partition == partition_of(key, topics.INGEST.partitions)
