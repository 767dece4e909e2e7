"""The worker: a Faust app that runs every agent it finds under `agents/`, on transports that read committed records only."""

import asyncio
import gc
import importlib
import pkgutil
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from importlib.util import find_spec
from typing import Any, Final

import faust

import agents
from schemas.catalog import Catalog
from schemas.published import Products
from streams import admin
from streams.broker import KafkaBroker
from streams.changelog import Keep
from streams.effects import MODELS, ORIGINATORS, Answers, Ask, Message, Query, Sink, Stage, Table
from streams.pace import Pace
from streams.products import ProductsTable
from streams.runner import FailStop, Runner, Source
from streams.settings import Settings, SettingsError, model_tokens
from streams.sink import SinkPartition
from streams.step import Partition
from streams.stops import Stops
from streams.store import Store
from streams.transport import Input, Transport, messages_of
from streams.watch import Watch

QUEUE: Final = 4  # fetches of one partition that wait in memory, each of FETCH_BYTES at most, or one record
FETCH_BYTES: Final = 1024 * 1024
COMMIT_S: Final = 1.0  # how often the group's offsets, for lag views and a cheap restart, are written
# How long topics and partitions are believed. A broker that is just starting answers that it has no topics; the group's leader would then
# assign nothing to anybody, all workers would be well and idle, for as long as it believes that: five minutes by default.
METADATA_MS: Final = 2000


class App(faust.App):
    """Faust's app, with the runners of its agents. Its topics are declared with acks=False: the Step decides what is done."""

    runners: Sequence[Runner] = ()
    watch: Watch
    services: Sequence[Callable[[], Coroutine[Any, Any, None]]] = ()  # what else runs for ever in this worker, until it is cancelled

    def _new_transport(self) -> Transport:
        return Transport(self.conf.broker_consumer, self)

    def _create_directories(self) -> None:
        """Faust's folders are for its tables, and there are none: each start would leave an empty one behind."""

    def done(self) -> Mapping[Any, int]:
        """The next offset to read of each source partition: the lowest that an agent on it needs, once all of them hold it."""
        agents = Counter(runner.topic for runner in self.runners)
        needed: dict[tuple[str, int], list[int]] = {}
        for runner in self.runners:
            for number, held in runner.held.items():
                needed.setdefault((runner.topic, number), []).append(held.offset + 1)
        return {
            faust.types.TP(topic, number): min(offsets)
            for (topic, number), offsets in needed.items()
            if len(offsets) == agents[topic] and min(offsets) > 0
        }

    async def inputs(self) -> Mapping[Any, Input]:
        """What the consumer knows of each source partition of this worker; nothing before it has started."""
        consumer: Any = self.consumer
        return await consumer.inputs(self.done()) if consumer and consumer.started else {}

    def joined(self) -> bool:
        """Whether this worker is a member of its group, with or without a partition."""
        return self.rebalancing_count > 0 and not self.rebalancing

    async def on_start(self) -> None:
        """Keep watch from the beginning: joining the group is the first that may hang."""
        await super().on_start()
        self.add_future(self.watch.run())
        for service in self.services:
            self.add_future(service())

    def on_rebalance_end(self) -> None:
        """The consumer has learnt where to begin."""
        super().on_rebalance_end()
        consumer: Any = self.consumer
        for runner in self.runners:
            runner.begin({tp.partition: start for tp, start in consumer.starts().items() if tp.topic == runner.topic})

    async def on_stop(self) -> None:
        """Finish the Steps under way and let go of everything."""
        self.watch.end()
        await super().on_stop()
        for runner in self.runners:
            await runner.close()


@cache
def _agents() -> list[Any]:
    found = [f"agents.{one.name}.agent" for one in pkgutil.iter_modules(agents.__path__)]
    return [importlib.import_module(name) for name in found if find_spec(name)]  # the flow does not feed the ledger yet


def discover(catalog: Catalog) -> tuple[list[Stage], list[Sink]]:
    """The stages and sinks of every `agents/*/agent.py`."""
    stages = [one for module in _agents() for one in getattr(module, "stages", lambda _: ())(catalog)]
    sinks = [one for module in _agents() for one in getattr(module, "sinks", lambda _: ())(catalog)]
    return stages, sinks


