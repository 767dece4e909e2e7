"""What a product file may declare of its documents, and that they are read as it says."""

import re
import string

import bson
import numpy as np
import pytest
import yaml
from bson.decimal128 import Decimal128
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agents.intake.agent import take_in
from agents.intake.kinds import read
from schemas import columns
from schemas.asset import Field, Kind
from schemas.catalog import parse
from schemas.values import value_of, written
from schemas.yamls import CatalogError
from streams import document, topics
from streams.decode import decode
from streams.effects import Message
from streams.partition import partition_of
from tests.invoices import PRODUCT, SHIPPED, catalog, day, encoded

WRITTEN = yaml.safe_load(PRODUCT.read_text())
LINES = WRITTEN["document"]
PRODUCTS = catalog().products


def parsed(lines=LINES, **changed):
    return parse(
        {"p.yaml": yaml.safe_dump({**WRITTEN, "document": lines, **changed})},
        ("o.yaml", "[{originator: bluebird, name: B}]"),
        ("EUR", "USD"),
    )


def changed(name, **more):
    """The product's lines, one of them changed; `...` takes a part of it away."""
    wrong = [{**line, **more} if name in (line.get("path"), line.get("as")) else line for line in LINES]
    assert wrong != LINES
    return [{part: value for part, value in line.items() if value is not ...} for line in wrong]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (changed("number", path=...), "document line: either path or value"),
        (changed("rate", path="interest"), "document interest: either path or value"),
        (changed("number", kind=...), "document number: kind: one of text, money, rate, whole, day, moment"),
        (changed("number", kind="string"), "Invalid enum value 'string'"),
        (changed("amount", kind="whole"), "document amount: kind: as principal it is money"),
        (changed("amount", **{"as": "price"}), "document amount: as 'price': there is no such place; there are status, "),
        (changed("amount", **{"as": "asset_id"}), "document amount: as 'asset_id': there is no such place"),
        (changed("number", path="updated_at"), "document updated_at: is in every document anyway"),
        (changed("number", path="purpose"), "document purpose: is the name of a place"),
        (changed("due", path="term_months"), "document term_months: is the name of a place"),
        (changed("number", path="a.b.c"), r"document\[0\].path"),
        (changed("number", path="debtor"), "document debtor: is a field and has fields in it"),
        (changed("number", path="product.number"), "document product: is a field and has fields in it"),
        (changed("number", path="debtor_name"), "document debtor_name: two paths of this name"),
        (changed("open", **{"as": "principal"}), "document: 2 lines are `as: principal`"),
        (LINES[:-1], "document: nothing is `as:` paid.fees; a field or a constant must be"),
        (changed("amount", required=False), "document amount: required: as principal it must be"),
        (changed("amount", low=0), "document amount: low, high: as principal within 1 to"),
        (changed("amount", low=0.5), "Expected `int | null`, got `float`"),
        (changed("debtor.rating", low=11), "document debtor.rating: low: is above high"),
        (changed("delivered", low=1), "document delivered: low, high: are for money, rate, whole"),
        (changed("recourse", length=9), "document recourse: choices, length: are for text"),
        (changed("number", length=2000), r"document\[0\].length"),
        (changed("money", length=4), "document money: length: as currency at most 3"),
        (changed("state", choices=["open"]), "document state: choices: as status only current, late"),
        (changed("money", choices=["EURO"]), "document money: choices: each of 1 to 3 bytes"),
        (changed("sale", value="some"), "document sale: value: must be one of partial, all_or_none"),
        (changed("sale", value=1), "document sale: value: must be a text"),
        (changed("rate", value=3_000_000), "document rate: value: must be a whole number, 0 to 2000000"),
        (changed("rate", value="8 %"), "document rate: value: must be a whole number"),
        (changed("rate", kind="rate"), "document rate: a constant has nothing but value and as"),
        (changed("rate", **{"as": ...}), "document line: as: a constant must take a place"),
        (changed("invoiced", path=..., value=17_000), "document issued: value: a day must come from the document"),
        (changed("money", path=..., choices=..., value="USD"), "document currency: value: must be EUR, the product's"),
        (changed("number", colour="red"), "colour: there is no such field"),
    ],
)  # fmt: skip
def test_a_document_that_contradicts_itself_is_refused_by_file_and_field(lines, message):
    with pytest.raises(CatalogError, match=rf"^p.yaml:\d+: .*{message}"):
        parsed(lines)


