"""Several seeds, one after the other in one process, and what they came to together."""

from collections import Counter
from dataclasses import dataclass, field

from tests.audit.findings import KINDS
from tests.simulation.world import simulate


@dataclass(slots=True)
class Result:
    """What some seeds came to."""

    seeds: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)  # by kind
    failing: dict[int, str] = field(default_factory=dict)  # with what was found

    def add(self, other: "Result") -> None:
        self.seeds += other.seeds
        self.faults.update(other.faults)
        self.found.update(other.found)
        self.failing.update(other.failing)


def run(first: int, count: int) -> Result:
    """Run some seeds, in this process."""
    result = Result()
    for seed in range(first, first + count):
        result.seeds += 1
        try:
            outcome = simulate(seed)
        except Exception as fault:  # noqa: BLE001 - a seed that cannot be run to its end fails; the others go on
            result.failing[seed] = repr(fault)
            continue
        result.faults.update(outcome.faults)
        result.found.update({kind: outcome.findings.total_of(kind) for kind in KINDS})
        if outcome.findings:
            result.failing[seed] = "; ".join(outcome.findings.lines())
    return result
