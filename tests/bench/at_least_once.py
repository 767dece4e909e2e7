"""Our Step without its transactions, to measure what they cost: a duplicate after a kill is what a run at least once allows."""

from contextlib import AbstractContextManager, nullcontext

from aiokafka import AIOKafkaProducer

from streams.broker import BATCH_BYTES, KafkaBroker


class PlainProducer(AIOKafkaProducer):
    def transaction(self) -> AbstractContextManager[None]:
        return nullcontext()


class PlainBroker(KafkaBroker):
    """KafkaBroker, its producers without a transactional id."""

    __slots__ = ()

    def producer(self, transactional_id: str) -> PlainProducer:
        return PlainProducer(
            bootstrap_servers=self.address,
            client_id=transactional_id,
            enable_idempotence=True,
            max_batch_size=BATCH_BYTES,
            max_request_size=8 * BATCH_BYTES,
        )
