"""The router: assessed asset versions in, sell offers out, to the partition of their market."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Final

from agents.router.routing import Event, Router
from schemas import events
from schemas.catalog import Catalog
from schemas.columns import ASSESSED, decode
from streams import topics
from streams.effects import Effects, Message, Record, Stage
from streams.guard import readable

EVENTS_MAX: Final = 100  # of one record: what the matcher does for it is to be well below a second
BYTES_MAX: Final = 512 * 1024  # of one record, unless a single event is larger


def stages(catalog: Catalog) -> tuple[Stage, ...]:
    """The one stage of this agent. The catalog's markets are `topics.MARKETS`: the place of a market is its partition of `offers`."""
    router = Router(catalog)

    def compute(table: Mapping[bytes, bytes], messages: Sequence[Message]) -> Effects:
        effects = Effects()
        log: list[list[Event]] = [[] for _ in catalog.markets]
        for _, rows in readable(messages, partial(decode, schema=ASSESSED), effects):
            for market, found in enumerate(router.route(rows, table, effects.rows)):
                log[market] += found
        for market, found in enumerate(log):
            effects.records += (Record(topics.OFFERS, None, value, market) for value in _values(found))
        return effects

    return (Stage("router", topics.ASSESSED, topics.ROUTER_TABLE, compute),)


def _values(found: list[Event]) -> Iterator[bytes]:
    """The events as JSON arrays, in order, each within the limits."""
    for start in range(0, len(found), EVENTS_MAX):
        yield from _halved(found[start : start + EVENTS_MAX])


def _halved(found: list[Event]) -> Iterator[bytes]:
    value = events.encode(found)
    if len(value) <= BYTES_MAX or len(found) == 1:
        yield value
        return
    middle = len(found) // 2
    yield from _halved(found[:middle])
    yield from _halved(found[middle:])
