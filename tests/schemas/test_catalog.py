import json
import re
from pathlib import Path

import pytest
import yaml

from schemas import catalog, risk
from schemas.amortisation import KINDS, ROUNDINGS
from schemas.catalog import parse
from schemas.product import Product
from schemas.yamls import CatalogError

FOLDER = Path(catalog.__file__).parent
MARKETS = ("EUR", "USD", "GBP")
ORIGINATORS = ("originators.yaml", "[{originator: o, name: O}]")
BAND = {"column": "rate", "missing": 0, "bands": [{"below": 9, "points": 2}, {"points": 1}]}
LIST = {"column": "purpose", "missing": 0, "values": {"car": 1}}
TERM = {"column": "rate", "missing": 0, "weight": 1, "high": 10}
GOOD = {
    "product": "p", "version": 1, "currency": "USD", "amortisation": {"kind": "annuity", "rounding": "up"}, "days_past_due_max": 15,
    "bid_cents_min": 1, "bid_cents_max": 2, "scorecard": [BAND, LIST],
    "groups": [{"name": "A", "from_score": 1}, {"name": "B", "from_score": 0}],
}  # fmt: skip


def logistic(*terms):
    return {"scorecard": [], "logistic": {"intercept": 0, "terms": [*terms]}}


def grades(**changed):
    return {"scorecard": [], "grades": {"missing": "B", "groups": {"1": "A"}, **changed}}


def parsed(product, originators=ORIGINATORS):
    return parse({"p.yaml": json.dumps(product, indent=1, default=str)}, originators, MARKETS)  # JSON is YAML, and has no aliases


def test_the_shipped_files_are_a_catalog():
    files = {path.name: path.read_text() for path in (FOLDER / "products").glob("*.yaml")}
    found = parse(files, ("originators.yaml", (FOLDER / "originators.yaml").read_text()), MARKETS)
    assert {name: one.currency for name, one in found.products.items()} == {"consumer-loan-usd": "USD", "consumer-loan-eur": "EUR"}
    assert all([group.name for group in one.groups] == list("ABCDEF") for one in found.products.values())
    assert set(found.originators) == {"bluebird", "harbor", "prairie"}


