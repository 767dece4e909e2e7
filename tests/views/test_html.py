from datetime import UTC, datetime, timedelta, timezone
from html.parser import HTMLParser

import bson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.pages import html, rejections
from streams.pages.html import Column, Markup, Page


class Reader(HTMLParser):
    """What a browser would make of a page: elements, attributes, text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


@given(st.text(min_size=1))
def test_no_text_can_become_an_element_or_leave_an_attribute(text):
    page = Page("/", text, text, None, html.join((html.tag("p", text, title=text), html.link(text, text, asked=text))))
    read = Reader(html.document(page, f"/?{text}"))
    assert [name for name, _ in read.elements] == [
        name for name, _ in Reader(html.document(Page("/", "a", "a", None, page.body), "/")).elements
    ]
    assert all(
        set(attributes) <= {"charset", "content", "name", "rel", "href", "lang", "aria-current", "class", "title"}
        for _, attributes in read.elements
    )


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("<b>&\"'", "&lt;b&gt;&amp;&quot;&#x27;"),
        (Markup("<b>"), "<b>"),
        (1_234_567, "1,234,567"),
        (-1_234, "-1,234"),
        (True, "True"),
        (datetime(2026, 1, 2, 3, 4, 5, 999_999, tzinfo=UTC), "2026-01-02 03:04:05"),
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=2))), "2026-01-02 01:04:05"),
    ],
)
def test_a_value_is_shown_for_people(value, shown):
    assert html.markup(value) == shown


@pytest.mark.parametrize(
    ("cents", "shown"), [(0, "0.00"), (5, "0.05"), (123_456_789, "1,234,567.89"), (-5, "-0.05"), (-123_400, "-1,234.00")]
)
def test_money_is_shown_in_major_units(cents, shown):
    assert html.money(cents) == shown


@pytest.mark.parametrize(
    ("ppm", "shown"), [(140_700, "14.07 %"), (140_705, "14.0705 %"), (1_000_000, "100.00 %"), (10, "0.001 %"), (500_000, "50.00 %")]
)
def test_a_rate_is_shown_in_percent_exactly(ppm, shown):
    assert html.percent(ppm) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.00042, "0.4 ms"),
        (0.0123, "12 ms"),
        (0.9999, "1000 ms"),
        (3.21, "3.2 s"),
        (119.4, "119 s"),
        (120, "2.0 min"),
        (3_700, "62 min"),
        (7_200, "2.0 h"),
        (100_000, "28 h"),
        (172_800, "2 days"),
        (1e9, "11,574 days"),
    ],
)
def test_a_length_of_time_is_shown_in_its_largest_unit(seconds, shown):
    assert html.duration(seconds) == shown


def test_only_compared_cells_that_differ_from_the_one_above_are_marked():
    columns = (Column("a", lambda row: row["a"], compared=True), Column("b", lambda row: row["b"]))
    read = Reader(html.table(columns, [{"a": 1, "b": 1}, {"a": 1, "b": 2}, {"a": 2, "b": 2}], "none"))
    assert [attributes["class"].strip() for name, attributes in read.elements if name == "td"] == ["", "", "", "", "changed", ""]


def test_an_empty_table_says_so():
    assert "none <here>" in Reader(html.table((), [], "none <here>")).text


@given(st.binary(max_size=600))
def test_the_bytes_of_a_document_are_shown_whatever_they_are(document):
    lines = [line for line in rejections.as_hex(document).splitlines() if not line.startswith("…")]
    assert bytes.fromhex("".join(line[8:56] for line in lines)) == document[: rejections.HEX_BYTES]
    rejections.as_json(document)


def test_a_document_that_can_be_decoded_is_shown_as_json():
    assert '"rate": {\n    "$numberDecimal": "NaN"\n  }' in rejections.as_json(bson.encode({"rate": bson.Decimal128("NaN")}))
    assert rejections.as_json(bson.encode({"text": "x" * 9_000})).endswith("characters more")


def test_a_document_that_nests_without_end_is_no_fault_of_the_page():
    document = b"\x05\x00\x00\x00\x00"
    for _ in range(8_000):
        document = (len(document) + 8).to_bytes(4, "little") + b"\x03a\x00" + document + b"\x00"
    assert len(document) <= 64 * 1024
    assert rejections.as_json(document) == ""
