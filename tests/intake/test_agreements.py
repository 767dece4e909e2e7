"""An asset comes in if its originator has signed what its product needs; one that is known goes on."""

from datetime import date

import pytest
from msgspec.structs import replace

from agents.intake.diff import Document, difference
from agents.intake.versions import unpack
from schemas.agreements import Needed
from schemas.asset import Change
from schemas.catalog import Originator
from streams.supersession import Supersession
from tests.loans import encoded, paid
from tests.rows import CATALOG

USD = CATALOG.products["consumer-loan-usd"]
PRODUCTS = {USD.product: replace(USD, agreements=Needed(originator=("servicing-2026", "warranty"), investor=("risk-notice",)))}
DAY = date(2026, 1, 15)
WHY = "'consumer-loan-usd' needs agreements that are not signed: "


def sent(*docs, agreements=(), table=None, supersedes=None):
    """What comes of documents of bluebird, which has signed `agreements`."""
    listed = {"bluebird": Originator("bluebird", "B", agreements=dict.fromkeys(agreements, DAY))}
    documents = [Document(doc, b"bluebird", 0, n, supersedes) for n, doc in enumerate(docs)]
    return difference(documents, table or {}, 0, 1, PRODUCTS, listed)


KNOWN = sent(encoded(), agreements=("servicing-2026", "warranty")).rows


LACKING = [
    ((), "servicing-2026, warranty"),
    (("warranty", "risk-notice"), "servicing-2026"),
    (("servicing-2026",), "warranty"),
]


@pytest.mark.parametrize(("agreements", "missing"), LACKING)
def test_an_asset_is_refused_with_the_agreements_that_are_missing(agreements, missing):
    found = sent(encoded(), encoded("LC2"), agreements=agreements)
    told = [(one.asset, one.field, one.reason) for one in found.refusals]
    assert told == [(asset, "product", WHY + missing) for asset in ("LC1", "LC2")]
    assert (found.versions, found.rows, found.outcomes) == ([], {}, {(0, "rejected"): 2})


def test_one_that_has_signed_more_than_is_needed_is_taken():
    assert sent(encoded(), agreements=("warranty", "other", "servicing-2026")).outcomes == {(0, "created"): 1}


def test_who_is_in_no_file_has_signed_nothing():
    found = difference([Document(encoded(), b"bluebird", 0, 0)], {}, 0, 1, PRODUCTS)
    assert found.refusals[0].reason == f"{WHY}servicing-2026, warranty"
    assert difference([Document(encoded(), b"bluebird", 0, 0)], {}, 0, 1, CATALOG.products).refusals == []


@pytest.mark.parametrize(
    ("changed", "change"),
    [
        ({"paid": paid("1984.14", "1300.00")}, Change.REPAYMENT_REPORTED),
        ({"status": "recalled"}, Change.RECALLED),
        ({"term_months": 48}, Change.EXTENDED),
    ],
    ids=str,
)
def test_a_known_asset_goes_on_without_them(changed, change):
    found = sent(encoded(**changed), table=KNOWN)
    assert ([one.change for one in found.versions], found.refusals) == ([change], [])


def test_a_version_that_is_restored_is_taken():
    (row,) = KNOWN.values()
    superseding = Supersession(unpack(row).version, bytes(16), None)
    found = sent(encoded(term_months=48), table=KNOWN, supersedes=superseding)
    assert (len(found.versions), found.refusals) == (1, [])