def test_a_good_product_is_read_as_it_is_written():
    found = parsed(GOOD)
    assert (list(found.products), list(found.originators), found.markets) == (["p"], ["o"], MARKETS)
    assert found.products["p"].scorecard[0].bands == (risk.Band(2, 9), risk.Band(1))
    assert found.products["p"].groups[0].price_bp == 10_000


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"currency": "CHF"}, "currency: 'CHF' is no market; markets are EUR, USD, GBP"),
        ({"amortisation": {"kind": "balloon", "rounding": "up"}}, "amortisation.kind: 'balloon' is none of"),
        ({"amortisation": {"kind": "annuity", "rounding": "left"}}, "amortisation.rounding: 'left' is none of"),
        ({"version": 0}, r"version: .*`int` >= 1"),
        ({"days_past_due_max": -1}, r"days_past_due_max: .*`int` >= 0"),
        ({"days_past_due_max": 1.5}, "got `float`"),
        ({"bid_cents_min": 0}, r"bid_cents_min: .*`int` >= 1"),
        ({"bid_cents_min": 3}, "bid_cents_min: must not be above bid_cents_max"),
        ({"product": "a/b"}, r"product: "),
        ({"product": "p\n"}, r"product: "),
        ({"product": ""}, r"product: "),
        ({"colour": "red"}, "colour: there is no such field"),
        ({"groups": []}, "groups: at least one"),
        ({"groups": [{"name": "A", "from_score": 0}, {"name": "B", "from_score": 1}]}, "groups: best first"),
        ({"groups": [{"name": "A", "from_score": 0}, {"name": "B", "from_score": 0}]}, "groups: best first, no two from the same score"),
        ({"groups": [{"name": "A", "from_score": 1}, {"name": "A", "from_score": 0}]}, "groups: 'A' is defined twice"),
        ({"groups": [{"name": "", "from_score": 1}]}, r"groups\[0\].name: "),
        ({"groups": [{"name": "A", "from_score": 1, "price_bp": 0}]}, r"groups\[0\].price_bp: "),
        (
            {"groups": [{"name": "A", "from_score": 1, "curve": {"default_ppm": [1, 600_000], "prepayment_ppm": [500_000]}}]},
            r"groups\[0\].curve.default_ppm\[1\]: defaults and prepayments of a month are 1000000 together at most, and these are 1100000",
        ),
        ({"groups": [{"name": "A", "from_score": 1, "curve": {"default_ppm": [1, -1]}}]}, r"groups\[0\].curve.default_ppm\[1\]"),
        ({"groups": [{"name": "A", "from_score": 1, "curve": {"prepayment_ppm": [0] * 601}}]}, r"groups\[0\].curve.prepayment_ppm"),
        ({"groups": [{"name": "A", "from_score": 1, "curve": {"loss_given_default_ppm": 1_000_001}}]}, "loss_given_default_ppm"),
        ({"scorecard": [{**BAND, "column": "shoe_size"}]}, r"scorecard\[0\]: shoe_size: no such column; there are originator_id, "),
        ({"scorecard": [{**BAND, "column": "purpose"}]}, r"scorecard\[0\]: purpose: a text column has values"),
        ({"scorecard": [{**LIST, "column": "rate"}]}, r"scorecard\[0\]: rate: a text column has values"),
        ({"scorecard": [{**BAND, "values": {"car": 1}}]}, r"scorecard\[0\]: rate: either bands or values"),
        ({"scorecard": [{"column": "rate", "missing": 0}]}, r"scorecard\[0\]: rate: either bands or values"),
        ({"scorecard": [BAND, BAND]}, "scorecard: rate is there twice"),
        ({"scorecard": []}, "scorecard: exactly one of scorecard, logistic, grades"),
        ({"logistic": {"intercept": 0, "terms": [TERM]}}, "scorecard: exactly one of scorecard, logistic, grades"),
        (logistic({**TERM, "column": "shoe_size"}), r"logistic.terms\[0\]: shoe_size: no such column; there are originator_id, "),
        (logistic(TERM, TERM), "logistic.terms: rate is there twice"),
        (logistic({**TERM, "values": {"car": 1}}), "rate: either weight or values"),
        (logistic({**TERM, "column": "purpose"}), "purpose: a text column has values, a numeric column has a weight"),
        (logistic({**TERM, "high": 0}), "rate: low must be below high"),
        (logistic({**TERM, "per": 0}), r"logistic.terms\[0\].per: .*`int` >= 1"),
        (logistic({**TERM, "weight": 10**9 + 1}), r"logistic.terms\[0\].weight: .*`int` <= 1000000000"),
        (logistic({"column": "rate", "weight": 1, "high": 1}), r"logistic.terms\[0\]: .*missing required field `missing`"),
        (logistic(), r"logistic.terms: .*length >= 1"),
        (grades(missing="Z"), "grades.missing: 'Z' is no group; there are A, B"),
        (grades(groups={"1": "C"}), "grades.groups.1: 'C' is no group; there are A, B"),
        (grades(originators={"o": {"1": "C"}}), "grades.originators.o.1: 'C' is no group; there are A, B"),
        (grades(originators={"p": {"1": "A"}}), "grades.originators.p: no such originator; there are o"),
        (logistic({**TERM, "weight": 10**6, "per": 1, "high": 1_001}), "rate: at low or high it comes to more than 1,000,000,000"),
        (grades(column="rate"), "grades.column: 'rate' is no text column"),
        (grades(groups={}), "grades.groups: at least one grade"),
        ({"scorecard": [{**BAND, "bands": [{"points": 1}, {"points": 2}]}]}, r"scorecard\[0\]: rate: only the last band is open"),
        ({"scorecard": [{**BAND, "bands": [{"below": 1, "points": 1}]}]}, r"scorecard\[0\]: rate: only the last band is open"),
        (
            {"scorecard": [{**BAND, "bands": [{"below": 2, "points": 1}, {"below": 2, "points": 2}, {"points": 3}]}]},
            r"scorecard\[0\]: rate: each band's below must be above the one before",
        ),
        ({"scorecard": [{**LIST, "values": {"car": 10**7}}]}, r"scorecard\[0\].values: "),
        ({"scorecard": [{**BAND, "bands": [{"below": 2**63, "points": 1}, {"points": 3}]}]}, r"scorecard\[0\].bands\[0\].below: "),
    ],
    ids=str,
)
def test_a_product_that_contradicts_itself_is_refused_by_file_and_field(wrong, message):
    with pytest.raises(CatalogError, match=rf"^p.yaml:\d+: .*{message}"):
        parsed({**GOOD, **wrong})


