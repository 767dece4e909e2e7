"""What a product file may say of agreements and ways of sale, and the files of originators and investors of what is signed."""

import re
from datetime import date
from pathlib import Path

import pytest

from schemas import catalog
from schemas.agreements import lacking, signed
from schemas.catalog import parse
from schemas.yamls import CatalogError

FOLDER = Path(catalog.__file__).parent
SHIPPED, PAGE = ((FOLDER / name).read_text() for name in ("products/consumer-loan-usd.yaml", "products.md"))
LAST = len(SHIPPED.splitlines()) + 1


def parsed(said="", originators="[]", investors="[]"):
    """The catalog of the shipped product, with a last line, and two other files."""
    return parse({"p.yaml": f"{SHIPPED}{said}\n"}, ("o.yaml", originators), ("USD",), ("i.yaml", investors))


def test_what_is_needed_and_what_is_signed_is_read():
    found = parsed(
        "agreements: {originator: [z, a], investor: [risk-2026]}",
        "[{originator: o, name: O, agreements: {a: 2026-01-15}}, {originator: p, name: P}]",
        "- {investor: ann, agreements: {risk-2026: 2026-03-02, a.b-1: 2025-01-01}}\n- {investor: ben, fee_bp: 1}",
    )
    needed = found.products["consumer-loan-usd"].agreements
    assert (needed.originator, needed.investor) == (("z", "a"), ("risk-2026",))
    assert found.originators["o"].agreements == {"a": date(2026, 1, 15)}
    assert [signed(who, found.investors) for who in ("ann", "ben", "cy")] == [("a.b-1", "risk-2026"), (), ()]
    assert [lacking(needed.originator, who, found.originators) for who in "opq"] == [("z",), ("z", "a"), ("z", "a")]


def test_the_lines_on_the_page_are_taken():
    originator, investor = re.findall(r"^- \{(?:originator|investor): .*agreements: .*$", PAGE, re.MULTILINE)
    found = parsed(originators=originator, investors=investor)
    assert found.originators["bluebird"].agreements == {"servicing-2026": date(2026, 1, 15)}
    assert signed("anna", found.investors) == ("risk-notice-2026",)


def test_without_a_word_nothing_is_needed_and_both_ways_of_sale_are_taken():
    product = parsed().products["consumer-loan-usd"]
    assert (product.sale, product.agreements.originator, product.agreements.investor) == (("partial", "all_or_none"), (), ())


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ("sale: []", "sale: at least one of partial, all_or_none"),
        ("sale: [whole]", r"sale\[0\]: 'whole' is none of partial, all_or_none"),
        ("sale: [partial, partial]", "sale: 'partial' is there twice"),
        ("sale: partial", "sale: Expected `array`, got `str`"),
        ("agreements: {investor: [a, b, a]}", "agreements.investor: 'a' is there twice"),
        ("agreements: {originator: [Terms of 2026]}", r"agreements.originator\[0\]: Expected `str` matching"),
        (f"agreements: {{originator: [{', '.join(f'a{n}' for n in range(51))}]}}", "agreements.originator: .*length <= 50"),
        ("agreements: {buyer: [a]}", "agreements.buyer: there is no such field"),
    ],
    ids=lambda text: text[:40],
)
def test_a_fault_of_a_product_is_told_with_its_line_and_field(said, fault):
    with pytest.raises(CatalogError, match=rf"^p.yaml:{LAST}: {fault}"):
        parsed(said)


@pytest.mark.parametrize(
    ("agreements", "fault"),
    [
        ("[a]", r"\[0\].agreements: Expected `object`, got `array`"),
        ("{a: null}", r"\[0\].agreements: Expected `date`, got `null`"),
        ("{a: yesterday}", r"\[0\].agreements: Invalid RFC3339 encoded date"),
        ("{a: 2026-01-15T10:00:00Z}", r"\[0\].agreements: Expected `date`, got `datetime`"),
        ("{A b: 2026-01-15}", r"\[0\].agreements: Expected `str` matching"),
        ("{a: 2026-01-15, a: 2026-01-15}", "a: is there twice"),
        (f"{{{', '.join(f'a{n}: 2026-01-15' for n in range(51))}}}", r"\[0\].agreements: .*length <= 50"),
    ],
    ids=lambda text: text[:40],
)
def test_a_fault_of_what_is_signed_is_told_with_its_line_and_field(agreements, fault):
    with pytest.raises(CatalogError, match=rf"^o.yaml:2: {fault}"):
        parsed(originators=f"- {{originator: o, name: O,\n   agreements: {agreements}}}")
    with pytest.raises(CatalogError, match=rf"^i.yaml:2: {fault}"):
        parsed(investors=f"- investor: ann\n  agreements: {agreements}")
