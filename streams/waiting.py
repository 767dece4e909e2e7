"""Steps that wait for somebody outside (`UnansweredError`): tried again until they are answered, or left when their partition may go.

Waiting is no fault: it holds back its own partition and no other. Nothing of such a Step was done, so it may be left at any time; who
holds the partition then reads it again.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Final

from streams.effects import UnansweredError

AGAIN_S: Final = 1.0  # between two attempts
OPENING, CATCHING_UP, STEP = "opening", "reading what was not fetched", "Step"


@dataclass(slots=True)
class Work:
    """What the runner does with a partition, for the watch (`streams/watch.py`). Times are of the monotonic clock."""

    doing: str = ""  # OPENING, CATCHING_UP, STEP; empty: nothing
    began_s: float = 0.0
    first_ms: int = -1  # the timestamp of the first message of the Step under way
    steps: int = 0
    steps_s: float = 0.0
    last_s: float = 0.0
    waits: str = ""  # for whom outside, and why; empty: for nobody
    waits_since_s: float = 0.0

    def wait(self, why: str) -> None:
        """The Step under way needs an answer that it does not get."""
        if not self.waits:
            self.waits_since_s = monotonic()
        self.waits, self.doing = why, ""

    def begin(self, doing: str) -> None:
        self.doing, self.began_s = doing, monotonic()

    def end(self) -> None:
        self.doing = ""

    def count(self) -> None:
        """The Step under way was committed."""
        self.last_s = monotonic() - self.began_s
        self.steps, self.steps_s = self.steps + 1, self.steps_s + self.last_s


class Waiting:
    """The partitions of one agent in this process; `flows` says whether input flows, which a rebalance and a stop end."""

    def __init__(self, flows: Callable[[], bool]) -> None:
        self._flows = flows
        self._left: Counter[int] = Counter()  # by partition, how many wait for its Step to be over

    @contextmanager
    def left(self, numbers: Iterable[int]) -> Iterator[None]:
        """Meanwhile none of these waits; one that does ends within AGAIN_S."""
        these = list(numbers)
        self._left.update(these)
        try:
            yield
        finally:
            self._left.subtract(these)

    async def done(self, number: int, work: Work, step: Callable[[], Awaitable[None]]) -> bool:
        """Whether `step` was done; not, if it waited for somebody and was left."""
        try:
            while True:
                work.begin(STEP)
                try:
                    await step()
                except UnansweredError as why:
                    work.wait(str(why))
                else:
                    return True
                if self._ends(number):
                    return False
                await asyncio.sleep(AGAIN_S)
                if self._ends(number):
                    return False
        finally:
            work.waits = ""

    def _ends(self, number: int) -> bool:
        return self._left[number] > 0 or not self._flows()