@pytest.mark.parametrize(
    ("lines", "said"),
    [(LINES, "all_or_none"), (changed("sale", value=..., path="way", choices=["all_or_none"]), "all_or_none")],
    ids=["constant", "choices"],
)
def test_documents_that_all_say_a_way_of_sale_that_the_product_has_not_are_a_fault_of_the_file(lines, said):
    place = next(n for n, line in enumerate(lines) if line.get("as") == "sale")
    with pytest.raises(CatalogError, match=rf"^p.yaml:\d+: document\[{place}\]: as sale {said}: the product's sale is only partial"):
        parsed(lines, sale=["partial"])
    assert parsed(lines, sale=["all_or_none"])


def test_the_lines_on_the_page_are_those_of_the_file():
    (block,) = re.findall(r"```yaml\n(.+?)```", (SHIPPED / "asset.md").read_text(), re.DOTALL)
    for line in yaml.safe_load(block)["document"]:
        assert any(line.items() <= whole.items() for whole in LINES), line


def test_a_scorecard_may_use_what_the_kind_has_and_nothing_else():
    line = {"column": "recourse", "missing": 0, "bands": [{"points": 1}]}
    assert parsed(scorecard=[line]).products["invoice-eur"].scorecard[0].column == "recourse"
    with pytest.raises(
        CatalogError, match=r"^p.yaml:\d+: scorecard\[0\]: borrower_income: no such column; there are originator_id, .*, debtor_rating, "
    ):
        parsed(scorecard=[{**line, "column": "borrower_income"}])
    with pytest.raises(CatalogError, match=r"^p.yaml:\d+: scorecard\[0\]: industry: a text column has values"):
        parsed(scorecard=[{**line, "column": "industry"}])


def test_a_term_may_be_said_in_months_instead_of_following_from_the_due_day():
    lines = changed("due", path="months", kind=...)
    data = bson.encode({**bson.decode(encoded()), "months": 3})
    (row,) = read([data], parsed(lines).products).columns.to_pylist()
    assert row["term_months"] == 3
    assert '"due"' not in row["attributes"]


@given(st.dates(day("1990-01-01").date(), day("2060-01-01").date()), st.integers(-3, 400))
@example(day("2026-01-31").date(), 28)
@example(day("2028-01-31").date(), 29)
def test_the_term_is_the_fewest_months_that_reach_the_due_day(invoiced, days):
    due = invoiced.toordinal() + days
    data = encoded(invoiced=day(invoiced.isoformat()), due=day(invoiced.fromordinal(due).isoformat()))
    found = read([data], PRODUCTS)
    if days <= 0:
        assert [fault.reason for fault in found.faults] == ["must be after invoiced"]
        return
    months = found.columns["term_months"].to_pylist()[0]

    def reaches(count):
        """The same day of a later month; the last of a month that has no such day reaches as far."""
        year, month = divmod(invoiced.year * 12 + invoiced.month - 1 + count, 12)
        after = np.datetime64(f"{year:04}-{month + 1:02}") + np.timedelta64(1, "M")
        last = (after.astype("datetime64[D]") - np.timedelta64(1, "D")).astype(object)
        return last.replace(day=min(invoiced.day, last.day)).toordinal() >= due

    assert reaches(months)
    assert not reaches(months - 1)


def test_attributes_at_their_longest_fit_their_records():
    found = parsed(changed("debtor.name", length=1024))
    debtor = {"name": '"' * 1024, "country": "DE"}
    book = b"".join(encoded(debtor=debtor, days_late=n) for n in range(1000))
    home = partition_of(b"bluebird/INV1", topics.INGEST.partitions)
    records = take_in(found, {}, [Message("assets.ingest", home, 0, 0, None, book, (("originator", b"bluebird"),))]).records
    values = [record.value for record in records if record.topic is topics.CHANGED]
    assert max(map(len, values)) <= topics.MESSAGE_BYTES_MAX
    assert [n for value in values for n in columns.decode(value, columns.CHANGED)["days_past_due"].to_pylist()] == list(range(1000))


