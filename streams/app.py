"""The worker: a Faust app that runs every agent it finds under `agents/`, on transports that read committed records only."""

import asyncio
import importlib
import pkgutil
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any, Final

import faust
from aiokafka import TopicPartition
from faust.transport.drivers import aiokafka as driver

import agents
from schemas.catalog import Catalog
from streams import admin
from streams.broker import Broker, KafkaBroker
from streams.effects import Message, Sink, Stage
from streams.runner import Runner, Source
from streams.settings import Settings
from streams.sink import SinkPartition
from streams.step import Partition
from streams.store import Store

QUEUE: Final = 4  # fetches of one partition that wait in memory, each of FETCH_BYTES at most, or one record
FETCH_BYTES: Final = 1024 * 1024
COMMIT_S: Final = 1.0  # how often the group's offsets, for lag views and a cheap restart, are written


class _Thread(driver.AIOKafkaConsumerThread):
    """Faust fixes isolation level and fetch wait; its workers here read committed records only, and do not wait 1.5 s for them."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"  # noqa: SLF001 - no setting reaches it
        consumer._fetch_max_wait_ms = 100  # noqa: SLF001
        return consumer


class _Consumer(driver.Consumer):
    """Delivers a partition's records as one event for each fetch, and commits the offsets that the agents hold.

    Faust delivers each record by itself, at 70 µs and several turns of the event loop; a Step then found few to take along, and 100,000
    single documents took minutes. Its own count of acknowledged events, for commits, stops at the first transaction marker.
    """

    def _new_consumer_thread(self) -> _Thread:
        return _Thread(self, loop=self.loop, beacon=self.beacon)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[Any, Any]]:  # noqa: ASYNC109 - Faust's signature
        """Faust's own, but for the records of a partition being together: the value of its message is their list."""
        records, active = await self._wait_next_records(timeout)
        generation = self.app.consumer_generation_id
        if records is None or self.should_stop:
            return
        for tp, found in records.items():
            if not self.flow_active or self.app.consumer_generation_id != generation:
                return
            if active is None or tp in active or tp in self._buffered_partitions:
                together: Any = self._to_message(tp, found[-1])
                together.value = messages_of(found)
                yield tp, together

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:  # noqa: ARG002 - Faust's signature
        app: Any = self.app
        done = {tp: offset for tp, offset in app.done().items() if tp in self.assignment()}
        return await self._commit(done) if done else False


class _Transport(driver.Transport):
    Consumer = _Consumer


class App(faust.App):
    """Faust's app, with the runners of its agents. Its topics are declared with acks=False: the Step decides what is done."""

    runners: Sequence[Runner] = ()

    def _new_transport(self) -> _Transport:
        return _Transport(self.conf.broker_consumer, self)

    def _create_directories(self) -> None:
        """Faust's folders are for its tables, and there are none: each start would leave an empty one behind."""

    def done(self) -> Mapping[Any, int]:
        """The next offset to read of each source partition: the lowest that an agent on it needs, once all of them hold it."""
        needed: dict[Any, list[int]] = {}
        for runner in self.runners:
            for number in range(runner.partitions):
                held = runner.held.get(number)
                needed.setdefault(faust.types.TP(runner.topic, number), []).append(held.offset + 1 if held else 0)
        return {tp: min(offsets) for tp, offsets in needed.items() if min(offsets) > 0}

    def progress(self) -> list[dict[str, Any]]:
        """For each agent and partition of this worker: agent, topic, partition, table_offset, end_offset, lag (records still to do).

        A transaction's marker takes an offset and is no record, so the lag of a partition that was read to its end, and has nothing
        waiting, is 0 even where table and end differ.
        """
        rows = []
        assignment = self.consumer.assignment() if self.consumer else set()
        for runner in self.runners:
            for tp in sorted(tp for tp in assignment if tp.topic == runner.topic):
                held = runner.held.get(tp.partition)
                offset = held.offset if held else -1
                end, position = self._reached(tp)
                behind = max(0, end - max(position if not runner.waiting(tp.partition) else 0, offset + 1))
                row = {"agent": runner.name, "topic": tp.topic, "partition": tp.partition}
                rows.append({**row, "table_offset": offset, "end_offset": end, "lag": behind, "open": held is not None})
        return rows

    def _reached(self, tp: Any) -> tuple[int, int]:
        thread: Any = self.consumer
        consumer = thread._thread._consumer  # noqa: SLF001 - there is no call for it that does not wait
        assignment = consumer._subscription.subscription.assignment  # noqa: SLF001
        state = assignment.state_value(TopicPartition(tp.topic, tp.partition)) if assignment else None
        if state is None or not state.has_valid_position:
            return 0, 0
        return state.highwater or state.position, state.position

    async def on_stop(self) -> None:
        """Finish the Steps under way and let go of everything."""
        await super().on_stop()
        for runner in self.runners:
            await runner.close()


