"""What a service answers: taken if it is exactly what was asked for, else refused with what and where."""

import json

import msgspec
import pytest
from assessor_rows import changed, message
from hypothesis import given
from hypothesis import strategies as st

from agents.assessor.agent import stages
from agents.assessor.answers import WrongAnswerError, ids_of, question, read
from agents.assessor.assessment import Assessor
from schemas.columns import ASSESSED, CHANGED, decode
from schemas.service import Service
from streams import topics
from streams.effects import Message, Table
from tests.rows import CATALOG

USD, EUR = CATALOG.products["consumer-loan-usd"], "consumer-loan-eur"
IDS = ["bluebird/L1/1", "bluebird/L2/1", "bluebird/L3/7"]


def asking(predicts="classification", fallback="wait", lane=3):
    return msgspec.structs.replace(USD, service=Service(url="http://x/predict", predicts=predicts, fallback=fallback, lane=lane))


GRADE = {"score": 100, "risk_group": "A", "reasons": "rate -5"}
FLOW = {
    "remaining_months": 12, "instalment_cents": 5, "last_instalment_cents": 4, "interest_cents": 3,
    "expected_loss_ppm": 2, "expected_return_ppm": 1, "duration_days": 0,
}  # fmt: skip


def body(*ids, of=GRADE, model="acme/2", **more):
    return json.dumps({"model": model, "assets": [{"id": one, **of} for one in ids], **more}).encode()


@given(st.permutations(IDS))
def test_an_answer_in_any_order_is_put_into_that_of_the_question(order):
    scores = {one: n for n, one in enumerate(order)}
    said = json.dumps({"model": "acme/2", "assets": [{"id": one, "score": scores[one], "risk_group": "B"} for one in order]}).encode()
    answer = read(asking(), IDS, said)
    assert answer.columns == {"score": [scores[one] for one in IDS], "risk_group": ["B"] * 3, "reasons": [""] * 3}


@given(st.lists(st.sampled_from([*IDS, "bluebird/L9/1", "harbor/L1/1"]), max_size=6))
def test_every_asset_is_answered_once_and_no_other(ids):
    if sorted(ids) == sorted(IDS):
        assert len(read(asking(), IDS, body(*ids)).columns["score"]) == 3
        return
    with pytest.raises(WrongAnswerError, match=r"(not answered|answered twice|not asked about)$") as fault:
        read(asking(), IDS, body(*ids))
    assert any(one in str(fault.value) for one in (*IDS, "bluebird/L9/1", "harbor/L1/1"))


@given(st.permutations(IDS), st.sampled_from(IDS), st.integers(0, 3))
def test_an_answer_that_has_an_asset_twice_is_refused(order, again, place):
    with pytest.raises(WrongAnswerError, match=f"^{again}: answered twice$"):
        read(asking(), IDS, body(*order[:place], again, *order[place:]))


@given(
    st.sampled_from(sorted(FLOW)), st.one_of(st.integers(max_value=-1_000_001), st.integers(min_value=10**14 + 1), st.floats(), st.text())
)
def test_a_value_out_of_its_bounds_is_named(field, value):
    if field == "expected_return_ppm" and isinstance(value, int) and -1_000_000 <= value <= 10**12:
        return
    if isinstance(value, float) and value.is_integer() and 0 <= value <= 600:
        return
    with pytest.raises(WrongAnswerError):
        read(asking("cash_flow"), IDS, body(*IDS, of={**FLOW, field: value}))


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"no JSON", "malformed"),
        (b"[" * 100_000, "."),
        (body(*IDS, of={**GRADE, "risk_group": "Z"}), "L1/1: risk_group 'Z' is none of A, B"),
        (body(*IDS, of={"score": 1}), r"risk_group. - at `\$.assets"),
        (body(*IDS, of={**GRADE, "more": 1}), "unknown field `more`"),
        (body(*IDS, model="built_in"), "not a service's"),
        (body(*IDS, model="a b"), r"\$.model"),
        (body(*IDS, of={**GRADE, "reasons": "<\u2028>"}), "reasons"),
    ],
)
def test_what_is_no_answer_is_refused_with_its_place(said, why):
    with pytest.raises(WrongAnswerError, match=why):
        read(asking(), IDS, said)


def test_return_and_duration_are_null_together():
    with pytest.raises(WrongAnswerError, match="null together"):
        read(asking("cash_flow"), IDS, body(*IDS, of={**FLOW, "duration_days": None}))


def catalog(product):
    return msgspec.structs.replace(CATALOG, products={**CATALOG.products, USD.product: product})


def assess(stage, answers, *messages):
    return [row for one in stage.compute(Table(), messages, answers=answers).records for row in decode(one.value, ASSESSED).to_pylist()]


