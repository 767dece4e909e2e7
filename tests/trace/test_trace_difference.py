import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import schemas
from agents.merger.versions import DAYS, NAMES
from agents.router.routing import Router
from schemas.asset import LINE, LOAN, Kind, Status
from schemas.columns import ASSESSED, LINES
from schemas.events import SellOffer
from schemas.schedules import texts_of
from streams import document
from streams.trace import difference
from tests.rows import ASSESSED_ROW, CATALOG, CHANGED_ROW
from tests.stories import FIRST, LATE, PAID, REWRITTEN

EXAMPLES = Path(schemas.__file__).parent / "examples"
ROUTER = Router(CATALOG)


def stored(columns):
    """The values of ASSESSED as a row of the table has them; what is not said is of no account."""
    absent = dict.fromkeys(("schedule", "schedule_differences", "first_due", "maturity"))
    known = {name: columns.get(name, {**CHANGED_ROW, **absent}.get(name, 0)) for name in ASSESSED.names}
    row = {NAMES[name]: value for name, value in known.items()}
    row["schedule"] = texts_of(pa.array([row["schedule"]], LINES))[0].as_py()
    row["schedule_differences"] = None if row["schedule_differences"] is None else json.dumps(row["schedule_differences"])
    moment = None if row["updated_at"] is None else datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=row["updated_at"])
    days = {name: None if row[name] is None else date(1970, 1, 1) + timedelta(row[name]) for name in DAYS}
    times = {**days, "updated_at": moment}
    return {**row, **times, "digest": "00", "source_partition": 2, "source_offset": 6}


def of(field):
    if field.kind is Kind.TEXT:
        values = st.sampled_from(field.choices or ("a", "b", "c"))
    elif field.kind is Kind.SCHEDULE:
        values = st.lists(st.fixed_dictionaries({line.column: st.integers(0, 3) for line in LINE}), min_size=1, max_size=3)
    else:
        values = st.integers(field.low, field.high) | st.sampled_from((field.low, field.high))
    return values if field.required else st.none() | values


VERSIONS = st.fixed_dictionaries({field.column: of(field) for field in LOAN}).map(stored)


@given(st.lists(VERSIONS, min_size=1, max_size=5))
def test_the_differences_of_all_versions_applied_to_the_first_give_the_last(rows):
    told = difference.told(rows, None, {})
    said = {kind: dict(told[0][kind]) for kind in ("document", "assessment")}
    for version in told:
        for kind, changes in (("document", "differences"), ("assessment", "reassessed")):
            for one in version[changes]:
                assert said[kind].get(one["field"]) == one["before"]
                said[kind][one["field"]] = one["after"]
            there = {name: value for name, value in said[kind].items() if value is not None or name in version[kind]}
            assert there == version[kind]
    assert told[0]["differences"] == told[0]["reassessed"] == []


@given(VERSIONS, VERSIONS, st.sets(st.sampled_from([field.stored for field in LOAN])))
def test_exactly_the_fields_that_have_another_value_in_the_table_differ(one, other, taken):
    after = {**one, **{name: other[name] for name in taken}}
    found = difference.differences(difference.document(one), difference.document(after))
    names = {change["field"].partition(".")[0] if change["field"].startswith("schedule.") else change["field"] for change in found}
    assert names == {field.name for field in LOAN if one[field.stored] != after[field.stored]}


@given(VERSIONS, VERSIONS)
def test_a_version_differs_in_the_same_way_from_one_that_is_not_listed(one, other):
    assert difference.told([other], one, {}) == difference.told([one, other], None, {})[1:]


def test_a_document_is_told_as_its_originator_wrote_it():
    data = (EXAMPLES / "loan.bson").read_bytes()
    written = json.loads((EXAMPLES / "loan.json").read_text())
    told = difference.document(stored(document.read(data, LOAN)))
    for field in (field for field in LOAN if field.name in told and told[field.name] is not None):
        value = written
        for name in field.name.split("."):
            value = value[name]
        plain = next(iter(value.values())) if isinstance(value, dict) else value
        assert told[field.name] == (plain[:10] if field.kind is Kind.DAY else int(plain) if field.kind is Kind.WHOLE else plain)


