"""A schedule is written for the database as money and days are everywhere, and read back; that of the page is what it says."""

import json
import re
from datetime import UTC, date, datetime
from pathlib import Path

import msgspec
import pyarrow as pa
import yaml
from bson.decimal128 import Decimal128
from hypothesis import given
from hypothesis import strategies as st

import schemas
from agents.intake.diff import Document, difference
from schemas.asset import CENTS_MAX, LINE, Kind
from schemas.columns import LINES
from schemas.proof import ScheduleProof
from schemas.schedules import lines_of, texts_of
from schemas.values import written
from tests.schedules import OWN, at, encoded, money

FOLDER = Path(schemas.__file__).parent

cents = st.integers(0, CENTS_MAX) | st.sampled_from((0, 1, 99, 100, CENTS_MAX))
lines = st.fixed_dictionaries({"due": st.integers(-(2**15), 2**16), "principal": cents, "interest": cents})


@given(st.lists(st.none() | st.lists(lines, max_size=4), max_size=5), st.integers(0, 2))
def test_a_column_of_schedules_is_written_as_values_are_and_read_back(schedules, start):
    texts = texts_of(pa.array(schedules, LINES)[start:]).to_pylist()
    assert [None if text is None else lines_of(text) for text in texts] == schedules[start:]
    kinds = {field.column: field.kind for field in LINE}
    words = [one and [{name: written(kinds[name], value) for name, value in line.items()} for line in one] for one in schedules[start:]]
    assert [None if text is None else json.loads(text) for text in texts] == words


def test_the_kinds_of_a_line_are_those_that_are_written_so():
    assert {field.name: field.kind for field in LINE} == {"due": Kind.DAY, "principal": Kind.MONEY, "interest": Kind.MONEY}


def test_the_schedule_of_the_page_is_proved_by_the_convention_of_the_page_of_product_files():
    (program,) = (one for one in re.findall(r"```python\n(.*?)```", (FOLDER / "asset.md").read_text(), re.DOTALL) if "schedule = [" in one)
    names = {"datetime": datetime, "UTC": UTC, "Decimal128": Decimal128}
    exec(compile(program, "asset.md", "exec"), names)
    examples = map(yaml.safe_load, re.findall(r"```yaml\n(.*?)```", (FOLDER / "products.md").read_text(), re.DOTALL))
    (example,) = (one for one in examples if "schedule_proof" in one)
    product = msgspec.structs.replace(OWN, schedule_proof=msgspec.convert(example["schedule_proof"], ScheduleProof))
    said = {"term_months": 3, "rate": Decimal128("0.0895"), "principal": money(1_200_000), "first_due": at(date(2026, 10, 15))}
    data = encoded(schedule=names["schedule"], **said)
    found = difference([Document(data, b"bluebird", 0, 0)], {}, 0, 1, {product.product: product})
    assert found.refusals == []
    assert found.columns["schedule_differences"].to_pylist() == [[]]