def messages_of(records: Iterable[Any]) -> list[Message]:
    """Aiokafka's records as ours; a value that is null is empty."""
    return [Message(r.topic, r.partition, r.offset, r.timestamp, r.key, r.value or b"", tuple(r.headers)) for r in records]


def discover(catalog: Catalog) -> tuple[list[Stage], list[Sink]]:
    """The stages and sinks of every `agents/*/agent.py`."""
    stages: list[Stage] = []
    sinks: list[Sink] = []
    for found in pkgutil.iter_modules(agents.__path__):
        module = importlib.import_module(f"agents.{found.name}.agent")
        stages += getattr(module, "stages", lambda _: ())(catalog)
        sinks += getattr(module, "sinks", lambda _: ())(catalog)
    return stages, sinks


def build(settings: Settings, stages: Iterable[Stage], sinks: Iterable[Sink] = (), store: Store | None = None) -> App:
    """An app that runs `stages` and `sinks`; `store` is needed where there are sinks."""
    app = App(
        settings.group,
        broker=f"kafka://{settings.kafka}",
        key_serializer="raw",
        value_serializer="raw",
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=settings.worker,
        broker_session_timeout=settings.session_timeout_s,
        broker_heartbeat_interval=min(2.0, settings.session_timeout_s / 4),
        broker_commit_interval=COMMIT_S,
        stream_buffer_maxsize=QUEUE,
        consumer_max_fetch_size=FETCH_BYTES,
        topic_disable_leader=True,
        topic_allow_declare=False,
        web_bind=settings.ops_host,
        web_port=settings.ops_port,
    )

    broker = KafkaBroker(settings.kafka)

    async def source(topic: str, number: int, start: int, end: int) -> AsyncIterator[list[Message]]:
        async for records in broker.read(topic, number, start, end):
            yield messages_of(records)

    runners = [_stage_runner(app, stage, broker, settings.group, source) for stage in stages]
    for sink in sinks:
        assert store is not None, "sinks need a store"
        runners.append(_sink_runner(app, sink, store, source))
    app.runners = runners
    for runner in runners:
        topic = app.topic(runner.topic, key_type=bytes, value_type=bytes, acks=False)
        app.agent(topic, name=runner.name, isolated_partitions=True)(runner.run)
    return app


def _stage_runner(app: App, stage: Stage, broker: Broker, group: str, source: Source) -> Runner:
    def hold(number: int) -> Partition:
        return Partition(stage, number, broker, group)

    return Runner(app, stage.name, stage.source, hold, source, stage.take_bytes)


def _sink_runner(app: App, sink: Sink, store: Store, source: Source) -> Runner:
    return Runner(app, sink.name, sink.source, lambda number: SinkPartition(sink, number, store), source)


def run(settings: Settings) -> None:
    """Run a worker with every agent until SIGTERM; the process ends with code 3 if an agent fails and must be started again.

    Raises:
        CatalogError, TopicsError: what must be put right before a worker can run.
    """
    from streams import views  # noqa: PLC0415 - the pages are the worker's, not the bench's or the tests'

    stages, sinks = discover(settings.load_catalog())
    asyncio.run(admin.check_topics(settings.kafka))
    store = Store(settings.postgres)
    app = build(settings, stages, sinks, store)
    views.install(app, store, settings, app.progress)
    start(app)


def start(app: App) -> None:
    """Run an app as this process's worker."""
    faust.Worker(app, loglevel="WARNING", quiet=True, redirect_stdouts=False, override_logging=False).execute_from_commandline()
