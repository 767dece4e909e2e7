"""Two real workers are killed ten times and paused past the session timeout twice; every asset has exactly its versions all the same."""

import asyncpg
import pytest

from streams.settings import load
from streams.supervisor import System
from tests.broker.audit import Logs, audit, drain
from tests.broker.crash import Run


@pytest.mark.crash
async def test_kills_and_zombies_lose_nothing_double_nothing_and_change_nothing(tmp_path, capsys):
    settings = load({"TRANCHE_HOME": str(tmp_path / "home"), "TRANCHE_OPS_PORT": "0", "TRANCHE_GATEWAY_PORT": "0"})
    async with System(settings, workers=0, gateway=False) as system:
        run = Run(system, tmp_path, seed=7, kills=10, pauses=2, leaves=2)
        postgres = await asyncpg.connect(system.postgres)
        async with Logs(system.kafka) as logs:
            await run.go()
            drained_s = await drain(run, logs, postgres)
            await run.stop()
            await logs.read()
            findings = await audit(run, logs, postgres)
        await postgres.close()
    figures = {
        **run.faults,
        "assets": len(run.expected),
        "documents": run.sent.total(),
        "versions": sum(map(len, run.expected.values())),
        "drained_s": round(drained_s, 1),
        **findings,
    }
    with capsys.disabled():
        print("\ncrash test:", ", ".join(f"{name} {value}" for name, value in figures.items()))
    assert not findings
    assert run.faults["kill"] >= 10
    assert run.faults["pause"] >= 2
    assert run.faults["ended with 0"] == run.faults["leave"], "a worker that is told to stop finishes its Steps and ends with 0"
