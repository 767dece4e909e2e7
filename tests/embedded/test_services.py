"""How services are kept: real processes, small ones."""

import asyncio
import errno
import sys
import time

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.embedded import runfile, services
from streams.embedded.errors import StartError
from streams.embedded.services import CommandService, keep, next_pause_s
from tests.embedded.waiting import until


def test_the_pause_doubles_up_to_its_bound():
    pauses, pause = [], 0.0
    for _ in range(8):
        pause = next_pause_s(pause, 1.0)
        pauses.append(pause)
    assert pauses == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]


def test_half_a_minute_of_life_makes_the_pause_short_again():
    assert next_pause_s(10.0, 29.9) == 10.0
    assert next_pause_s(10.0, 30.0) == 0.2


@given(st.lists(st.floats(0, 1e6)))
def test_the_pause_is_always_between_its_bounds(lives):
    pause = 0.0
    for lived_s in lives:
        pause = next_pause_s(pause, lived_s)
        assert 0.2 <= pause <= 10.0


def command(tmp_path, code, url="http://127.0.0.1:1/"):
    return CommandService("child", [sys.executable, "-c", code], {"OUT": str(tmp_path / "out")}, tmp_path, url)


async def test_a_child_that_keeps_ending_is_started_again_after_growing_pauses(tmp_path, monkeypatch):
    monkeypatch.setattr(services, "PAUSE_MIN_S", 0.05)
    starts, enough = [], asyncio.Event()

    def changed():
        starts.append(time.monotonic())
        if len(starts) == 5:
            enough.set()

    child = command(tmp_path, "raise SystemExit(3)")
    begun = time.monotonic()
    await child.start()
    keeper = asyncio.create_task(keep(child, changed))
    await asyncio.wait_for(enough.wait(), 60)
    keeper.cancel()
    gaps = [later - earlier for earlier, later in zip([begun, *starts], starts, strict=False)]
    assert all(gap >= pause for gap, pause in zip(gaps, [0.05, 0.1, 0.2, 0.4, 0.8], strict=True))


async def test_a_child_that_cannot_be_started_for_a_while_is_started_later(tmp_path, monkeypatch):
    monkeypatch.setattr(services, "PAUSE_MIN_S", 0.05)
    child, started = command(tmp_path, "raise SystemExit(3)"), asyncio.Event()
    await child.start()
    start, refused = child.start, [OSError(errno.ENOSPC, "No space left on device"), StartError("child", "x", child.log, "")]

    async def reluctant():
        if refused:
            raise refused.pop()
        await start()
        started.set()

    monkeypatch.setattr(child, "start", reluctant)
    keeper = asyncio.create_task(keep(child, lambda: None))
    await asyncio.wait_for(started.wait(), 30)
    keeper.cancel()


async def test_a_killed_child_is_another_process_afterwards(tmp_path):
    child, again = command(tmp_path, "import time; time.sleep(600)"), asyncio.Event()
    await child.start()
    first = child.pid
    keeper = asyncio.create_task(keep(child, again.set))
    psutil.Process(first).kill()
    await asyncio.wait_for(again.wait(), 30)
    keeper.cancel()
    assert child.pid != first
    await child.stop()
    assert not psutil.pid_exists(child.pid)


async def test_a_child_that_ends_before_it_is_ready_shows_the_end_of_its_log(tmp_path):
    child = command(tmp_path, "raise SystemExit('no such broker')")
    (tmp_path / "child.log").write_text("of an earlier run\n")
    await child.start()
    with pytest.raises(StartError, match=r"(?s)child ended with code 1 before it was ready.*child\.log.*no such broker") as caught:
        await child.ready()
    assert "of an earlier run" not in str(caught.value)


async def test_a_child_that_never_answers_is_not_waited_for_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr(services, "READY_S", 0.3)
    child = command(tmp_path, "import time; time.sleep(600)")
    await child.start()
    with pytest.raises(StartError, match=r"was not ready within 0 s"):
        await child.ready()
    await child.stop()


async def test_a_child_that_ignores_sigterm_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(services, "STOP_S", 0.3)
    code = "import signal, os, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); open(os.environ['OUT'], 'w').close(); time.sleep(600)"
    child = command(tmp_path, code)
    await child.start()
    await until((tmp_path / "out").exists)
    await child.stop()
    assert not psutil.pid_exists(child.pid)


def test_a_process_that_ended_or_another_with_its_number_is_not_found():
    me = runfile.Process.of(psutil.Process().pid)
    assert me.find()
    assert runfile.Process(me.pid, me.began_s - 100).find() is None
    assert runfile.Process(2**22 + 1, me.began_s).find() is None


def test_a_run_file_that_is_none_of_ours_counts_as_none(tmp_path):
    assert runfile.read(tmp_path) is None
    for text in ("", "{}", "[1]", "\x00"):
        (tmp_path / "run.json").write_text(text)
        assert runfile.read(tmp_path) is None


async def test_leftovers_of_a_killed_supervisor_are_ended_last_first(tmp_path):
    children = {
        name: await asyncio.create_subprocess_exec(sys.executable, "-c", "import time; time.sleep(600)") for name in ("kafka", "worker-1")
    }
    dead = runfile.Process(2**22 + 1, 0.0)
    processes = {name: runfile.Process.of(child.pid) for name, child in children.items()}
    runfile.write(tmp_path, runfile.Run(dead, processes, "", "", "", (), "", "", {}))
    assert runfile.running(tmp_path) is None
    assert await asyncio.to_thread(runfile.sweep, tmp_path) == ["worker-1", "kafka"]
    assert [process.find() for process in processes.values()] == [None, None]
    assert not runfile.path(tmp_path).exists()
    for child in children.values():
        await child.wait()
