import csv
import io

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.merger import rows
from agents.merger.agent import sinks
from schemas import catalog, events
from streams import topics
from tests.database import message

TEXTS = ["", "a,b", 'say "hi"', "line\nbreak", "\r\n", "\\.", "\\N", "NULL", " ", "ü€😀", "'", "\t", "\ufffd"]


def test_what_a_copy_writes_is_what_a_csv_reader_reads():
    table = pa.table({"number": [1, -2, None], "text": ['a,"b"', "", "\n"]})
    made = rows.copy("somewhere", table)
    assert (made.table, made.columns) == ("somewhere", ("number", "text"))
    assert list(csv.reader(io.StringIO(made.csv.decode()))) == [["1", 'a,"b"'], ["-2", ""], ["", "\n"]]


async def test_every_text_and_null_arrives_in_the_database_as_it_was(sql):
    values = [*TEXTS, None]
    await sql.execute("CREATE TABLE t (n int, a text, b text)")
    made = rows.copy("t", pa.table({"n": range(len(values)), "a": values, "b": values[::-1]}))
    await sql.copy_to_table(made.table, source=io.BytesIO(made.csv), columns=made.columns, format="csv")
    got = await sql.fetch("SELECT a, b FROM t ORDER BY n")
    assert [tuple(row) for row in got] == list(zip(values, values[::-1], strict=True))


@given(st.lists(st.binary(min_size=16, max_size=16), max_size=20), st.integers(0, 20), st.integers(0, 20))
def test_hexadecimal_is_that_of_python_also_for_a_slice(digests, start, length):
    array = pa.array(digests, pa.binary(16)).slice(start, length)
    assert rows.hexadecimal(array).to_pylist() == [f"\\x{digest.hex()}" for digest in digests[start:][:length]]


def test_a_message_that_cannot_be_read_is_a_fault_that_names_it():
    for sink in sinks(catalog.Catalog({}, {}, ())):
        for value in (b"", b"nonsense", b"{}", b"\xff\xff\xff\xff\x00\x00\x00\x00"):
            with pytest.raises(rows.UnreadableError, match=rf"{sink.source.name}-5-17: .*same version"):
                sink.compute([message(sink.source, value, offset=17, partition=5)])


def test_an_event_with_a_field_of_a_later_version_is_a_fault():
    event = events.BatchProgress(batch="b", originator="o", counts={"created": 1})
    later = msgspec.json.encode({**msgspec.to_builtins(event), "colour": "red"})
    with pytest.raises(rows.UnreadableError, match="colour"):
        sinks(catalog.Catalog({}, {}, ()))[1].compute([message(topics.BATCHES, later)])
