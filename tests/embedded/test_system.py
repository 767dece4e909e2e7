"""The supervisor: whole systems, their workers and gateways played by a small stub."""

import asyncio
import errno
import json
import socket
import stat
import sys
from pathlib import Path

import httpx
import psutil
import pytest

from streams import settings, store, supervisor
from streams.embedded import control, runfile
from streams.embedded.errors import AlreadyRunningError, PortTakenError, StartError, TopicsError
from streams.supervisor import System
from tests.embedded.waiting import until

STUB = (sys.executable, str(Path(__file__).with_name("stub.py")))


@pytest.fixture
def given(tmp_path, monkeypatch):
    monkeypatch.setattr(supervisor, "COMMAND", STUB)
    return settings.load({"TRANCHE_HOME": str(tmp_path / "home"), "TRANCHE_GATEWAY_PORT": "0", "TRANCHE_OPS_PORT": "0"})


async def get(url):
    async with httpx.AsyncClient(trust_env=False) as client:
        return (await client.get(url)).status_code


async def test_a_system_serves_names_its_processes_and_stops_them_all(given, kafka, postgres):
    steps = []
    async with System(given, kafka=kafka, postgres=postgres, workers=2, report=steps.append) as system:
        for url in (system.gateway_url, *system.ops_urls):
            assert await get(url) == 200
        assert steps == ["topics", "schema", "worker", "gateway"] == list(system.steps)
        run = runfile.running(given.home)
        assert run.ready
        assert list(run.processes) == ["worker-1", "worker-2", "gateway"]
        assert (run.kafka, run.postgres, run.gateway_url, run.ops_urls) == (kafka, postgres, system.gateway_url, system.ops_urls)
        assert stat.S_IMODE(runfile.path(given.home).stat().st_mode) == 0o600
        pids = list(system.pids.values())
    assert not any(psutil.pid_exists(pid) for pid in pids)
    assert runfile.read(given.home) is None


async def test_each_worker_has_a_name_and_a_port_of_its_own_and_the_same_secret(given, kafka, postgres):
    async with System(given, kafka=kafka, postgres=postgres, workers=2) as system:
        first, second = (json.loads((given.home / f"worker-{n}.environ").read_text()) for n in (1, 2))
        assert {name for name in first if first[name] != second[name]} == {"TRANCHE_WORKER", "TRANCHE_OPS_PORT"}
        assert first["TRANCHE_SECRET"] == system.settings.secret == (given.home / "secret").read_text()
        assert {**first, "TRANCHE_OPS_PORT": "", "TRANCHE_WORKER": ""} == {**system.environ, "TRANCHE_OPS_PORT": "", "TRANCHE_WORKER": ""}
    assert stat.S_IMODE((given.home / "secret").stat().st_mode) == 0o600


async def test_a_killed_worker_comes_back_and_the_run_file_knows(given, kafka, postgres):
    async with System(given, kafka=kafka, postgres=postgres, gateway=False) as system:
        killed = system.pids["worker-1"]
        psutil.Process(killed).kill()
        await until(lambda: runfile.read(given.home).processes["worker-1"].pid != killed)
        known = runfile.read(given.home).processes["worker-1"]
        assert known.pid == system.pids["worker-1"]
        assert known.find()


async def test_a_disk_that_is_full_for_a_while_ends_no_keeping_and_the_run_file_is_written_later(given, kafka, postgres, monkeypatch):
    monkeypatch.setattr(supervisor, "WRITE_AGAIN_S", 0.1)
    async with System(given, kafka=kafka, postgres=postgres, gateway=False) as system:
        with monkeypatch.context() as full:
            full.setattr(runfile, "write", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left on device")))
            for _ in range(2):
                killed = system.pids["worker-1"]
                psutil.Process(killed).kill()
                await until(lambda killed=killed: system.pids["worker-1"] != killed)
        await until(lambda: runfile.read(given.home).processes["worker-1"].pid == system.pids["worker-1"])


async def test_a_second_system_in_the_same_home_is_refused_and_harms_nothing(given, kafka, postgres):
    async with System(given, kafka=kafka, postgres=postgres, workers=0) as system:
        with pytest.raises(AlreadyRunningError, match=r"`tranche down` stops it"):
            await System(given, kafka=kafka, postgres=postgres).start()
        assert runfile.running(given.home)
        assert await get(system.gateway_url) == 200


async def test_a_taken_port_is_named_with_its_option_before_anything_starts(tmp_path, given):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        mine = settings.load({"TRANCHE_HOME": str(tmp_path / "home"), "TRANCHE_GATEWAY_PORT": str(port), "TRANCHE_OPS_PORT": "0"})
        with pytest.raises(PortTakenError, match=rf"gateway: port {port} .* --gateway-port"):
            await System(mine).start()
    assert not (tmp_path / "home" / "kafka").exists()


async def test_what_was_started_is_stopped_when_the_rest_does_not_start(given, kafka, postgres, monkeypatch):
    system = System(given, kafka=kafka, postgres=postgres)
    stub = system._command

    def command(kind, *rest):
        if kind == "gateway":
            monkeypatch.setattr(supervisor, "COMMAND", (sys.executable, "-c", "raise SystemExit('no gateway today')"))
        return stub(kind, *rest)

    monkeypatch.setattr(system, "_command", command)
    with pytest.raises(StartError, match=r"(?s)gateway ended with code 1.*no gateway today"):
        await system.start()
    worker = json.loads((given.home / "worker-1.environ").read_text())
    with pytest.raises(httpx.ConnectError):
        await get(f"http://127.0.0.1:{worker['TRANCHE_OPS_PORT']}/")
    assert runfile.read(given.home) is None


async def test_an_outside_broker_that_does_not_answer_is_named(given):
    with pytest.raises(TopicsError, match=r"Kafka at 127\.0\.0\.1:1 does not answer"):
        await System(given, kafka="127.0.0.1:1", postgres="postgresql://x@127.0.0.1:1/x").start()


async def test_an_outside_database_that_does_not_answer_is_named_without_its_password(given, kafka, monkeypatch):
    monkeypatch.setattr(store, "LIMIT_S", 0.1)
    with pytest.raises(supervisor.UserError, match=r"PostgreSQL at 127\.0\.0\.1:1/x does not answer") as caught:
        await System(given, kafka=kafka, postgres="postgresql://x:hunter2@127.0.0.1:1/x").start()
    assert "hunter2" not in str(caught.value)


async def test_a_start_that_is_cancelled_leaves_nothing(given, postgres):
    system = System(given, postgres=postgres)
    begun = asyncio.Event()
    system.report = lambda _: begun.set()
    start = asyncio.create_task(system.start())
    await begun.wait()
    await asyncio.sleep(0)
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    left = [p for p in psutil.Process().children(recursive=True) if str(given.home) in " ".join(p.cmdline())]
    assert left == []


@pytest.mark.broker
async def test_an_embedded_server_that_is_killed_comes_back_at_the_same_address(given):
    async with System(given, workers=0) as system:
        for name in ("postgres", "kafka"):
            killed = system.pids[name]
            psutil.Process(killed).kill()
            await until(lambda name=name, killed=killed: runfile.read(given.home).processes[name].pid != killed)
        await supervisor.admin.check_topics(system.kafka)
        await supervisor._migrate(system.postgres)
    assert control.stop(given.home) == []
