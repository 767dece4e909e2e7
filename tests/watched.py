"""A watch over agents that hold what a test says, with the consumer's answers given by the test."""

from types import SimpleNamespace

from aiokafka import TopicPartition

from streams.stops import Stops
from streams.transport import Input
from streams.waiting import Work
from streams.watch import Watch


class Watched:
    """`agents`: name -> table offset of partition 0, 1, …; None: it is not open. Their topic is `in`, and all of it is done at first."""

    def __init__(self, folder, **agents):
        self.runners = {
            name: SimpleNamespace(
                name=name,
                topic="in",
                held={n: SimpleNamespace(offset=offset) for n, offset in enumerate(offsets) if offset is not None},
                work={n: Work() for n in range(len(offsets))},
                reached={},
            )
            for name, offsets in agents.items()
        }
        partitions = max(map(len, agents.values()), default=0)
        self.known = {TopicPartition("in", n): Input(0, 8, 8, 8) for n in range(partitions)}
        self.in_group, self.answers = True, True
        self.stops = Stops(folder / "stops" / "worker-1.jsonl")
        self.watch = Watch(
            list(self.runners.values()), {name: f"{name}.table" for name in agents}, self.inputs, lambda: self.in_group, self.stops
        )

    async def inputs(self):
        if not self.answers:
            raise TimeoutError
        return self.known

    def input(self, number, *given, **named):
        """What the consumer knows of a partition from now on: an Input's fields."""
        self.known[TopicPartition("in", number)] = Input(*given, **named)