def test_a_field_that_is_missing_is_named():
    with pytest.raises(CatalogError, match=r"^p.yaml:\d+: .*missing required field `currency`"):
        parsed({name: value for name, value in GOOD.items() if name != "currency"})


def test_text_that_is_no_yaml_is_refused_by_file():
    with pytest.raises(CatalogError, match=r"^p.yaml:\d+: "):
        parse({"p.yaml": "product: [p"}, ORIGINATORS, MARKETS)


def test_a_product_in_two_files_is_refused():
    text = yaml.safe_dump(GOOD)
    with pytest.raises(CatalogError, match=r"^b.yaml:\d+: product: 'p' is defined twice"):
        parse({"b.yaml": text, "a.yaml": text}, ORIGINATORS, MARKETS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[{originator: o, name: O}, {originator: o, name: P}]", "\\[1\\].originator: 'o' is listed twice"),
        ("[{originator: a/b, name: O}]", r"\[0\]\.originator: "),
        ("[{originator: o}]", "missing required field `name`"),
        ("{originator: o}", "Expected `array`"),
        ("[{originator: o, name: O, deliver_to: 'ftp://a/b'}]", "\\[0\\].deliver_to: 'o': must be one of http://host/…, https://"),
        ("[{originator: o, name: O, deliver_to: '/data'}]", "'o': must be one of"),
        ("[{originator: o, name: O, deliver_to: 'file:///'}]", "'o': must be one of"),
        ("[{originator: o, name: O, deliver_to: 'file://data/x'}]", "'o': must be one of"),
        ("[{originator: o, name: O, deliver_to: 'https:///x'}]", "'o': must be one of"),
        ("[{originator: o, name: O, deliver_to: 'https://a:b/x'}]", "'o': is no URL: Port could not be cast"),
        ("[{originator: o, name: O, deliver_to: 'https://me:pw@a/x'}]", "'o': must not have a user or password in it"),
        ("[{originator: o, name: O, deliver_to: 'https://a/x y'}]", "'o': must be ASCII without spaces"),
        ("[{originator: o, name: O, deliver_after_s: 0}]", r"\[0\].deliver_after_s: .*`int` >= 1"),
        ("[{originator: o, name: O, deliver_bytes: 100000000}]", r"\[0\].deliver_bytes: .*`int` <= 8388608"),
    ],
)
def test_originators_that_cannot_be_told_apart_are_refused(text, message):
    with pytest.raises(CatalogError, match=rf"^o.yaml:\d+: .*{message}"):
        parsed(GOOD, ("o.yaml", text))


