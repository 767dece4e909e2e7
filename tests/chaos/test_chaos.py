"""The short form of `tranche chaos`: one fault of each kind at least, and nothing to find."""

import json

import pytest


@pytest.mark.crash
@pytest.mark.beside("tests.chaos", "--minutes", 0)
def test_faults_of_every_kind_lose_nothing_double_nothing_and_change_nothing(ended, capsys):
    assert ended.code == 0, ended.progress[-4000:]
    made = json.loads(ended.told.splitlines()[-1])
    with capsys.disabled():
        print(f"\n{ended.progress.splitlines()[-1]}\n{made}")
    assert made["kills"] >= 7
    assert made["pauses"] >= 2
    once = {"leaves", "joins", "gateway_kills", "broker_restarts", "postgres_restarts", "refused", "topics_deleted"}
    assert all(made[name] >= 1 for name in once)
    assert made["full_disk"] == ("full_disk_skipped" not in made)
    assert made["rebalances"] >= made["pauses"]
    assert made["recoveries"] > 0
    assert made["versions"] > made["assets"]
