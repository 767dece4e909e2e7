"""A file of the catalog says where it is wrong."""

import msgspec
import pytest

from schemas.yamls import BYTES_MAX, DEPTH_MAX, CatalogError, Yaml


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    size: int
    name: str = ""


class Outer(msgspec.Struct, forbid_unknown_fields=True):
    title: str
    parts: list[Inner]
    shares: dict[str, int] = {}


def said(text):
    """The fault of a file `f.yaml`."""
    with pytest.raises(CatalogError) as caught:
        Yaml("f.yaml", text).read(Outer)
    return str(caught.value)


def test_a_good_file_is_read():
    assert Yaml("f.yaml", "title: a\nparts:\n  - {size: 1}\n").read(Outer) == Outer("a", [Inner(1)])


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("title: a\nparts:\n  - {size: 1}\n  - size: b\n", "f.yaml:4: parts[1].size: Expected `int`, got `str`"),
        ("title: a\nparts:\n  - size: 1\n    colour: red\n", "f.yaml:4: parts[0].colour: there is no such field"),
        ("title: a\nparts:\n  - size: 1\n  - name: n\n", "f.yaml:4: parts[1]: Object missing required field `size`"),
        ("parts: []\n", "f.yaml:1: Object missing required field `title`"),
        ("# a comment\n\ntitle: [a]\nparts: []\n", "f.yaml:3: title: Expected `str`, got `array`"),
        ("title: a\nparts: []\nshares:\n  x: 1\n  y: z\n", "f.yaml:3: shares: Expected `int`, got `str`"),
        ("title: a\nparts: []\nshares:\n  5: 1\n", "f.yaml:3: shares: Expected `str`, got `int`"),
        ("title: a\nparts: [\n", "f.yaml:3: is no YAML: expected the node content, but found '<stream end>'"),
        ("title: a\nparts: []\ntitle: b\n", "f.yaml:3: title: is there twice"),
        ("title: a\nparts:\n  - size: 1\n    size: 2\n", "f.yaml:4: size: is there twice"),
        ("title: &a x\nparts: *a\n", "f.yaml:2: *a: aliases are not taken; write it out"),
        ("title:\n " + "[" * 1_000 + "]" * 1_000, f"f.yaml:2: is deeper than {DEPTH_MAX} levels"),
        ("title: 2026-02-30\nparts: []\n", "f.yaml: is no YAML: day is out of range for month"),
        ("title: a\x00\n", "f.yaml: is no YAML: unacceptable character"),
        ("title: a\n" + "#" * BYTES_MAX, "f.yaml: is larger than 262,144 bytes"),
        ("", "f.yaml:1: Expected `object`, got `null`"),
    ],
    ids=lambda text: text[:40],
)
def test_a_fault_names_file_line_and_field(text, fault):
    assert said(text).startswith(fault)


def test_all_that_stands_twice_is_named_at_once():
    assert said("title: a\ntitle: b\nparts: []\nparts: []\n").splitlines() == [
        "f.yaml:2: title: is there twice",
        "f.yaml:4: parts: is there twice",
    ]