@pytest.mark.parametrize("url", ["https://o.example/confirm?key=1", "http://127.0.0.1:8080/", "https://[::1]/"])
def test_an_originator_may_have_a_callback(url):
    found = parsed(GOOD, ("originators.yaml", f"[{{originator: o, name: O, callback: '{url}'}}]"))
    assert found.originators["o"].callback == url
    assert parsed(GOOD).originators["o"].callback is None


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("ftp://o.example/", "must begin with https:// or http://"),
        ("o.example/confirm", "must begin with https:// or http://"),
        ("https:///confirm", "must begin with https:// or http:// and name a host"),
        ("https://o.example:0/", "must begin with"),
        ("https://o.example:70000/", "is no URL: Port out of range"),
        ("https://[::1/", "is no URL"),
        ("https://me:secret@o.example/", "must have no user or password"),
        ("https://o.example/#x", "must have no fragment"),
        ("https://o.example/ x", r"\[0\]\.callback: "),
        ("https://o.example/" + "x" * 2000, r"\[0\]\.callback: "),
        ("", r"\[0\]\.callback: "),
    ],
)
def test_a_callback_that_cannot_be_asked_is_named(url, message):
    with pytest.raises(CatalogError, match=message) as caught:
        parsed(GOOD, ("originators.yaml", f"[{{originator: o, name: O, callback: '{url}'}}]"))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["https://a.example:8443/in?key=k", "http://10.0.0.1/", "file:///data/out%20box", "s3://bucket/prefix"])
def test_files_of_notices_go_to_a_url_or_nowhere(url):
    found = parsed(GOOD, ("o.yaml", f"[{{originator: o, name: O, deliver_to: '{url}'}}, {{originator: p, name: P}}]")).originators
    assert [one.deliver_to for one in found.values()] == [url, ""]


def test_a_refusal_never_tells_the_url():
    with pytest.raises(CatalogError) as caught:
        parsed(GOOD, ("o.yaml", "[{originator: o, name: O, deliver_to: 'https://me:hunter2@a/x'}]"))
    assert "hunter2" not in str(caught.value)


PAGE = (FOLDER / "products.md").read_text()
EXAMPLES = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: next(iter(example)))
def test_each_example_of_the_page_of_product_files_is_taken(example):
    shipped = yaml.safe_load((FOLDER / "products" / "consumer-loan-eur.yaml").read_text())
    rest = shipped if not {"logistic", "grades"} & example.keys() else {**shipped, "scorecard": []}
    assert parsed({**rest, **example}, ("originators.yaml", (FOLDER / "originators.yaml").read_text()))


def test_the_page_of_product_files_has_each_field():
    assert {name for name in Product.__struct_fields__ if f"`{name}`" not in PAGE} == set()
    assert all(f"`{kind}`" in PAGE for kind in KINDS)
    assert all(rounding in PAGE for rounding in ROUNDINGS)


BY_DAYS = {"kind": "annuity", "rounding": "up", "day_count": "ACT/360"}


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({**BY_DAYS, "day_count": "ACT/366"}, r"amortisation.day_count: 'ACT/366' is none of ACT/365F, "),
        ({**BY_DAYS, "every_months": 5}, r"amortisation.every_months: 5 is none of 1, 2, 3, 4, 6, 12"),
        ({**BY_DAYS, "every_weeks": 3}, r"amortisation.every_weeks: 3 is none of 1, 2, 4"),
        ({**BY_DAYS, "every_weeks": 2, "every_months": 3}, r"amortisation.every_weeks: either every_months or every_weeks"),
        ({**BY_DAYS, "business_days": "never"}, r"amortisation.business_days: 'never' is none of following, "),
        ({**BY_DAYS, "holidays": ["2026-12-25"]}, r"amortisation.holidays: without business_days no due day is moved"),
        ({"kind": "annuity", "rounding": "up", "every_months": 3}, r"amortisation.every_months: needs a day_count: ACT/365F, "),
        ({"kind": "annuity", "rounding": "up", "end_of_month": True}, r"amortisation.end_of_month: needs a day_count: ACT/365F, "),
        ({**BY_DAYS, "business_days": "following", "holidays": ["2026-02-30"]}, r"amortisation.holidays"),
    ],
)
def test_a_calendar_that_makes_no_sense_is_told_with_its_field(said, why):
    with pytest.raises(CatalogError, match=why):
        parsed({**GOOD, "amortisation": said})
