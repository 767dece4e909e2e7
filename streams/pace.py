"""How much one Step takes, and when it begins: few messages and at once when the agent is idle, many when its input is deep.

A transaction costs about the same for one message as for megabytes, so a Step takes what waits. And a partition's Steps of less than it
might take begin GATHER_S apart: input that comes one by one, each from a transaction ahead, would have the worker make a transaction for
each in every agent (at 100 documents/s all of them together had a core busy with it, and each Step waited 100 ms for its turn). The agents
that read what comes from outside begin at once: somebody waits for their answer, and nobody ahead of them gathers.

While an agent computes nothing else runs in its worker, neither the other agents nor the answers to their transactions. So what a Step
takes is bounded by time: by as many bytes as it computes in COMPUTE_S. Nobody knows that beforehand. A megabyte of loans takes a digest's
comparison 7 ms, all of intake 50 ms and the matcher, with a deep book, seconds. So it is tried out:

- after a Step that took all that it might, and less than half of COMPUTE_S, the next may take twice as much;
- after a Step that took longer than COMPUTE_S, the next may take half as much.

An idle agent's Steps say nothing of this and change nothing.
"""

from collections.abc import Callable, Iterable, Sequence
from time import perf_counter
from typing import Any, Final, TypeVar

from streams.effects import GATHER_S, TAKE_BYTES, Fetch, Message

COMPUTE_S: Final = 0.1
FIRST_BYTES: Final = 64 * 1024
LEAST_BYTES: Final = 16 * 1024  # below that a transaction costs more than its computing

T = TypeVar("T")


class Pace:
    """One agent's pace, in all of its partitions. `bytes` is what its next Step may take: a message more than reaches it is left.

    A Step of less begins no earlier than `gather_s` after the one before it in its partition.
    """

    def __init__(self, most_bytes: int = TAKE_BYTES, gather_s: float = GATHER_S) -> None:
        self._most, self.gather_s = most_bytes, gather_s
        self.bytes = min(FIRST_BYTES, most_bytes)

    def took(self, size: int, seconds: float) -> None:
        """A Step of `size` bytes was computed in `seconds`."""
        if seconds > COMPUTE_S:
            self.bytes = max(self.bytes // 2, min(LEAST_BYTES, self._most))
        elif size >= self.bytes and seconds < COMPUTE_S / 2:
            self.bytes = min(self.bytes * 2, self._most)

    def timed(self, compute: Callable[..., T]) -> Callable[..., T]:
        """An agent's `compute`, whose last argument without a name is the Step's messages, keeping this pace."""

        def computed(*arguments: Sequence[Message], **answers: Any) -> T:
            began = perf_counter()
            effects = compute(*arguments, **answers)
            self.took(size_of(arguments[-1]), perf_counter() - began)
            return effects

        return computed


def size_of(messages: Sequence[Message]) -> int:
    """The bytes of the messages' values."""
    return sum(len(message.value) for message in messages)


def cut(fetches: Iterable[Fetch], pace: Pace) -> Iterable[Fetch]:
    """The fetches in order, put together where one follows the other, each of the pace's bytes: what those are when each is asked for."""
    start = end = size = 0
    messages: list[Message] = []
    for fetch in fetches:
        if messages and fetch.start > end:
            yield Fetch(start, end, messages)
            messages, size = [], 0
        start = start if messages else fetch.start
        for message in fetch.messages:
            messages.append(message)
            size += len(message.value)
            end = fetch.end if message is fetch.messages[-1] else message.offset + 1  # the markers behind the last one belong to it
            if size >= pace.bytes:
                yield Fetch(start, end, messages)
                start, messages, size = end, [], 0
    if messages:
        yield Fetch(start, end, messages)
