"""The in-memory broker: topics, transactions, fencing. Synchronous; `tests/simulation/client.py` brings the requests and their delays.

It keeps Kafka's rules (`test_broker_contract.py` asks both brokers the same): a transaction's markers come to its partitions one by one and
after the answer to its commit, each takes an offset; a producer that starts ends what an earlier one of its transactional id left open, and
waits for its markers; a transaction that is open for too long is aborted and its producer fenced.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from aiokafka.errors import MessageSizeTooLargeError, OutOfOrderSequenceNumber, ProducerFenced, UnknownTopicOrPartitionError

from streams.broker import TRANSACTION_MS
from streams.topics import MESSAGE_BYTES_MAX, Topic
from tests.simulation.log import Log, Transaction
from tests.simulation.network import Network

EPOCH_MS = 1_800_000_000_000  # the simulation's midnight
RECORD_BYTES_MAX = MESSAGE_BYTES_MAX + 64 * 1024


class Written(NamedTuple):
    """The answer to a batch."""

    offset: int


@dataclass(slots=True)
class Holder:
    """What the coordinator knows of a transactional id."""

    epoch: int = -1
    transaction: Transaction | None = None
    miscounted: set[Log] = field(default_factory=set)  # where a batch was refused, so that the number of the next one is wrong
    waiting: list[Callable[[], None]] = field(default_factory=list)  # requests that come while a transaction is being ended


class Cluster:
    """All topics and transactional ids. Replies are called once, with a value or an exception."""

    def __init__(self, network: Network, topics: Iterable[Topic]) -> None:
        self.network = network
        self.logs = {(topic.name, number): Log(topic.name, number) for topic in topics for number in range(topic.partitions)}
        self.holders: dict[str, Holder] = {}
        self.refuse = 0  # batches to refuse from now on

    def now_ms(self) -> int:
        return EPOCH_MS + int(self.network.loop.now * 1000)

    def publish(self, topic: str, number: int, key: bytes | None, value: bytes, headers: tuple[tuple[str, bytes], ...]) -> int:
        """Write a record without a transaction, as an originator does; returns its offset."""
        return self.logs[topic, number].append(self.now_ms(), key, value, headers, None)

    def init(self, reply: Callable[[Any], None], transactional_id: str) -> None:
        """Start a producer: fence the earlier one, abort what it left open, answer with the new epoch."""
        holder = self.holders.setdefault(transactional_id, Holder())
        if holder.transaction is not None:
            if holder.transaction.committed is None:
                self._fence(transactional_id, holder, "fenced with an open transaction")
            holder.waiting.append(lambda: self.init(reply, transactional_id))
            return
        if holder.epoch >= 0:
            self.network.faults["earlier holders fenced"] += 1
        holder.epoch += 1
        holder.miscounted.clear()
        reply(holder.epoch)

    def produce(
        self, reply: Callable[[Any], None], transactional_id: str, epoch: int, log: tuple[str, int], batch: Sequence[tuple[Any, Any, Any]]
    ) -> None:
        """Write a batch of (key, value, headers) as a part of the producer's transaction; answers Written."""
        holder = self.holders[transactional_id]
        if holder.epoch != epoch:
            self._refuse_holder(reply, transactional_id)
        elif holder.transaction is not None and holder.transaction.committed is not None:
            holder.waiting.append(lambda: self.produce(reply, transactional_id, epoch, log, batch))
        elif log not in self.logs:
            reply(UnknownTopicOrPartitionError(f"{log[0]}-{log[1]}"))
        else:
            reply(self._write(transactional_id, holder, self.logs[log], batch))

    def _write(self, transactional_id: str, holder: Holder, log: Log, batch: Sequence[tuple[Any, Any, Any]]) -> Any:
        if holder.transaction is None:
            holder.transaction = Transaction(transactional_id, holder.epoch)
            self.network.loop.outside(TRANSACTION_MS / 1000, self._expire, transactional_id, holder.transaction)
        if log not in holder.transaction.logs:
            holder.transaction.logs.append(log)
        if log in holder.miscounted:
            return OutOfOrderSequenceNumber(f"{transactional_id} at {log.topic}-{log.number}")
        too_large = sum(len(key or b"") + len(value or b"") for key, value, _ in batch) > RECORD_BYTES_MAX
        if too_large or self.refuse:
            self.refuse -= not too_large
            holder.miscounted.add(log)
            self.network.faults["produces refused"] += 1
            return MessageSizeTooLargeError(f"a batch for {log.topic}-{log.number}")
        offsets = [log.append(self.now_ms(), *record, holder.transaction) for record in batch]
        return Written(offsets[0])

    def end(self, reply: Callable[[Any], None], transactional_id: str, epoch: int, *, commit: bool) -> None:
        """Decide the producer's transaction; answers before the markers are written."""
        holder = self.holders[transactional_id]
        if holder.epoch != epoch:
            self._refuse_holder(reply, transactional_id)
            return
        if holder.transaction is not None:
            self._decide(transactional_id, holder, commit=commit)
        reply(None)

    def _decide(self, transactional_id: str, holder: Holder, *, commit: bool) -> None:
        transaction = holder.transaction
        assert transaction is not None
        assert transaction.committed is None
        transaction.committed = commit
        self.network.faults["transactions committed" if commit else "transactions aborted"] += 1
        left = list(transaction.logs)
        for log in transaction.logs:
            self.network.loop.outside(self.network.delay(), self._mark, transactional_id, holder, log, left)

    def _mark(self, transactional_id: str, holder: Holder, log: Log, left: list[Log]) -> None:
        assert holder.transaction is not None
        log.mark(holder.transaction)
        left.remove(log)
        if not left:
            self.network.trace("broker", f"{transactional_id}: {'committed' if holder.transaction.committed else 'aborted'}")
            holder.transaction = None
            waiting, holder.waiting = holder.waiting, []
            for call in waiting:
                call()

    def _expire(self, transactional_id: str, transaction: Transaction) -> None:
        holder = self.holders[transactional_id]
        if holder.transaction is transaction and transaction.committed is None:
            self.network.faults["transactions timed out"] += 1
            self._fence(transactional_id, holder, "its transaction took too long")

    def _fence(self, transactional_id: str, holder: Holder, why: str) -> None:
        self.network.trace("broker", f"{transactional_id}: {why}")
        holder.epoch += 1
        self._decide(transactional_id, holder, commit=False)

    def _refuse_holder(self, reply: Callable[[Any], None], transactional_id: str) -> None:
        self.network.faults["writes of zombies refused"] += 1
        reply(ProducerFenced(f"{transactional_id}: there is a newer holder"))
