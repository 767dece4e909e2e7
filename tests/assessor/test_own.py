"""Loans by the originator's own schedule, many at a time, are line by line what a plain implementation says of each."""

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from assessor_rows import changed
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agents.assessor.assessment import Assessor
from agents.assessor.own import to_come
from agents.assessor.schedule import Loans
from agents.router.routing import Router
from schemas.amortisation import ROUNDINGS, Amortisation
from schemas.columns import LINES
from tests.oracles import own as oracle
from tests.schedules import CATALOG, FIRST_DUE, ISSUED, OWN, number, parts_by

ASSESSOR = Assessor(CATALOG.products)
PARTS = parts_by(OWN.schedule_proof.conventions["act-360"], 1_200_000, 89_500, 12, first_due=FIRST_DUE)


def column(*schedules):
    rows = [None if one is None else [dict(zip(("due", "principal", "interest"), part, strict=True)) for part in one] for one in schedules]
    return pa.array(rows, LINES)


def row(parts=PARTS, **more):
    said = {
        "product": OWN.product,
        "product_version": OWN.version,
        "currency": "EUR",
        "issued": number(ISSUED),
        "term_months": 12,
        "rate": 89_500,
        "grade": "A1",
    }
    amounts = {"principal": sum(part[1] for part in parts), "outstanding": sum(part[1] for part in parts)}
    return {**said, **amounts, "schedule": column(parts)[0].as_py(), **more}


amounts = st.integers(0, 2) | st.integers(0, 10**6) | st.integers(0, 10**13)
schedules = st.lists(st.tuples(st.integers(1, 400), amounts, amounts), min_size=1, max_size=14).filter(
    lambda lines: sum(line[1] for line in lines)
)
terms = st.builds(Amortisation, st.just("own_schedule"), st.just("up"), st.sampled_from(ROUNDINGS))


@settings(max_examples=80, deadline=None)
@given(terms, st.lists(st.tuples(schedules, st.floats(0, 1.2) | st.integers(0, 14)), min_size=1, max_size=5))
@example(
    Amortisation("own_schedule", "up", "half_even"), [([(9, 10**13, 10**13), (9, 1, 0)], 1.1), ([(9, 0, 5), (9, 0, 5), (9, 90, 5)], 1.0)]
)
def test_what_is_to_come_is_what_the_plain_implementation_says(plan, loans):
    """Outstanding is any part of the principal, or what it is after so many lines."""
    issued, lines, outstanding = 20_000, [], []
    for steps, owed in loans:
        days = 20_000 + np.cumsum([step for step, _, _ in steps])
        lines.append([(int(day), principal, interest) for day, (_, principal, interest) in zip(days, steps, strict=True)])
        principal = sum(part[1] for part in lines[-1])
        outstanding.append(int(principal * owed) if isinstance(owed, float) else principal - sum(part[1] for part in lines[-1][:owed]))
    whole = [sum(part[1] for part in one) for one in lines]
    ints = [np.array(values, np.int64) for values in (whole, [0] * len(lines), [12] * len(lines), [issued] * len(lines), outstanding)]
    flow, rest = to_come(plan, Loans(*ints), column(*lines))
    for n, one in enumerate(lines):
        past, expected = oracle.to_come(plan, one, outstanding[n])
        count = len(expected)
        found = list(zip(*(array[:count, n].tolist() for array in (rest.due, rest.principal_cents, rest.interest_cents)), strict=True))
        assert found == expected
        assert rest.start[n] == (one[past - 1][0] if past else issued)
        assert not rest.principal_cents[count:, n].any()
        assert not rest.interest_cents[count:, n].any()
        assert (rest.due[count:, n] == one[-1][0]).all()
    assert rest.principal_cents.sum(axis=0).tolist() == outstanding
    assert flow.interest_cents.tolist() == [sum(part[2] for part in one) for one in lines]
    assert ((flow.remaining_months > 0) == (np.array(outstanding) > 0)).all()


def test_a_loan_is_assessed_by_its_own_lines():
    whole, half = ASSESSOR.assess(changed(row(), row(outstanding=1_200_000 - sum(part[1] for part in PARTS[:6])))).to_pylist()
    assert (whole["instalment_cents"], whole["last_instalment_cents"]) == (sum(PARTS[0][1:]), sum(PARTS[-1][1:]))
    assert (whole["interest_cents"], whole["residual_cents"]) == (sum(part[2] for part in PARTS), None)
    assert (whole["remaining_months"], half["remaining_months"]) == (13, 6)
    assert (whole["risk_group"], whole["price_bp"]) == ("A", 10_025)
    assert 0 < half["duration_days"] < whole["duration_days"] < 365
    assert 80_000 < half["expected_return_ppm"] < whole["expected_return_ppm"] < 95_000


@pytest.mark.parametrize("conventional", ["act-360", "month-end"])
def test_by_the_lines_of_a_convention_it_is_assessed_as_by_the_convention(conventional):
    plan = OWN.schedule_proof.conventions[conventional]
    computed = Assessor({OWN.product: msgspec.structs.replace(OWN, amortisation=plan)})
    parts = parts_by(plan, 1_200_000, 89_500, 12)
    ours, theirs = (one.assess(changed(row(parts))).to_pylist()[0] for one in (ASSESSOR, computed))
    assert theirs["residual_cents"] is not None
    assert {**ours, "residual_cents": None} == {**theirs, "residual_cents": None}


def test_a_version_without_a_schedule_has_nothing_to_come_and_is_not_offered():
    rows = ASSESSOR.assess(changed(row(schedule=None, asset_id="L1"), row(asset_id="L2")))
    assert [one["remaining_months"] for one in rows.to_pylist()] == [0, 13]
    routed = Router(CATALOG).route(rows, {}, {})
    assert [event.asset for events in routed for event in events] == ["L2"]
