"""The originators of one simulation, who are asked before something is sold: how each answers depends on the sell offer alone.

So the sequential run knows every answer, however the proposals were put together in questions.
"""

import asyncio
import random
from collections.abc import Sequence
from typing import Final

import xxhash
from msgspec import json

from streams.effects import Answers, Question
from tests.simulation import deliveries
from tests.simulation.network import Network

ASK_S: Final = 3.0
MOODS: Final = ("not asked", "not asked", "fussy", "silent")


class Originators:
    """By the seed: some have no callback, some decline every third sell offer, some never answer."""

    def __init__(self, seed: int, network: Network) -> None:
        rng = random.Random(f"originators {seed}")
        self._moods = {name: rng.choice(MOODS) for name in deliveries.ORIGINATORS}
        self._network = network
        self._asked: dict[str, bytes] = {}
        self.odd: set[str] = set()  # ids under which two different things were asked

    @property
    def asked(self) -> frozenset[str]:
        """Those with a callback."""
        return frozenset(name for name, mood in self._moods.items() if mood != "not asked")

    async def ask(self, questions: Sequence[Question]) -> Answers:
        """As a worker asks: answers take their time, silence takes all of it."""
        for one in questions:
            self._network.trace(one.receiver, f"is asked {one.id}")
            self._network.faults["questions repeated"] += one.id in self._asked
            if self._asked.setdefault(one.id, one.body) != one.body:
                self.odd.add(one.id)
        silent = any(self._moods[one.receiver] == "silent" for one in questions)
        await asyncio.sleep(ASK_S if silent else self._network.rng.random() * ASK_S)
        return self.answers(questions)

    def answers(self, questions: Sequence[Question]) -> Answers:
        """What they answer, at any time."""
        return {one.id: "silence" if self._moods[one.receiver] == "silent" else _fussy(one.body) for one in questions}


def _fussy(body: bytes) -> bytes:
    asked = [one["sell_offer"] for one in json.decode(body)["data"]["proposals"]]
    return json.encode({"declined": [offer for offer in asked if xxhash.xxh3_64_intdigest(offer.encode()) % 3 == 0]})
