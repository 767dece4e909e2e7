import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from msgspec import structs

from schemas.service import Service
from schemas.yamls import CatalogError
from streams import settings
from streams.cli import main
from streams.settings import SettingsError, load
from streams.supervisor import environ_of


def test_an_empty_environment_gives_the_defaults():
    found = load({})
    assert (found.kafka, found.gateway_host, found.gateway_port, found.ops_port) == ("127.0.0.1:19092", "127.0.0.1", 8080, 6066)
    assert found.home == Path(".tranche").absolute()


def test_every_fault_of_the_environment_is_named_at_once():
    wrong = {
        "TRANCHE_GATEWAY_PORT": "70000",
        "TRANCHE_OPS_PORT": "six",
        "TRANCHE_KAFKA": "localhost",
        "TRANCHE_POSTGRES": "mysql://x",
        "TRANCHE_SECRET": "short",
        "TRANCHE_SESSION_TIMEOUT_S": "1",
        "TRANCHE_TABLES": "disk",
        "TRANCHE_WEBHOOKS_TO": "1",
        "TRANCHE_BACKUPS": "/data/backups",
        "TRANCHE_WORKER": "../worker-1",
        "TRANCHE_KAFKA_PORT": "9092",
    }
    with pytest.raises(SettingsError) as caught:
        load(wrong)
    lines = str(caught.value).splitlines()
    assert sorted(line.split(":")[0] for line in lines) == sorted(wrong)


@pytest.mark.parametrize("seconds", ["nan", "inf", "", "5.9", "301", "-8"])
def test_a_session_timeout_beyond_the_brokers_bounds_is_a_fault(seconds):
    with pytest.raises(SettingsError, match="TRANCHE_SESSION_TIMEOUT_S"):
        load({"TRANCHE_SESSION_TIMEOUT_S": seconds})


@pytest.mark.parametrize("tables", ["", "disk", "RocksDB", "memory "])
def test_tables_are_in_memory_or_in_rocksdb(tables):
    assert [load({}).tables, load({"TRANCHE_TABLES": "rocksdb"}).tables] == ["memory", "rocksdb"]
    with pytest.raises(SettingsError, match=r"TRANCHE_TABLES: .* is none of memory, rocksdb"):
        load({"TRANCHE_TABLES": tables})


@pytest.mark.parametrize("worker", ["", ".", "..", "-w", "a/b", "../w", "w 1", "w" * 101, "w\n"])
def test_a_workers_name_is_one_that_a_folder_can_have(worker):
    assert load({"TRANCHE_WORKER": "pod-7.tranche_worker"}).worker == "pod-7.tranche_worker"
    with pytest.raises(SettingsError, match="TRANCHE_WORKER"):
        load({"TRANCHE_WORKER": worker})


@pytest.mark.parametrize("port", ["", "-1", "1.5", "65536", "²"])
def test_a_port_is_a_number_from_0_to_65535(port):
    with pytest.raises(SettingsError, match="TRANCHE_OPS_PORT"):
        load({"TRANCHE_OPS_PORT": port})


def test_the_secret_is_never_shown_in_a_fault():
    with pytest.raises(SettingsError) as caught:
        load({"TRANCHE_SECRET": "hunter2", "TRANCHE_POSTGRES": "mysql://me:hunter2@db/x"})
    assert "hunter2" not in str(caught.value)


def test_the_command_line_goes_before_the_environment():
    assert load({"TRANCHE_OPS_PORT": "7000"}, over={"TRANCHE_OPS_PORT": "7001"}).ops_port == 7001


def test_settings_survive_the_way_through_a_childs_environment():
    environ = {"TRANCHE_HOME": "/somewhere", "TRANCHE_SESSION_TIMEOUT_S": "9.5", "TRANCHE_TABLES": "rocksdb", "TRANCHE_SECRET": "s" * 32}
    given = load(environ)
    assert load(environ_of(given)) == given


def test_what_a_child_inherits_has_none_of_our_variables(monkeypatch):
    monkeypatch.setenv("TRANCHE_SECRET", "s" * 32)
    monkeypatch.setenv("OTHER", "1")
    inherited = settings.inherited()
    assert inherited["OTHER"] == "1"
    assert not [name for name in inherited if name.startswith("TRANCHE_")]


def test_a_folder_without_originators_is_named(tmp_path):
    with pytest.raises(CatalogError, match=str(tmp_path)):
        load({"TRANCHE_CATALOG": str(tmp_path)}).load_catalog()


def test_the_catalog_that_comes_with_tranche_is_sound():
    assert load({}).load_catalog().originators


def with_token(token):
    product = load({}).load_catalog().products["consumer-loan-usd"]
    return structs.replace(product, service=Service(url="http://x/", predicts="cash_flow", fallback="wait", lane=0, token=token))


@pytest.mark.parametrize(("value", "why"), [("", "must be set"), ("a secret\n", "must be of printable ASCII")])
def test_a_model_services_token_that_cannot_be_sent_is_named_with_its_product_and_not_shown(value, why):
    with pytest.raises(SettingsError, match=f"MODEL_TOKEN_X: {why}") as caught:
        settings.model_tokens([with_token("MODEL_TOKEN_X")], {"MODEL_TOKEN_X": value})
    assert "a secret" not in str(caught.value)


def test_only_what_may_be_a_token_of_a_model_service_is_taken_from_the_environment():
    tokens = {"MODEL_TOKEN_X": "x1", "MODEL_TOKEN_LATER": "y1"}
    environ = {**tokens, "MODEL_TOKEN_Z": "not to be sent\n", "TRANCHE_SECRET": "s"}
    assert settings.model_tokens([with_token("MODEL_TOKEN_X"), with_token(None)], environ) == tokens


def test_a_system_does_not_start_without_the_token_that_a_product_names(tmp_path):
    shutil.copytree(load({}).catalog, tmp_path / "catalog", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    file = tmp_path / "catalog" / "products" / "consumer-loan-usd.yaml"
    said = "{url: 'http://x/', predicts: cash_flow, fallback: wait, lane: 0, token: MODEL_TOKEN_X}"
    file.write_text(f"{file.read_text()}\nservice: {said}\n")
    environ = {"TRANCHE_CATALOG": str(tmp_path / "catalog"), "TRANCHE_HOME": str(tmp_path / "home"), "MODEL_TOKEN_X": None}
    done = CliRunner().invoke(main, ["up"], env=environ)
    assert done.exit_code == 2
    assert "MODEL_TOKEN_X: must be set: it is the token for the model service of consumer-loan-usd" in done.output
    assert not (tmp_path / "home").exists()
