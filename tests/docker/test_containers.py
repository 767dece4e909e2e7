"""The files of docker/ fit the code: its commands, settings, ports and pages. Nothing here needs a container engine."""

import asyncio
import re
import sys
from pathlib import Path

import asyncpg
import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

from schemas.published import Products
from streams import metrics, settings, views
from streams.cli import main
from streams.embedded import jars
from streams.gateway.server import ROUTES
from tests.database import empty_database

__all__ = ["empty_database"]

FOLDER = Path(__file__).parents[2] / "docker"
TEXT = (FOLDER / "compose.yaml").read_text()
SERVICES = yaml.safe_load(TEXT)["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == "tranche"}
GIVEN = {"TRANCHE_SECRET": "0123456789abcdef" * 2, "POSTGRES_PASSWORD": "pass"}
DOCKERFILE = (FOLDER / "Dockerfile").read_text()


def environ(name: str) -> dict[str, str]:
    """The environment of a service, with what compose takes from its own."""
    return {
        variable: re.sub(r"\$\{(\w+):\?[^}]*\}", lambda found: GIVEN[found[1]], str(value))
        for variable, value in SERVICES[name]["environment"].items()
    }


@pytest.mark.parametrize("name", OURS)
def test_the_settings_of_a_service_are_accepted(name):
    given = settings.load(environ(name))
    assert (given.secret, given.kafka) == (GIVEN["TRANCHE_SECRET"], "kafka:9092")
    assert "@postgres:5432/" in given.postgres


def test_a_service_runs_a_command_that_there_is():
    assert 'ENTRYPOINT ["tranche"]' in DOCKERFILE
    assert {name: service["command"] for name, service in OURS.items() if "entrypoint" not in service} == {
        name: [name] for name in ("worker", "gateway") if name in main.commands
    }


def test_a_secret_comes_from_the_environment_and_has_no_default():
    assert set(re.findall(r"\$\{(\w+)(:\?|)", TEXT)) == {(name, ":?") for name in GIVEN}


def test_only_loopback_addresses_are_published_and_the_port_is_the_one_that_is_served():
    ports = {name: port for name, service in SERVICES.items() for port in service.get("ports", ())}
    assert all(port.startswith("127.0.0.1:") for port in ports.values())
    for name, port in (("gateway", "gateway_port"), ("worker", "ops_port"), ("kafka", "kafka")):
        assert ports[name].rpartition(":")[2] == settings.DEFAULTS[port].rpartition(":")[2]


def test_the_servers_are_of_the_versions_that_the_tests_run_against():
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{jars.VERSION}"
    assert SERVICES["postgres"]["image"] == "postgres:18"


def test_health_and_metrics_are_asked_where_they_are():
    pages = {"gateway": {route.path for route in ROUTES}, "worker": set(views._handlers(None, None, Products(), None))}
    scraped = yaml.safe_load((FOLDER / "prometheus.yml").read_text())["scrape_configs"]
    for name, port in (("gateway", "gateway_port"), ("worker", "ops_port")):
        (asked,) = re.findall(rf"http://127\.0\.0\.1:{settings.DEFAULTS[port]}(/[\w/]+)", SERVICES[name]["healthcheck"]["test"][-1])
        assert {asked, "/metrics"} <= pages[name]
        assert {"job_name": name, "targets": [f"{name}:{settings.DEFAULTS[port]}"]} in [
            {"job_name": job["job_name"], **job["static_configs"][0]} for job in scraped
        ]


def test_whatever_ends_is_started_again_whether_by_its_own_code_or_with_the_machine():
    assert {name for name, service in SERVICES.items() if service.get("restart") != "unless-stopped"} == {"init"}


def test_the_alerts_are_rules_on_metrics_that_there_are():
    assert yaml.safe_load((FOLDER / "prometheus.yml").read_text())["rule_files"] == ["alerts.yml"]
    (group,) = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
    known = {
        metric._name + ("_total" if metric._type == "counter" else ""): {*metric._labelnames}
        for metric in vars(metrics).values()
        if isinstance(metric, MetricWrapperBase)
    }
    for rule in group["rules"]:
        assert set(rule) <= {"alert", "expr", "for", "annotations"}
        named = re.findall(r"\btranche_\w+", rule["expr"])
        assert named, rule["alert"]
        assert all(name in known for name in named), rule["expr"]
        shown = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
        kept = re.search(r"by \(([^)]*)\)", rule["expr"])
        labels = set(kept[1].split(", ")) if kept else known[named[0]] | {"instance"}
        assert shown <= labels, "what the summary shows is still there after the aggregation"


def test_the_image_has_all_our_packages_and_does_not_run_as_root():
    copied = set(re.findall(r"^COPY (\w+) \1$", DOCKERFILE, re.MULTILINE))
    assert copied == {path.parent.name for path in FOLDER.parent.glob("*/__init__.py")} - {"tests"}
    sent = re.findall(r"^!(.+)$", (FOLDER / "Dockerfile.dockerignore").read_text(), re.MULTILINE)
    assert set(sent) == copied | {"pyproject.toml", "requirements.lock", "README.md"}
    assert re.findall(r"^USER (.+)$", DOCKERFILE, re.MULTILINE) == ["tranche"]


async def test_init_makes_topics_and_schema_and_may_run_again(kafka, empty_database):
    (program,) = SERVICES["init"]["command"]
    variables = {**settings.inherited(), **environ("init"), "TRANCHE_KAFKA": kafka, "TRANCHE_POSTGRES": empty_database}
    for _ in range(2):
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, env=variables)
        assert await process.wait() == 0
    connection = await asyncpg.connect(empty_database)
    assert await connection.fetchval("SELECT count(*) FROM investments") == 0
    await connection.close()
