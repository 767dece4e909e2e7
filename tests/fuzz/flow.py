"""What stands behind intake, in memory: every record is read by those who read its topic, and what they write again."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

from agents.assessor.agent import stages as assessor
from agents.confirmer.agent import stages as confirmer
from agents.matcher.agent import stages as matcher
from agents.merger.agent import sinks
from agents.router.agent import stages as router
from schemas.asset import CENTS_MAX
from schemas.catalog import Catalog
from schemas.criteria import Criteria
from schemas.events import BuyOffer, decode_repayment, encode
from streams import topics
from streams.effects import Copy, Message, Record
from tests.fuzz.sendings import TIME_MS, expect
from tests.fuzz.sendings import as_message as message_of

RECORD_BYTES_MAX: Final = topics.MESSAGE_BYTES_MAX  # what the Step's producer may send


class Flow:
    """The agents behind intake with their tables, one investor in each market, and the sinks without a database."""

    def __init__(self, catalog: Catalog) -> None:
        self._stages = (*assessor(catalog), *router(catalog), *matcher(catalog), *confirmer(catalog))
        self._sinks = sinks(catalog)
        self._states: dict[tuple[str, int], Any] = {}
        for market, currency in enumerate(topics.MARKETS):
            offer = BuyOffer("ann/all/1/any", "ann", "all", 1, "any", currency, CENTS_MAX, 100_00, Criteria())
            value = encode([offer])
            self._run(topics.OFFERS.name, market, [Message(topics.OFFERS.name, market, 0, TIME_MS, None, value, ())])

    def take(self, records: Sequence[Record]) -> int:
        """Let all that comes of some records come of them; returns how many investments were made.

        Raises:
            FoundError, or whatever an agent raises: a record is too large, or its reader refuses it.
        """
        waiting, investments = list(records), 0
        while waiting:
            by_partition: defaultdict[tuple[str, int], list[Message]] = defaultdict(list)
            for n, record in enumerate(waiting):
                expect(f"a record of {len(record.value or b'')} bytes is too large", len(record.value or b"") > RECORD_BYTES_MAX, False)
                message = message_of(record, record.partition, n)
                by_partition[message.topic, message.partition].append(message)
                investments += record.topic is topics.INVESTMENTS
            waiting = [record for (topic, partition), messages in by_partition.items() for record in self._run(topic, partition, messages)]
        return investments

    def _run(self, topic: str, partition: int, messages: list[Message]) -> list[Record]:
        """Have those messages read by everybody who reads their topic."""
        written: list[Record] = []
        if topic == topics.REPAYMENTS.name:
            for message in messages:
                decode_repayment(message.value)
        for stage in self._stages:
            if stage.source.name == topic:
                state = self._states.setdefault((stage.name, partition), stage.state())
                effects = stage.compute(state, messages)
                expect(f"{stage.name} cannot read", effects.poison, 0)
                refused = [record.value for record in effects.records if record.topic is topics.REJECTED]
                expect(f"{stage.name} refuses", refused, [])
                state.apply(effects.rows)
                written += effects.records
        for sink in self._sinks:
            if sink.source.name == topic:
                for statement in sink.compute(messages):
                    written_text = statement.csv.decode() if isinstance(statement, Copy) else str(statement.arguments)
                    expect(f"{sink.name} writes a NUL, which PostgreSQL has not", "\0" in written_text, False)
        return written
