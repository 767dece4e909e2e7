"""Curves are written into a product's file, and nothing else of it is touched but its version."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.catalog import parse
from schemas.curves import Curve
from schemas.product import Product
from schemas.splice import with_curves
from schemas.yamls import Yaml
from streams.settings import load
from tests.rows import CATALOG

FILES = {name: load({}).product_file(name)[1] for name in sorted(CATALOG.products)}
shares = st.lists(st.integers(0, 500_000), max_size=8).map(tuple)
curves = st.builds(Curve, default_ppm=shares, prepayment_ppm=shares, recovery_months=st.integers(0, 120))
BLOCK = """\
product: p
version: 7   # it counts
groups:
  - name: A
    from_score: 10
    curve:
      default_ppm: [1]  # one
      recovery_months: 3
    price_bp: 10000

  # the rest
  - from_score: 0
    name: B
{}"""


@pytest.mark.parametrize("name", sorted(FILES))
@settings(max_examples=20, deadline=None)  # YAML is slow
@given(st.data())
def test_a_file_with_other_curves_says_the_same_but_for_them_and_its_version(name, data):
    before = CATALOG.products[name]
    drawn = data.draw(st.lists(curves, min_size=len(before.groups), max_size=len(before.groups)))
    text = with_curves("f", FILES[name], drawn)
    after = Yaml("f", text).read(Product)
    groups = tuple(msgspec.structs.replace(group, curve=curve) for group, curve in zip(before.groups, drawn, strict=True))
    assert after == msgspec.structs.replace(before, version=before.version + 1, groups=groups)
    assert [line for line in text.splitlines() if "#" in line and "version" not in line] == [
        line for line in FILES[name].splitlines() if "#" in line and "version" not in line
    ]
    assert with_curves("f", text, drawn).replace(f"version: {before.version + 2}", f"version: {before.version + 1}") == text


@pytest.mark.parametrize("end", ["", "# the end\n"])
def test_groups_that_are_written_line_by_line_keep_their_comments(end):
    rest = FILES["consumer-loan-usd"]
    head = "\n".join(line for line in rest[: rest.index("\ngroups:")].splitlines() if not line.startswith(("product:", "version:")))
    text = with_curves("f", BLOCK.format(end) + head, [Curve(default_ppm=(5,)), Curve()])
    assert "version: 8   # it counts\n" in text
    assert "    curve: {default_ppm: [5], prepayment_ppm: [], loss_given_default_ppm: 1000000, recovery_months: 0}\n    price_bp" in text
    assert "\n\n  # the rest\n  - from_score: 0\n    name: B\n    curve: {default_ppm: [], " in text
    assert parse({"f": text}, ("o", "[]"), ("USD",)).products["p"].groups[0].curve.default_ppm == (5,)
