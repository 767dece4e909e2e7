"""The short form of `tranche chaos`: one fault of each kind at least, and nothing to find."""

import random

import pytest

from tests.chaos.run import Chaos


@pytest.mark.crash
def test_faults_of_every_kind_lose_nothing_double_nothing_and_change_nothing(capsys):
    seed = random.randrange(1_000_000)
    with capsys.disabled():
        print(f"\ntranche chaos --seed {seed}")
        outcome = Chaos(seed, minutes=0, assets=0, say=lambda *_: None).run()
        print(outcome.figures)
    assert not outcome.findings, f"replay with --seed {seed}; logs are in {outcome.logs}"
    made = outcome.figures
    assert made["kills"] >= 7
    assert made["pauses"] >= 2
    once = {"leaves", "joins", "gateway_kills", "broker_restarts", "postgres_restarts", "refused", "topics_deleted"}
    assert all(made[name] >= 1 for name in once)
    assert made["full_disk"] == ("full_disk_skipped" not in made)
    assert made["rebalances"] >= made["pauses"]
    assert made["recoveries"] > 0
    assert made["versions"] > made["assets"]
