"""First due days, maturities and schedules: what cannot be is refused with its field and reason, what names a convention is proved."""

from datetime import date, timedelta

import bson
import msgspec
import pytest
from bson.decimal128 import Decimal128

from agents.intake.agent import take_in
from agents.intake.diff import Document, difference
from schemas import columns
from schemas.amortisation import Amortisation
from schemas.catalog import parse
from schemas.kinds import Lines
from schemas.yamls import CatalogError
from streams import topics
from streams.effects import Message, Table
from streams.partition import partition_of
from streams.supersession import HEADER, Supersession, pack
from tests.schedules import CATALOG, FIRST_DUE, ISSUED, OWN, PRODUCT, at, encoded, lines, number, own, parts_by

HOME = partition_of(b"bluebird/LC1", 8)
LINES = own()["schedule"]
MANY = 12  # documents: enough to be read in lock-step
BY_DAYS = msgspec.structs.replace(OWN, amortisation=OWN.schedule_proof.conventions["act-360"])
BY_MONTHS = msgspec.structs.replace(OWN, amortisation=Amortisation("annuity", "up"))


def compared(*docs, product=OWN, **changed):
    """What intake finds of `docs`, which are of `product`."""
    products = {product.product: msgspec.structs.replace(product, **changed)}
    return difference([Document(data, b"bluebird", 0, n) for n, data in enumerate(docs)], {}, 0, 1, products)


def refused(found):
    return [(one.document.position, one.field, one.reason) for one in found.refusals]


def differences(found):
    return found.columns["schedule_differences"].to_pylist()


def line(number_, **changed):
    """The schedule with something else in one line."""
    return [{**one, **(changed if n == number_ else {})} for n, one in enumerate(LINES)]


WRONG = [
    ({"first_due": at(ISSUED)}, "first_due", "must be after issued"),
    ({"first_due": at(ISSUED + timedelta(732))}, "first_due", "is 2028-09-02, more than 731 days after issued"),
    ({"maturity": at(ISSUED - timedelta(1))}, "maturity", "must be after issued"),
    ({"maturity": at(FIRST_DUE - timedelta(1))}, "maturity", "must not be before first_due"),
    ({"maturity": at(date(2029, 1, 1))}, "maturity", "is 2029-01-01, must be between 2027-08-01 and 2027-11-15: term_months is 12"),
    ({"schedule": ...}, "schedule", "is missing: product 'own-schedule-eur' is repaid by the originator's own schedule"),
    ({"schedule": line(0, due=at(ISSUED))}, "schedule.0.due", "must be after issued"),
    ({"schedule": line(11, due=at(date(2028, 1, 1))), "schedule_convention": None}, "schedule.11.due",
     "is 2028-01-01, must be between 2027-08-01 and 2027-11-15: term_months is 12"),
    ({"schedule": LINES[:11]}, "schedule", "principal parts add up to 10954.71, principal is 12000.00"),
    ({"schedule": line(3, principal=Decimal128("1000000000000"))}, "schedule",
     "principal parts add up to 1000000011017.04, principal is 12000.00"),
    ({"schedule_convention": "act-361"}, "schedule_convention",
     "'act-361' is not known; there are act-360, month-end, months, equal, at-the-end, interest-first"),
    ({"schedule_convention": None, "first_due": at(FIRST_DUE + timedelta(1))}, "first_due",
     "is 2026-10-16, must be 2026-10-15: that is the first of schedule"),
    ({"schedule_convention": None, "maturity": at(date(2027, 9, 16))}, "maturity",
     "is 2027-09-16, must be 2027-09-15: that is the last of schedule"),
]  # fmt: skip


@pytest.mark.parametrize("neighbours", [0, MANY])
@pytest.mark.parametrize(("changed", "field", "reason"), WRONG)
def test_what_cannot_be_is_refused_with_its_field_and_reason_and_its_neighbours_are_taken(changed, field, reason, neighbours):
    found = compared(encoded(**changed), *(encoded(f"N{n}") for n in range(neighbours)))
    assert refused(found) == [(0, field, reason)]
    assert len(found.versions) == neighbours


@pytest.mark.parametrize("changed", [{}, {"schedule_convention": None}, {"maturity": at(date(2027, 9, 15))}, {"first_due": None}])
def test_what_agrees_is_taken(changed):
    schedule = None if "first_due" not in changed else lines(parts_by(BY_DAYS.amortisation, 1_200_000, 89_500, 12))
    found = compared(encoded(schedule=schedule, **changed))
    assert refused(found) == []
    assert differences(found) == [None if "schedule_convention" in changed else []]


