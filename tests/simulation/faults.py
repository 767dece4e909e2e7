"""The faults of one simulation, by its seed: what happens, when, and to whom."""

import random
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from tests.simulation.clock import Process
from tests.simulation.group import SESSION_S

if TYPE_CHECKING:
    from tests.simulation.world import World

LAST_S: Final = 11.0  # when the last of them begins
BUDGET: Final = 120  # callbacks after which a process is stopped at the latest
WRITES: Final = 8  # or writes

Fault = Callable[["World", random.Random], None]


def kill(world: "World", rng: random.Random) -> None:
    """Kill -9, between any two awaits."""
    worker = world.any_worker()
    if worker is not None:
        _stop(worker.process, rng, lambda: world.killed(worker))


def pause(world: "World", rng: random.Random) -> None:
    """Stop between any two awaits, mostly for longer than the session; then go on as if nothing had been: a zombie."""
    worker = world.any_worker()
    if worker is not None:
        seconds = rng.uniform(0.1, 2) if rng.random() < 0.2 else SESSION_S + rng.uniform(0.1, 3)
        _stop(worker.process, rng, lambda: world.pause(worker, seconds))


def _stop(process: Process, rng: random.Random, how: Callable[[], None]) -> None:
    """After some callbacks, or just before one of the next writes."""
    process.stop = how
    if rng.random() < 0.4:
        process.budget = rng.randrange(BUDGET)
    else:
        process.writes = rng.randrange(WRITES)


def blackout(world: "World", rng: random.Random) -> None:
    """Every worker is killed; while none is there, the group's offsets are set to the end of everything."""
    for worker in world.alive():
        world.killed(worker)
    world.network.loop.outside(rng.uniform(0, 2), world.skip)


def leave(world: "World", _rng: random.Random) -> None:
    """SIGTERM; its supervisor starts it again."""
    worker = world.any_worker()
    if worker is not None:
        world.leave(worker)


def join(world: "World", _rng: random.Random) -> None:
    """One worker more."""
    world.join()


def retire(world: "World", _rng: random.Random) -> None:
    """Kill -9, for good."""
    worker = world.any_worker()
    if worker is not None and len(world.wanted) > 1:
        world.wanted.discard(worker.name)
        world.killed(worker)


def rebalance(world: "World", _rng: random.Random) -> None:
    """All members join anew."""
    if world.servers.group.members:
        world.servers.group.rebalance()
        world.network.faults["rebalances forced"] += 1


def cancel(world: "World", rng: random.Random) -> None:
    """Agents' tasks are cancelled, and started again while their last Step goes on."""
    for worker in world.alive():
        for _ in range(4):
            key = worker.any_actor(rng)
            if key is not None:
                worker.front.restart(key)
                world.network.faults["agents' tasks cancelled"] += 1


def again(world: "World", rng: random.Random) -> None:
    """What was fetched already is fetched again and again, so that a Step finds it twice in what waits."""
    for worker in world.alive():
        for place in worker.front.assignment:
            for after_s in (0.0, *sorted(rng.uniform(0, 0.1) for _ in range(3))):
                world.network.loop.outside(after_s, worker.front.back, place, rng.random())
    world.network.faults["fetched again"] += 1


def offsets(world: "World", rng: random.Random) -> None:
    """The group's offsets are lost, put back, or set ahead of the tables, and the group joins anew."""
    group, cluster = world.servers.group, world.servers.cluster
    for place in group.places:
        group.offsets[place] = rng.choice((0, group.offsets.get(place, 0) // 2, cluster.logs[place].stable, cluster.logs[place].stable))
    world.network.faults["group offsets reset"] += 1
    rebalance(world, rng)


def refuse(world: "World", rng: random.Random) -> None:
    """The broker refuses the next batches."""
    world.servers.cluster.refuse += rng.randint(1, 3)


def lose(world: "World", rng: random.Random) -> None:
    """The next answers, or the requests, are lost."""
    world.network.lose += rng.randint(1, 3)


def slow(world: "World", rng: random.Random) -> None:
    """The network takes seconds, now and then."""
    world.network.slow = rng.choice((0.05, 0.3))
    world.network.loop.outside(rng.uniform(1, 6), world.usual_speed)
    world.network.faults["slow networks"] += 1


def late(world: "World", rng: random.Random) -> None:
    """What is followed comes late, to each worker by another time."""
    world.network.late_s = rng.choice((2.0, 20.0))
    world.network.faults["late followers"] += 1


def database(world: "World", rng: random.Random) -> None:
    """The database is down."""
    world.servers.database.down = True
    world.network.loop.outside(rng.uniform(0.5, 5), world.database_up)
    world.network.faults["database restarts"] += 1


def compact(world: "World", _rng: random.Random) -> None:
    """The changelogs are compacted."""
    cluster = world.servers.cluster
    world.network.faults["records compacted"] += sum(log.compact() for log in cluster.logs.values() if log.topic.endswith(".table"))


def expire(world: "World", _rng: random.Random) -> None:
    """What every agent has done is kept no longer."""
    for place, offset in world.reached().items():
        log = world.servers.cluster.logs[place]
        world.network.faults["records expired"] += max(0, offset + 1 - log.start)
        log.start = max(log.start, offset + 1)


Likely = Mapping[Fault, int]

LIKELY: Final[Likely] = {
    kill: 8,
    pause: 6,
    leave: 2,
    join: 2,
    retire: 1,
    blackout: 1,
    rebalance: 3,
    cancel: 3,
    again: 2,
    offsets: 2,
    refuse: 3,
    lose: 3,
    slow: 2,
    late: 2,
    database: 2,
    compact: 1,
    expire: 1,
}


def plan(rng: random.Random, likely: Likely) -> list[tuple[float, Fault]]:
    """Two to eight faults, each with its time."""
    chosen = rng.choices(list(likely), list(likely.values()), k=rng.randint(2, 8))
    return sorted(((rng.uniform(0.1, LAST_S), fault) for fault in chosen), key=lambda one: one[0])
