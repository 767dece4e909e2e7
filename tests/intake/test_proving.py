"""A schedule that names a convention is computed again and compared, line by line, to the cent."""

from datetime import date, timedelta

import msgspec
import pytest
from bson.decimal128 import Decimal128
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.intake.diff import Document, difference
from schemas.amortisation import KINDS, Amortisation
from schemas.proof import ScheduleProof
from tests.schedules import ISSUED, OWN, at, encoded, lines, money, own, parts_by

LINES = own()["schedule"]
MANY = 12  # documents: enough to be read in lock-step


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


def off(number_, **cents):
    """The schedule with other amounts in one line."""
    whole = {name: money(int(LINES[number_][name].to_decimal() * 100) + more) for name, more in cents.items()}
    return line(number_, **whole)


@pytest.mark.parametrize("neighbours", [0, MANY])
def test_what_is_off_by_no_more_than_is_tolerated_is_told_line_by_line(neighbours):
    moved = [*off(3, principal=1, interest=-1)[:7], *off(7, principal=-1)[7:]]
    found = compared(encoded(schedule=moved), *(encoded(f"N{n}") for n in range(neighbours)))
    assert refused(found) == []
    expected = [{"line": 3, "principal": 1, "interest": -1}, {"line": 7, "principal": -1, "interest": 0}]
    assert differences(found) == [expected, *[[]] * neighbours]


OFF = "is 0.01, must be 1045.29, off by -1045.28 where 0.01 is tolerated, by convention 'act-360'; "


@pytest.mark.parametrize(
    ("schedule", "field", "reason"),
    [
        (off(7, interest=-2), "schedule.7.interest",
         "is 38.38, must be 38.40, off by -0.02 where 0.01 is tolerated, by convention 'act-360'"),
        ([*off(3, principal=-2)[:9], *off(9, principal=2)[9:]], "schedule.3.principal",
         "is 982.94, must be 982.96, off by -0.02 where 0.01 is tolerated, by convention 'act-360'; line 9: principal 0.02"),
        (line(7, due=at(date(2027, 5, 16))), "schedule.7.due", "is 2027-05-16, must be 2027-05-15, by convention 'act-360'"),
        ([*LINES[:11], {**LINES[11], "principal": money(1)}, {**LINES[11], "due": at(date(2027, 10, 15)), "principal": money(104_528)}],
         "schedule.11.principal", OFF + "has 13 lines, must have 12, by convention 'act-360'"),
    ],
)  # fmt: skip
def test_what_is_off_by_more_is_refused_with_its_line_both_amounts_and_the_difference(schedule, field, reason):
    assert refused(compared(encoded(schedule=schedule))) == [(0, field, reason)]


def test_of_many_lines_that_are_off_some_are_told_and_all_are_counted():
    ((_, field, reason),) = refused(compared(encoded(schedule=lines(parts_by(Amortisation("equal_principal", "down"), 1_200_000, 0, 12)))))
    assert field == "schedule.0.due"
    assert "; line 1: days -14 principal" in reason
    assert reason.endswith("and 6 more lines")


def test_another_tolerance_is_another_answer():
    proof = msgspec.structs.replace(OWN.schedule_proof, tolerance_cents=0)
    assert [field for _, field, _ in refused(compared(encoded(schedule=off(7, interest=-1)), schedule_proof=proof))] == [
        "schedule.7.interest"
    ]
    wide = msgspec.structs.replace(OWN.schedule_proof, tolerance_cents=50)
    found = compared(encoded(schedule=off(7, interest=-50)), schedule_proof=wide)
    assert differences(found) == [[{"line": 7, "principal": 0, "interest": -50}]]


terms = st.builds(
    Amortisation,
    st.sampled_from(KINDS),
    st.sampled_from(("up", "half_up", "half_even", "down")),
    day_count=st.none() | st.sampled_from(("ACT/360", "ACT/ACT ISDA", "30/360 US")),
)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(terms, st.integers(100, 10**9), st.integers(0, 400_000), st.integers(1, 24), st.integers(1, 60)), min_size=1, max_size=6
    )
)
def test_schedules_of_the_plain_implementations_are_proved_whatever_their_convention(loans):
    """Half of them with a first due day of their own; one instalment of each is then moved by a cent, which is found."""
    conventions = {f"c{n}": given_[0] for n, given_ in enumerate(loans)}
    product = msgspec.structs.replace(OWN, schedule_proof=ScheduleProof(conventions=conventions))
    docs, moved = [], []
    for n, (plan, principal, rate, months, late) in enumerate(loans):
        first = ISSUED + timedelta(late) if plan.day_count and n % 2 else None
        parts = parts_by(plan, principal, rate, months, first_due=first)
        parts = parts[-1:] if plan.kind == "bullet" else parts[: max(n for n, part in enumerate(parts, 1) if part[1] + part[2])]
        said = {"term_months": months, "rate": Decimal128(f"{rate}E-6"), "principal": money(principal), "schedule_convention": f"c{n}"}
        said["first_due"] = at(first) if first and plan.kind != "bullet" else None
        if first and plan.kind == "bullet":
            parts = parts_by(plan, principal, rate, months)[-1:]
        docs.append(encoded(f"L{n}", lines(parts), **said))
        place = late % len(parts)
        parts[place] = (*parts[place][:2], parts[place][2] + 1)
        moved.append((f"schedule.{place}.interest", encoded(f"M{n}", lines(parts), **said)))
    found = compared(*docs, product=product)
    assert refused(found) == []
    assert differences(found) == [[]] * len(docs)
    assert [field for _, field, _ in refused(compared(*(doc for _, doc in moved), product=product))] == [field for field, _ in moved]
