"""The contract of model services, beside what is really asked and what the reference service really answers."""

import json
from pathlib import Path

import httpx
import jsonschema
import msgspec
import pyarrow as pa
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import schemas
from agents.assessor.answers import ids_of, question, read
from agents.assessor.assessment import Assessor
from schemas.columns import CHANGED
from schemas.service import CASH_FLOW, CLASSIFICATION, PREDICTS, Service
from streams.model_service import app
from tests.rows import CATALOG, CHANGED_ROW

CONTRACT = yaml.safe_load((Path(schemas.__file__).parent / "model-service.openapi.yaml").read_text())
ANSWERS = {CLASSIFICATION: "Classification", CASH_FLOW: "CashFlow"}
ASSESSOR = Assessor(CATALOG.products)


def check(name, said):
    schema = {"$ref": f"#/components/schemas/{name}", "components": CONTRACT["components"]}
    jsonschema.Draft202012Validator(schema).validate(said)


def product(predicts):
    service = Service(url="http://x/predict", predicts=predicts, fallback="wait", lane=0)
    return msgspec.structs.replace(CATALOG.products["consumer-loan-usd"], service=service)


async def post(body, **more):
    transport = httpx.ASGITransport(app(CATALOG))
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        return await client.post("/predict", content=body, **more)


@pytest.mark.parametrize("predicts", PREDICTS)
async def test_question_and_answer_are_of_the_contract_and_the_answer_is_the_built_in_assessment(predicts):
    loans = [{**CHANGED_ROW, "asset_id": f"L{n}", "outstanding": 100_000 * n} for n in range(7)]
    rows = ASSESSOR.assess(pa.RecordBatch.from_pylist(loans, schema=CHANGED))
    body = question(product(predicts), rows)
    check("Question", json.loads(body))
    answer = await post(body)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    check(ANSWERS[predicts], answer.json())
    found = read(product(predicts), ids_of(rows), answer.content)
    assert found.model == "tranche-reference/1"
    assert dict(found.columns) == {name: rows[name].to_pylist() for name in found.columns}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"no JSON", 422),
        (b'{"product": "no-such", "product_version": 1, "predicts": "cash_flow", "groups": [], "assets": []}', 422),
        (b'{"product": "consumer-loan-usd", "product_version": 1, "predicts": "all", "groups": [], "assets": []}', 422),
        (b'{"product": "consumer-loan-usd", "product_version": 1, "predicts": "cash_flow", "groups": [], "assets": [{"id": "x"}]}', 422),
        (b" " * (4 * 1024 * 1024 + 1), 413),
    ],
    ids=["no JSON", "no product", "nothing to predict", "no amounts", "too large"],
)
async def test_what_cannot_be_predicted_is_a_problem_of_the_contract(body, status):
    answer = await post(body)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    check("Problem", answer.json())


def entry(name, schema):
    """Values about the bounds of a field of the contract."""
    if "$ref" in schema:
        schema = CONTRACT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if "minimum" in schema:
        low, high = schema["minimum"], schema["maximum"]
        return st.sampled_from([low - 1, low, high, high + 1]) | st.integers(low, high) | st.sampled_from([None, "1", 0.5, True])
    return st.just("L1") if name == "id" else st.sampled_from(["A", "B", ""])


CASH_FLOWS = CONTRACT["components"]["schemas"]["CashFlow"]["properties"]["assets"]["items"]["properties"]


LEAST = {name: "L1" if name == "id" else 0 for name in CASH_FLOWS}  # of the contract


@given(st.sampled_from(sorted(CASH_FLOWS)).flatmap(lambda name: st.tuples(st.just(name), entry(name, CASH_FLOWS[name]))))
def test_what_is_read_is_of_the_contract_and_what_is_of_it_is_read(changed):
    name, value = changed
    said = {**LEAST, name: value}
    whole = {"model": "acme/2", "assets": [said]}
    try:
        check("CashFlow", whole)
        fits = (said["expected_return_ppm"] is None) == (said["duration_days"] is None)
    except jsonschema.ValidationError:
        fits = False
    try:
        read(product(CASH_FLOW), ["L1"], json.dumps(whole).encode())
    except ValueError:
        assert not fits
    else:
        assert fits
