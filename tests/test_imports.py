"""Imports point one way: schemas <- pure modules of agents <- agents/*/agent.py -> streams; and pure means pure."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# What of streams is pure itself: the cutting, routing, decoding and comparing of documents.
PURE_STREAMS = {
    "streams.frames",
    "streams.partition",
    "streams.decode",
    "streams.layout",
    "streams.document",
    "streams.notices.cutting",
    "streams.restoring",
    "streams.schedules",
    "streams.supersession",
    "streams.trace.difference",
    "streams.webhooks.addresses",
}
# How a loan is repaid, which the assessor predicts by, and intake proves schedules by.
REPAYMENT = {f"agents.assessor.{name}" for name in ("calendar", "lines", "proof", "schedule")}
# What an agent.py hands its work over to. It may not reach past it to Kafka, PostgreSQL or HTTP.
INTERFACE = {"streams.topics", "streams.effects", "streams.guard", *PURE_STREAMS}
IMPURE = {
    "asyncio",
    "time",
    "random",
    "secrets",
    "os",
    "socket",
    "threading",
    "subprocess",
    "uuid",
    "aiokafka",
    "faust",
    "asyncpg",
    "httpx",
}
COLUMNS = {"numba", "numpy", "pyarrow", "msgspec", "xxhash", "bson", "yaml"}
PARSER = {"lark"}


def imports(path: Path) -> set[str]:
    """Every module that a file imports, wherever in it the import stands."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            if node.module in {"streams", "agents", "schemas"}:
                found |= {f"{node.module}.{alias.name}" for alias in node.names}
            else:
                found.add(node.module or "")
    return found


def modules(pattern: str) -> list[Path]:
    return sorted(path for path in ROOT.glob(pattern) if path.name != "__init__.py")


def short(path: Path) -> str:
    return str(path.relative_to(ROOT))


OURS = [path for folder in ("schemas", "agents", "streams") for path in modules(f"{folder}/**/*.py")]


def outside(found: set[str], *allowed: str) -> set[str]:
    """What is neither allowed (a module or anything below it), nor of the standard library."""
    standard = {name for name in found if name.partition(".")[0] in sys.stdlib_module_names}
    return {name for name in found - standard if not any(name == one or name.startswith(f"{one}.") for one in allowed)}


def of_agents(path: Path) -> str:
    return f"agents.{path.parent.name}"


@pytest.mark.parametrize("path", modules("schemas/**/*.py"), ids=short)
def test_the_contracts_import_nothing_of_ours_and_nothing_impure(path):
    found = imports(path)
    assert not outside(found, "schemas", *COLUMNS)
    assert not {name.partition(".")[0] for name in found} & IMPURE


@pytest.mark.parametrize("path", [p for p in modules("agents/*/*.py") if p.name != "agent.py"], ids=short)
def test_a_pure_module_knows_contracts_and_its_own_folder_only(path):
    # modules of sinks say what is to be written, in the terms of a Sink
    terms = {"merger": {"streams.effects"}, "notifier": {"streams.effects"}, "intake": REPAYMENT}.get(path.parent.name, set())
    found = imports(path)
    assert not outside(found, "schemas", of_agents(path), *COLUMNS, *PARSER, *PURE_STREAMS, *terms)
    assert not {name.partition(".")[0] for name in found} & IMPURE


@pytest.mark.parametrize("path", modules("agents/*/agent.py"), ids=short)
def test_an_agent_hands_over_to_the_step_and_writes_nothing_itself(path):
    found = imports(path)
    assert not outside(found, "schemas", of_agents(path), *COLUMNS, *INTERFACE)
    assert not {name.partition(".")[0] for name in found} & IMPURE


@pytest.mark.parametrize("path", [ROOT / f"{name.replace('.', '/')}.py" for name in sorted(PURE_STREAMS)], ids=short)
def test_the_pure_modules_of_streams_are_pure(path):
    found = imports(path)
    assert not outside(found, "schemas", *COLUMNS, *PURE_STREAMS)
    assert not {name.partition(".")[0] for name in found} & IMPURE


@pytest.mark.parametrize("path", OURS, ids=short)
def test_only_the_settings_read_the_environment(path):
    source = path.read_text()
    assert path.name == "settings.py" or not any(way in source for way in ("os.environ", "getenv", "__import__"))


def test_files_are_of_a_size_that_one_can_read():
    long = {short(path): n for path in OURS + modules("tests/**/*.py") if (n := len(path.read_text().splitlines())) > 250}
    assert not long