def through(direct, pinned, *rows, partition=5):
    effects = direct.compute(pinned, [message(changed(*rows), partition)])
    pinned.apply(effects.rows)
    return [
        (
            record.topic,
            record.partition,
            [row["asset_id"] for row in decode(record.value, ASSESSED if record.topic == topics.ASSESSED else CHANGED).to_pylist()],
        )
        for record in effects.records
    ]


def test_a_product_with_a_service_goes_by_its_lane_and_the_others_go_on():
    direct, _ = stages(catalog(asking()))
    went = through(direct, Table(), {"asset_id": "a"}, {"asset_id": "b", "product": EUR}, {"asset_id": "c"})
    assert went == [(topics.ASSESSED, 5, ["b"]), (topics.QUERIED, 3, ["a", "c"])]


def test_an_asset_stays_in_its_lane_whatever_becomes_of_its_product():
    pinned = Table()
    through(stages(catalog(asking()))[0], pinned, {"asset_id": "a"})
    without, elsewhere = stages(CATALOG)[0], stages(catalog(asking(lane=6)))[0]
    assert through(without, pinned, {"asset_id": "a", "version": 2}, {"asset_id": "b"}) == [
        (topics.ASSESSED, 5, ["b"]),
        (topics.QUERIED, 3, ["a"]),
    ]
    assert through(elsewhere, pinned, {"asset_id": "a", "version": 3}, {"asset_id": "c"}) == [
        (topics.QUERIED, 3, ["a"]),
        (topics.QUERIED, 6, ["c"]),
    ]


def test_within_one_step_too_a_version_follows_the_one_before_it_into_the_lane():
    direct, _ = stages(catalog(asking()))
    went = through(direct, Table(), {"asset_id": "a"}, {"asset_id": "a", "version": 2, "product": EUR})
    assert went == [(topics.QUERIED, 3, ["a", "a"])]


def queried(*rows, partition=5):
    return Message("assets.queried", 3, 0, 0, None, message(changed(*rows)).value, (("partition", b"%d" % partition),))


def test_the_services_answer_is_written_with_its_model_to_the_assets_own_partition():
    _, stage = stages(catalog(asking()))
    asked = queried({"asset_id": "a"}, {"asset_id": "b"})
    (query,) = stage.questions([asked])
    answer = query.read(body(*(one["id"] for one in json.loads(query.body)["assets"]), of={**GRADE, "risk_group": "F"}))
    effects = stage.compute(Table(), [asked], answers={query.id: answer})
    assert [record.partition for record in effects.records] == [5]
    rows = assess(stage, {query.id: answer}, asked)
    assert [(row["score"], row["risk_group"], row["reasons"], row["model"]) for row in rows] == [(100, "F", "rate -5", "acme/2")] * 2
    last = USD.groups[[group.name for group in USD.groups].index("F")]
    assert rows[0]["price_bp"] == last.price_bp, "the price is the group's"


def test_a_cash_flow_is_the_services_and_the_grade_is_built_in():
    _, stage = stages(catalog(asking("cash_flow")))
    (query,) = stage.questions([queried({})])
    (id_,) = (one["id"] for one in json.loads(query.body)["assets"])
    (row,) = assess(stage, {query.id: query.read(body(id_, of=FLOW))}, queried({}))
    (plain,) = Assessor(CATALOG.products).assess(changed({})).to_pylist()
    assert row == {**plain, **FLOW, "residual_cents": None, "model": "acme/2"}


def test_without_an_answer_it_is_the_built_in_assessment_and_says_so():
    _, stage = stages(catalog(asking(fallback="built_in")))
    (query,) = stage.questions([queried({})])
    (row,) = assess(stage, {query.id: "answered 500"}, queried({}))
    (plain,) = Assessor(CATALOG.products).assess(changed({})).to_pylist()
    assert row == {**plain, "model": "built_in (fallback)"}


def test_a_question_has_a_bounded_number_of_assets_and_is_the_same_when_asked_again():
    _, stage = stages(catalog(asking()))
    asked = [queried(*({"asset_id": f"L{n}"} for n in range(600))), queried({"asset_id": "z"}, partition=1)]
    first, again = stage.questions(asked), stage.questions(asked)
    assert [len(json.loads(one.body)["assets"]) for one in first] == [250, 250, 100, 1]
    assert [(one.id, one.body) for one in first] == [(one.id, one.body) for one in again]
    assert not {"digest", "batch", "position"} & json.loads(first[0].body)["assets"][0].keys()


def test_what_a_service_is_asked_names_each_version_and_the_price():
    rows = Assessor(CATALOG.products).assess(changed({}, {"asset_id": "L2", "version": 4}))
    said = json.loads(question(asking(), rows))
    assert [asset["id"] for asset in said["assets"]] == ids_of(rows) == ["bluebird/L1/1", "bluebird/L2/4"]
    assert said["assets"][0]["price_bp"] == rows["price_bp"][0].as_py()