def test_units_are_those_that_people_read():
    told = difference.assessment(stored({**FIRST, "last_instalment_cents": 5, "interest_cents": 123_456_789}))
    assert (told["price"], told["instalment"], told["last_instalment"], told["interest"]) == ("0.995", "41.06", "0.05", "1234567.89")
    whole = difference.document(stored({**FIRST, "rate": 2_000_000, "borrower_debt_ratio": 10, "paid_fees": 0}))
    assert (whole["rate"], whole["borrower.debt_ratio"], whole["paid.fees"]) == ("2", "0.00001", "0.00")
    assert difference.assessment(stored({**FIRST, "price_bp": 10_000}))["price"] == "1"


def test_a_field_that_goes_or_comes_differs_from_none_and_other_bytes_alone_differ_in_nothing():
    first, paid, rewritten, late = difference.told([stored(row) for row in (FIRST, PAID, REWRITTEN, LATE)], None, {})
    assert first["differences"] == []
    assert paid["differences"] == [
        {"field": "outstanding", "before": "1000.00", "after": "960.00"},
        {"field": "paid.principal", "before": "200.00", "after": "240.00"},
        {"field": "instalment", "before": None, "after": "41.00"},
        {"field": "purpose", "before": "car", "after": None},
    ]
    assert paid["reassessed"] == [{"field": "remaining_months", "before": 30, "after": 29}]
    assert rewritten["differences"] == rewritten["reassessed"] == []
    assert [one["field"] for one in late["differences"]] == ["status", "days_past_due"]


def test_what_is_expected_is_told_in_a_few_words_as_far_as_it_is_known():
    def words(loss, rate, days):
        row = stored({**FIRST, "expected_loss_ppm": loss, "expected_return_ppm": rate, "duration_days": days})
        return difference.expectations(difference.assessment(row))

    assert words(12_300, -56_100, 400) == "expected loss 0.0123, expected return -0.0561 a year, duration 400 days"
    assert words(0, None, None) == "expected loss 0, no expected return"
    assert words(None, None, None) == ""


def test_what_costs_the_score_most_is_told_as_far_as_it_is_known():
    told = [difference.reasons(difference.assessment(stored({**FIRST, "reasons": said}))) for said in ("rate -65", "", None)]
    assert told == ["points below the best: rate -65", "", ""]


def test_prices_are_told_as_far_as_they_are_known():
    before = {"buyer_price_bp": None, "product_version": None}
    told = [difference.prices(difference.assessment(stored({**FIRST, **said}))) for said in ({}, before)]
    assert told == ["price 0.995, buyer's price 0.9975, by version 2 of the product", "price 0.995"]


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize(("outstanding", "remaining"), [(1, 1), (0, 1), (1, 0)])
@pytest.mark.parametrize("days", [0, 1, 15, 16, 500])
def test_what_is_told_of_a_versions_sell_offer_is_what_the_router_does(status, outstanding, remaining, days):
    changed = {"status": str(status), "outstanding": outstanding, "remaining_months": remaining, "days_past_due": days}
    columns = {**ASSESSED_ROW, **changed}
    (told,) = difference.told([stored(columns)], None, {})
    routed = ROUTER.route(pa.RecordBatch.from_pylist([columns], schema=ASSESSED), {}, {})
    offers = [event.offer for market in routed for event in market if isinstance(event, SellOffer)]
    assert told["offered"] in ({True, None} if offers else {False, None})
    assert told["offered"] is not None or (days and status in {Status.CURRENT, Status.LATE}), "only how late it may be is not stored"
    assert told["sell_offer"] in {*offers, None}
    assert (told["sell_offer"] is None) == (told["offered"] is not True)


def test_what_was_invested_in_was_offered():
    (told,) = difference.told([stored(LATE)], None, {4: {"count": 1, "amount_cents": 5}})
    assert (told["offered"], told["sell_offer"], told["investments"]) == (True, "bluebird/loan-7/4", {"count": 1, "amount_cents": 5})
