"""The checker can fail: with one protection turned off it finds something, and on the same seed, with it on, nothing."""

from contextlib import AbstractContextManager, contextmanager
from unittest.mock import patch

import pytest

from tests.audit.findings import KINDS
from tests.sabotage import SABOTAGES, no_once, retried
from tests.simulation import faults
from tests.simulation.client import SimulatedBroker
from tests.simulation.store import Database
from tests.simulation.world import simulate

# and one that no fault of a real broker hits for sure: what was fetched is fetched again while it waits
ALL = {**SABOTAGES, "each message once": no_once}
SEEDS = range(400)  # most are found within ten

# where the protection is the server's, the simulated one's is turned off
SERVERS = {
    "committed reads": lambda: patch.object(SimulatedBroker, "isolated", False),
    "the sink's fence": lambda: patch.object(Database, "fenced", False),
}
# the faults that a protection is there for, where the usual mix needs many seeds to hit it
LIKELY = {
    "fencing": {faults.pause: 1},
    "the sink's fence": {faults.pause: 1},
    "what lies between": {faults.blackout: 1, faults.offsets: 1},
    "each message once": {faults.again: 1, faults.database: 1, faults.lose: 1},
}


@contextmanager
def off(name: str) -> AbstractContextManager[None]:
    with SERVERS.get(name, ALL[name])():
        yield


def first_finding(name: str):
    """The first seed that finds something, and what."""
    with off(name):
        for seed in SEEDS:
            findings = simulate(seed, likely=LIKELY.get(name, faults.LIKELY)).findings
            if findings:
                return seed, findings
    pytest.fail(f"without {name} nothing was found in {len(SEEDS)} seeds")


@pytest.mark.parametrize("name", ALL)
def test_without_a_protection_something_is_lost_doubled_or_diverges_and_with_it_nothing(name, capsys):
    seed, findings = first_finding(name)
    with capsys.disabled():
        print(f"\nwithout {name}, seed {seed}: {'; '.join(findings.lines())[:200]}")
    assert sum(map(findings.total_of, KINDS)) > 0
    assert not simulate(seed, likely=LIKELY.get(name, faults.LIKELY)).findings


def test_trying_refused_steps_again_is_right_while_state_waits_for_the_commit():
    with retried():
        found = {seed: simulate(seed, likely={faults.refuse: 1}).findings for seed in range(20)}
    assert not any(found.values()), found