def build(
    settings: Settings,
    stages: Iterable[Stage],
    sinks: Iterable[Sink] = (),
    store: Store | None = None,
    tokens: Mapping[str, str] = {},
    products: ProductsTable | None = None,
) -> App:
    """An app of `stages` and `sinks`. Sinks need `store`, model services `tokens`; `products` are the stages', if they follow the topic."""
    app = App(
        settings.group,
        broker=f"kafka://{settings.kafka}",
        key_serializer="raw",
        value_serializer="raw",
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=settings.worker,
        # The group gives a member that comes back its old assignment, and Faust wants its old address in it: with that of a new port or of
        # a new container, joining failed and was never tried again.
        canonical_url=f"http://worker/{settings.worker}",
        broker_session_timeout=settings.session_timeout_s,
        broker_heartbeat_interval=settings.session_timeout_s / 10,  # a member hears of a rebalance by its next one
        broker_commit_interval=COMMIT_S,
        stream_buffer_maxsize=QUEUE,
        consumer_max_fetch_size=FETCH_BYTES,
        consumer_metadata_max_age_ms=METADATA_MS,
        topic_disable_leader=True,
        topic_allow_declare=False,
        web_bind=settings.ops_host,
        web_port=settings.ops_port,
    )

    broker = KafkaBroker(settings.kafka)

    async def source(topic: str, number: int, start: int, end: int) -> AsyncIterator[list[Message]]:
        async for records in broker.read(topic, number, start, end):
            yield messages_of(records)

    stages, stops = list(stages), Stops(settings.home / "stops" / f"{settings.worker}.jsonl")
    stops.read()
    keep = _keep(settings)
    asks = {MODELS: _ask_models(tokens)}
    if any(stage.questions and stage.asks != MODELS for stage in stages):
        asks[ORIGINATORS] = _ask(settings)

    def hold(stage: Stage, number: int) -> Partition:
        # a State of its own, as the matcher's book, is more than its rows: it is built from them in memory
        return Partition(stage, number, broker, settings.group, keep if stage.state is Table else None, asks.get(stage.asks), products)

    runners = [_stage_runner(app, stage, hold, source, stops.fail_stop) for stage in stages]
    for sink in sinks:
        assert store is not None, "sinks need a store"
        runners.append(_sink_runner(app, sink, store, source, stops.fail_stop))
    app.runners = runners
    app.watch = Watch(runners, {stage.name: stage.table.name for stage in stages}, app.inputs, app.joined, stops)
    for runner in runners:
        topic = app.topic(runner.topic, key_type=bytes, value_type=bytes, acks=False)
        app.agent(topic, name=runner.name, isolated_partitions=True)(runner.run)
    return app


def _keep(settings: Settings) -> Keep | None:
    if settings.tables == "memory":
        return None
    from streams.rocks import RocksTables  # noqa: PLC0415 - 8 MB that a worker with its tables in memory does not need

    return RocksTables(settings.home, settings.worker).open


def _ask(settings: Settings) -> Ask:
    if not settings.secret:
        raise SettingsError("TRANCHE_SECRET: must be set where an originator has a callback: what it is asked is signed")
    from streams import asking  # noqa: PLC0415 - the HTTP client, that a worker without callbacks does not need
    from streams.webhooks.client import Webhooks  # noqa: PLC0415

    return asking.by(Webhooks(settings.secret, allow_private=settings.webhooks_to == "any"))


def _ask_models(tokens: Mapping[str, str]) -> Ask:
    asked: list[Ask] = []

    async def ask(queries: Sequence[Query]) -> Answers:
        if not asked:
            from streams.models import Models  # noqa: PLC0415 - the HTTP client, that a worker without such products does not need

            asked.append(Models(tokens).ask)
        return await asked[0](queries)

    return ask


def _stage_runner(app: App, stage: Stage, hold: Callable[[Stage, int], Partition], source: Source, fail_stop: FailStop) -> Runner:
    pace = Pace(stage.take_bytes, stage.gather_s)
    paced = replace(stage, compute=pace.timed(stage.compute))
    return Runner(app, stage.name, stage.source, partial(hold, paced), source, pace, fail_stop=fail_stop)


def _sink_runner(app: App, sink: Sink, store: Store, source: Source, fail_stop: FailStop) -> Runner:
    pace = Pace()
    paced = replace(sink, compute=pace.timed(sink.compute))
    return Runner(app, sink.name, sink.source, lambda number: SinkPartition(paced, number, store), source, pace, fail_stop=fail_stop)


def run(settings: Settings) -> None:
    """Run a worker with every agent until SIGTERM; the process ends with code 3 if an agent fails and must be started again.

    Raises:
        CatalogError, SettingsError, TopicsError, NoProductsError: what must be put right before a worker can run.
    """
    from streams import views  # noqa: PLC0415 - the pages are the worker's, not the bench's or the tests'
    from streams.why.markets import Markets  # noqa: PLC0415

    products = ProductsTable(KafkaBroker(settings.kafka), Products())
    catalog = settings.load_catalog(products.products)
    asyncio.run(admin.check_topics(settings.kafka))
    asyncio.run(products.require())
    tokens = model_tokens(catalog.products.values())
    stages, sinks = discover(catalog)
    store = Store(settings.postgres)
    app = build(settings, stages, sinks, store, tokens, products)
    app.services = [products.follow, *_services(settings, catalog, store)]
    views.install(app, store, settings, app.watch, products.products, Markets(app.runners, catalog))
    start(app)


def _services(settings: Settings, catalog: Catalog, store: Store) -> list[Callable[[], Coroutine[Any, Any, None]]]:
    if not any(one.deliver_to for one in catalog.originators.values()):
        return []
    from streams.notices.deliverer import deliverer_of  # noqa: PLC0415 - brings an HTTP client, for those who are delivered to

    return [deliverer_of(settings, catalog, store).run]


def start(app: App) -> None:
    """Run an app as this process's worker."""
    gc.freeze()  # the modules: a full collection went through all of them, 100 ms every ten seconds in which nothing else was done
    worker = faust.Worker(app, loglevel="WARNING", quiet=True, redirect_stdouts=False, override_logging=False)
    worker.spinner = None  # it writes a terminal's escape codes in front of a line of the log
    worker.execute_from_commandline()