def test_a_loan_of_whole_months_takes_only_the_days_that_it_has_anyway():
    bare = {"schedule": ..., "schedule_convention": ...}
    regular = {"first_due": at(date(2026, 10, 1)), "maturity": at(date(2027, 9, 1))}
    assert refused(compared(encoded(**bare, **regular), product=BY_MONTHS)) == []
    why = "product 'own-schedule-eur' has no day_count, its periods are whole months"
    assert refused(compared(encoded(**bare), product=BY_MONTHS)) == [(0, "first_due", f"is 2026-10-15, must be 2026-10-01: {why}")]
    late = {**regular, "maturity": at(date(2027, 9, 2))}
    assert refused(compared(encoded(**bare, **late), product=BY_MONTHS)) == [(0, "maturity", f"is 2027-09-02, must be 2027-09-01: {why}")]
    bullet = msgspec.structs.replace(BY_MONTHS, amortisation=Amortisation("bullet", "up"))
    both = {"first_due": at(date(2027, 9, 1)), "maturity": at(date(2027, 9, 1))}
    assert refused(compared(encoded(**bare, **both), product=bullet)) == []


def test_a_convention_without_a_schedule_and_one_of_a_product_that_has_none_are_refused():
    found = compared(encoded(schedule=...), product=BY_DAYS)
    assert refused(found) == [(0, "schedule_convention", "there is no schedule that it could be of")]
    found = compared(encoded(), product=BY_DAYS, schedule_proof=None)
    assert refused(found) == [(0, "schedule_convention", "'act-360' is not known; product 'own-schedule-eur' has none")]


def taken(table, *docs, catalog=CATALOG, headers=()):
    message = Message("assets.ingest", HOME, 7, 0, None, b"".join(docs), (("originator", b"bluebird"), *headers))
    effects = take_in(catalog, table, [message])
    table.apply(effects.rows)
    return [row for one in effects.records if one.topic is topics.CHANGED for row in columns.decode(one.value, columns.CHANGED).to_pylist()]


@pytest.mark.parametrize(
    "changed",
    [
        {"schedule": [*LINES[:6], {**LINES[6], "interest": Decimal128("45.00")}, *LINES[7:]], "schedule_convention": None},
        {"first_due": None},
        {"maturity": at(date(2027, 9, 15))},
        {"schedule_convention": None},
    ],
)
def test_what_is_said_of_the_schedule_is_a_term(changed):
    table = Table()
    plain = {"schedule_convention": None} if changed.keys() & {"schedule", "first_due"} else {}
    taken(table, encoded(**plain))
    (row,) = taken(table, encoded(**{**plain, **changed}))
    assert row["change"] == "terms_changed"
    (again,) = taken(table, encoded(**{**plain, **changed}, days_past_due=1))
    assert again["change"] == "status_changed"


def test_a_schedule_is_kept_as_it_was_sent():
    (row,) = taken(Table(), encoded())
    said = parts_by(BY_DAYS.amortisation, 1_200_000, 89_500, 12, first_due=FIRST_DUE)
    assert row["schedule"] == [{"due": due, "principal": principal, "interest": interest} for due, principal, interest in said]
    assert (row["first_due"], row["maturity"], row["schedule_convention"]) == (number(FIRST_DUE), None, "act-360")


def test_a_version_that_is_restored_is_taken_though_its_convention_is_gone():
    table = Table()
    taken(table, encoded())
    without = msgspec.structs.replace(
        CATALOG, products={**CATALOG.products, OWN.product: msgspec.structs.replace(OWN, schedule_proof=None)}
    )
    restored = pack([Supersession(1, bytes(16), None)])
    (row,) = taken(table, encoded(days_past_due=3), catalog=without, headers=((HEADER, restored),))
    assert (row["version"], row["schedule_differences"]) == (2, None)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("tolerance_cents: 1", "tolerance_cents: -1", "schedule_proof.tolerance_cents"),
        ("{kind: bullet, rounding: half_up}", "{kind: bullet, rounding: some}",
         r"schedule_proof.conventions.at-the-end.rounding: 'some' is none of up, half_up"),
        ("{kind: bullet, rounding: half_up}", "{kind: own_schedule, rounding: up}",
         r"schedule_proof.conventions.at-the-end.kind: 'own_schedule' is what is to be proved"),
        ("kind: own_schedule ", "kind: own_schedule\n  day_count: ACT/360 ", r"amortisation.day_count: an own_schedule has its own"),
    ],
)  # fmt: skip
def test_a_product_that_makes_no_sense_is_told_with_its_field(old, new, why):
    text = PRODUCT.read_text()
    assert old in text
    with pytest.raises(CatalogError, match=why):
        parse({"f.yaml": text.replace(old, new)}, ("o", "[]"), ("EUR",))


def test_schedules_of_another_kind_of_asset_are_told_by_its_own_words():
    places = ["originator_id", "asset_id", "product", "updated_at"]
    fields = ("status", "currency", "country", "sale", "issued", "term_months", "rate", "principal", "outstanding")
    document = [{"path": f"x_{name}", "as": name} for name in fields]
    document += [{"value": 0, "as": name} for name in ("paid.principal", "paid.interest", "paid.fees", "days_past_due")]
    document.append({"path": "plan", "as": "schedule"})
    whole = msgspec.convert(document, Lines)
    other = msgspec.structs.replace(OWN, document=whole)
    said = own(schedule=LINES[:-1], schedule_convention=...)
    data = {name if name in places else "plan" if name == "schedule" else f"x_{name}": value for name, value in said.items()}

    found = compared(bson.encode(data), product=other)
    assert refused(found) == [(0, "plan", "principal parts add up to 10954.71, x_principal is 12000.00")]
