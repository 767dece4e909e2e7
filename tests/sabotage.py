"""Each protection of the Step, the runner and the sink turned off, one at a time: the checkers must notice, or they check nothing.

A sabotage is a context manager that patches the product's own classes; while it is entered, every partition of this process works without
that protection. Nothing in the product knows of it. `tests/simulation/` uses them on simulated workers, `tests/chaos/` on real ones.
"""

import asyncio
import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any, Final
from unittest.mock import patch

from aiokafka.errors import MessageSizeTooLargeError

from streams import broker, sink, step, store, transport
from streams.effects import Message
from streams.runner import Runner
from streams.step import Partition

_holders = itertools.count(1)

RETRIES: Final = 20
RETRY_S: Final = 0.5


def no_fencing() -> AbstractContextManager[Any]:
    """Each holder of a partition has a transactional id of its own, so that a new one fences nobody and aborts nothing."""
    known = Partition.transactional_id.fget

    def own(self: Partition) -> str:
        return f"{known(self)}.{os.getpid()}.{next(_holders)}"

    return patch.object(Partition, "transactional_id", property(own))


class _EachAlone:
    """A producer that makes each record batch a transaction of its own, instead of all of a Step's together."""

    def __init__(self, producer: Any) -> None:
        self._producer = producer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._producer, name)

    def transaction(self) -> AbstractContextManager[None]:
        return nullcontext()

    async def send_batch(self, batch: Any, topic: str, *, partition: int) -> Any:
        async with self._producer.transaction():
            metadata = await (await self._producer.send_batch(batch, topic, partition=partition))
        acked: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        acked.set_result(metadata)
        return acked


def no_transaction() -> AbstractContextManager[Any]:
    """A Step's record batches are committed one after the other."""
    opens = Partition.open

    async def open_(self: Partition) -> None:
        await opens(self)
        self._producer = _EachAlone(self._producer)

    return patch.object(Partition, "open", open_)


@contextmanager
def no_committed_reads() -> Iterator[None]:
    """Agents and openings read what was aborted, and what is not decided yet."""
    creates = transport._Thread._create_worker_consumer

    def create(self: Any, transport: Any) -> Any:
        consumer = creates(self, transport)
        consumer._isolation_level = "read_uncommitted"
        return consumer

    reader = partial(_uncommitted, broker.AIOKafkaConsumer)
    with patch.object(transport._Thread, "_create_worker_consumer", create), patch.object(broker, "AIOKafkaConsumer", reader):
        yield


def _uncommitted(consumer: Callable[..., Any], **settings: Any) -> Any:
    return consumer(**{**settings, "isolation_level": "read_uncommitted"})


def no_offset_row() -> AbstractContextManager[Any]:
    """Opening does not learn which input the table includes."""
    opens = Partition.open

    async def open_(self: Partition) -> None:
        await opens(self)
        self.offset = -1

    return patch.object(Partition, "open", open_)


def retried() -> AbstractContextManager[Any]:
    """Steps whose records the broker refuses are tried again in place: nothing is wrong with that while state waits for the commit.

    No protection is off; it is what makes `early_state` visible, since with fail-stop the state goes with the process.
    """
    does = Partition.step

    async def patient(self: Partition, messages: Any) -> None:
        for _ in range(RETRIES):
            try:
                return await does(self, messages)
            except MessageSizeTooLargeError:
                await asyncio.sleep(RETRY_S)
                await self._producer.stop()
                self._producer = self.broker.producer(self.transactional_id)  # the old one has lost count of its batches
                await self._producer.start()
        return await does(self, messages)

    return patch.object(Partition, "step", patient)


@contextmanager
def early_state() -> Iterator[None]:
    """State changes before the commit, and a Step that fails is tried again in place."""
    commits = Partition._commit

    async def commit(self: Partition, effects: Any, *given: Any) -> Any:
        self.state.apply(effects.rows)
        return await commits(self, effects, *given)

    with patch.object(Partition, "_commit", commit), retried():
        yield


def no_fail_stop() -> AbstractContextManager[Any]:
    """A fault is swallowed: the process lives, and the partition goes on with what comes next."""
    begins = Runner.__init__

    def begin(self: Runner, *given: Any, **named: Any) -> None:
        begins(self, *given, **named)
        self._fail_stop = lambda *_: None

    return patch.object(Runner, "__init__", begin)


def no_catching_up() -> AbstractContextManager[Any]:
    """What lies between the table's offset and a fetch is not read."""

    async def catch_up(*_: Any) -> bool:
        return True

    return patch.object(Runner, "_catch_up", catch_up)


@contextmanager
def no_once() -> Iterator[None]:
    """A message that waits twice for one Step is done twice."""

    def above(messages: Iterable[Message], offset: int) -> list[Message]:
        return [message for message in messages if message.offset > offset]

    with patch.object(step, "not_included", above), patch.object(sink, "not_included", above):
        yield


# all arguments are used, or PostgreSQL refuses them
_UNFENCED: Final = """
    UPDATE sink_offsets SET next_offset = $6 WHERE sink = $1 AND topic = $2 AND partition = $3 AND ($4::bigint, $5::bigint) IS NOT NULL"""


def no_sink_fence() -> AbstractContextManager[Any]:
    """The database takes rows from every writer, whatever offset it has."""
    return patch.object(store, "_ADVANCE", _UNFENCED)


SABOTAGES: Final[dict[str, Callable[[], AbstractContextManager[Any]]]] = {
    "fencing": no_fencing,
    "transaction": no_transaction,
    "committed reads": no_committed_reads,
    "offset row": no_offset_row,
    "state only after the commit": early_state,
    "fail-stop": no_fail_stop,
    "the sink's fence": no_sink_fence,
    "what lies between": no_catching_up,
}
