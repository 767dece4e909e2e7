"""Thousands of simulated runs with faults; and that a run is a function of its seed alone."""

import asyncio
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from streams.settings import inherited
from tests.sabotage import no_offset_row
from tests.simulation import faults
from tests.simulation.clock import DeadlockError, RunawayError, VirtualLoop
from tests.simulation.many import run
from tests.simulation.world import simulate

ROOT = Path(__file__).parents[2]
SEEDS = 4_000


def command(*arguments, **environ):
    """Run `python -m tests.simulation` in a process of its own."""
    whole = [sys.executable, "-m", "tests.simulation", *map(str, arguments)]
    return subprocess.run(whole, cwd=ROOT, env={**inherited(), **environ}, capture_output=True, text=True, check=False)


@pytest.mark.simulation
@pytest.mark.beside("tests.simulation", "--seeds", SEEDS, nice=19)
def test_thousands_of_seeds_lose_nothing_double_nothing_and_change_nothing(ended, capsys):
    assert ended.code in (0, 1), ended.progress[-4000:]
    report = json.loads(ended.told.splitlines()[-1])
    with capsys.disabled():
        print(f"\nsimulation: {json.dumps(report)}")
    assert ended.code == 0, ended.progress[-4000:]
    assert (report["lost"], report["duplicated"], report["diverged"], report["failing_seeds"]) == (0, 0, 0, [])
    assert report["seeds"] == SEEDS
    happened = {"kills", "zombies", "writes of zombies refused", "sinks fenced", "transactions aborted", "transactions timed out"}
    assert all(report["faults"].get(fault, 0) >= 10 for fault in happened), report["faults"]


@pytest.mark.parametrize(("seed", "hashes"), [(3, "1"), (54, "2")])
def test_a_seed_tells_the_same_story_in_another_process_whatever_the_hashes_there(seed, hashes):
    lines = []
    told = simulate(seed, lines.append).told
    ended = command("--seed", seed, PYTHONHASHSEED=hashes)
    assert ended.stdout.splitlines()[: len(lines)] == lines
    assert re.search(r"story (\w+)$", ended.stdout, re.MULTILINE)[1] == told


def test_different_seeds_tell_different_stories():
    assert len({simulate(seed).told for seed in range(10)}) == 10


def test_rebalances_alone_end_no_worker():
    mild = {faults.rebalance: 6, faults.join: 2, faults.cancel: 2, faults.leave: 1, faults.again: 1}
    for seed in range(30):
        outcome = simulate(seed, likely=mild)
        assert not outcome.findings
        assert not [fault for fault in outcome.faults if fault.startswith("fail-stop")], seed


def test_a_failing_seed_fails_again_when_it_is_replayed_and_finds_the_same():
    with no_offset_row():
        first, second = (run(0, 8).failing for _ in range(2))
    assert first == second
    assert any("duplicated" in found for found in first.values())


def test_a_simulation_in_which_all_wait_for_ever_is_an_error_and_so_is_one_without_an_end():
    async def waits():
        await asyncio.get_running_loop().create_future()

    async def turns():
        while True:  # noqa: ASYNC110 - it is what must be found out
            await asyncio.sleep(0)

    with pytest.raises(DeadlockError):
        VirtualLoop().run(waits())
    with pytest.raises(RunawayError):
        VirtualLoop().run(turns())
