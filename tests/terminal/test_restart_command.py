"""`tranche restart` where it cannot be done; that it does it is in tests/broker/test_restarted.py."""

import subprocess
import sys

import pytest

from streams import settings
from tests.gateway.conftest import SECRET


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, "try `tranche up`"),
        (
            {"TRANCHE_SECRET": SECRET, "TRANCHE_GATEWAY_PORT": "1"},
            "the gateway at http://127.0.0.1:1/batches/a%2Fb/restart does not answer",
        ),
    ],
)
def test_where_no_gateway_answers_it_says_what_to_do(tmp_path, variables, said):
    command = [sys.executable, "-m", "streams.cli", "restart", "a/b", "--drop"]
    environ = {**settings.inherited(), "TRANCHE_HOME": str(tmp_path), **variables}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
