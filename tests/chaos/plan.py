"""Which faults, in which order: a function of the seed."""

import random
from collections.abc import Iterator
from typing import Final, NamedTuple

CALM_S: Final = 10.0  # after a kill whose recovery is measured: nothing else is disturbed

# One deck is the short form, shuffled; a longer run shuffles it again and again.
DECK: Final = (
    *["kill"] * 5,
    *["measured kill"] * 2,
    *["pause"] * 2,
    "leave",
    "gateway kill",
    "join",
    "broker kill",
    "postgres stop",
    "disk",
    "refusal",
)
OTHER: Final = {  # what stands in the place of each in the next deck
    "join": "removal",
    "removal": "join",
    "broker kill": "broker stop",
    "broker stop": "broker kill",
    "postgres stop": "postgres kill",
    "postgres kill": "postgres stop",
}


class Fault(NamedTuple):
    """What is done; `pause_s` until the next; `seed` for what else has to be chosen."""

    name: str
    pause_s: float
    seed: int


def mixed(seed: int) -> Iterator[Fault]:
    """The decks, for ever. The topic of refused documents is deleted before there are any, and so only once."""
    rng, deck = random.Random(seed), list(DECK)
    yield _fault(rng, "topic")
    while True:
        rng.shuffle(deck)
        yield from [_fault(rng, name) for name in deck]
        deck = [OTHER.get(name, name) for name in deck]


def kills(seed: int) -> Iterator[Fault]:
    """Kills alone, each measured, for ever."""
    rng = random.Random(seed)
    while True:
        yield _fault(rng, "measured kill")


def _fault(rng: random.Random, name: str) -> Fault:
    return Fault(name, CALM_S if name == "measured kill" else rng.uniform(0.5, 4.0), rng.getrandbits(32))
