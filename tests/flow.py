"""All agents in memory, partition by partition, by a catalog."""

from collections import defaultdict
from typing import Any

from agents.assessor import agent as assessor
from agents.confirmer import agent as confirmer
from agents.intake import agent as intake
from agents.matcher import agent as matcher
from agents.router import agent as router
from agents.trader import agent as trader
from schemas import columns, events
from schemas.catalog import Catalog
from streams import topics
from streams.effects import Message
from streams.partition import asset_key, partition_of


class Flow:
    """`records` has everything written, by topic."""

    def __init__(self, catalog: Catalog) -> None:
        self.records: defaultdict[str, list[bytes]] = defaultdict(list)
        self._states: dict[tuple[str, int], Any] = {}
        self.restart(catalog)

    def restart(self, catalog):
        """Go on by another catalog."""
        self._stages = [stage for agent in (intake, assessor, router, trader, matcher, confirmer) for stage in agent.stages(catalog)]

    def send(self, topic, value, key=None, partition=None, headers=()):
        """Give a record to a topic, and to all that read it, and so on until nothing more comes of it."""
        number = partition_of(key, topic.partitions) if partition is None else partition
        self.records[topic.name].append(value)
        message = Message(topic.name, number, len(self.records[topic.name]), 1_795_392_000_000, key, value, headers)
        for stage in (stage for stage in self._stages if stage.source is topic):
            state = self._states.setdefault((stage.name, number), stage.state())
            effects = stage.compute(state, [message])
            state.apply(effects.rows)
            for record in effects.records:
                self.send(record.topic, record.value, record.key, record.partition, record.headers)

    def deliver(self, *documents, asset="INV1", originator="bluebird"):
        """Send documents of one asset."""
        home = partition_of(asset_key(originator.encode(), asset.encode()), topics.INGEST.partitions)
        headers = (("originator", originator.encode()), ("batch", f"{originator}.1".encode()))
        self.send(topics.INGEST, b"".join(documents), partition=home, headers=headers)

    def changed(self):
        return [row for value in self.records[topics.CHANGED.name] for row in columns.decode(value, columns.CHANGED).to_pylist()]

    def assessed(self):
        return [row for value in self.records[topics.ASSESSED.name] for row in columns.decode(value, columns.ASSESSED).to_pylist()]

    def offers(self):
        return [event for value in self.records[topics.OFFERS.name] for event in events.decode_market(value)]

    def investments(self):
        return [events.decode_investment(value) for value in self.records[topics.INVESTMENTS.name]]

    def rejected(self):
        return [events.decode_rejected(value) for value in self.records[topics.REJECTED.name]]