NUMBERS = st.integers(-(10**14), 10**14)
SIMPLE = st.sampled_from([kind for kind in Kind if kind is not Kind.SCHEDULE])  # a schedule is no attribute: it always has a place


@given(SIMPLE, NUMBERS, st.text())
def test_what_is_written_is_read_back(kind, number, text):
    value = (
        text
        if kind is Kind.TEXT
        else number % (2**16 * (86_400_000 if kind is Kind.MOMENT else 1))
        if kind in (Kind.DAY, Kind.MOMENT)
        else number
    )
    assert value_of(kind, written(kind, value)) == value


@given(SIMPLE, st.none() | st.booleans() | st.integers() | st.text() | st.floats() | st.lists(st.integers()))
def test_what_is_written_of_another_kind_is_not_said_or_is_of_this_one(kind, words):
    assert isinstance(value_of(kind, words), str if kind is Kind.TEXT else int) or value_of(kind, words) is None


# Random declarations, and documents that keep to them more or less.
NAMES = st.text(string.ascii_lowercase, min_size=1, max_size=3)


@st.composite
def declarations(draw):
    names = draw(st.sets(NAMES, min_size=1, max_size=8))
    paths = [name if draw(st.booleans()) else f"{name}.{draw(NAMES)}" for name in sorted(names)]
    fields = []
    for path in paths:
        kind = draw(st.sampled_from(Kind))
        low = draw(st.integers(-100, 100))
        choices = tuple(draw(st.lists(st.sampled_from(["a", "b", "ü"]), unique=True, max_size=2))) if kind is Kind.TEXT else ()
        high = low + draw(st.integers(0, 10**12))
        fields.append(Field(path, kind, draw(st.booleans()), low, high, choices, draw(st.integers(1, 4))))
    return fields


DUE = st.integers(-1, 10**4).map(lambda n: day("1970-01-01") + np.timedelta64(n, "D").astype(object))
PART = st.integers(-1, 10**5).map(lambda n: Decimal128(f"{n}E-2")) | st.just(1)
VALUES = {
    Kind.TEXT: st.sampled_from(["a", "b", "ü", "a b", "abcde", "a\n"]),
    Kind.MONEY: st.integers(-10**5, 10**15).map(lambda n: Decimal128(f"{n}E-2")) | st.just(Decimal128("0.001")),
    Kind.RATE: st.integers(-10**5, 10**13).map(lambda n: Decimal128(f"{n}E-6")),
    Kind.WHOLE: st.integers(-200, 2**31 - 1) | st.integers(2**31, 10**13).map(bson.Int64),
    Kind.DAY: st.integers(-200, 10**4).map(lambda n: day("1970-01-01") + np.timedelta64(n, "D").astype(object)),
    Kind.MOMENT: st.integers(-200, 10**12).map(lambda n: day("1970-01-01") + np.timedelta64(n, "ms").astype(object)),
    Kind.SCHEDULE: st.lists(st.fixed_dictionaries({"due": DUE, "principal": PART, "interest": PART}), max_size=3),
}  # fmt: skip


@st.composite
def documents(draw, fields):
    whole = {}
    for field in fields:
        fate = draw(st.integers(0, 19))
        if fate == 0:
            continue
        value = None if fate == 1 else draw(VALUES[draw(st.sampled_from(Kind)) if fate == 2 else field.kind])
        parent, _, name = field.name.rpartition(".")
        if parent:
            whole.setdefault(parent, {})[name] = value
        else:
            whole[name] = value
    return bson.encode(whole)


@settings(max_examples=150)
@given(st.data())
def test_of_any_declaration_the_lock_step_reads_what_the_plain_reader_reads(data):
    fields = data.draw(declarations())
    docs = data.draw(st.lists(documents(fields), min_size=8, max_size=24))
    decoded = decode(docs, fields)
    accepted, faults = {}, {}
    for i, doc in enumerate(docs):
        try:
            accepted[i] = document.read(doc, fields)
        except document.FieldError as fault:
            faults[i] = (i, fault.field, fault.reason)
    assert dict(zip(decoded.rows.tolist(), decoded.columns.to_pylist(), strict=True)) == accepted
    assert {fault.row: tuple(fault) for fault in decoded.faults} == faults
