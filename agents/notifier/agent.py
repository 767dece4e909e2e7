"""The notifier: each originator's events, from the published topics to the spool that their files are cut from (streams/notices/)."""

from functools import partial

from agents.notifier import notices
from schemas import events
from schemas.catalog import Catalog
from streams import topics
from streams.effects import Sink


def sinks(catalog: Catalog) -> tuple[Sink, ...]:
    """One sink a topic. They run without any delivery too: who gets one later is told what happens from then on, not the past."""
    told = frozenset(name for name, one in catalog.originators.items() if one.deliver_to)
    return (
        Sink("notifier.sold", topics.INVESTMENTS, partial(notices.compute, decode=events.decode_investment, originators=told)),
        Sink("notifier.released", topics.RELEASED, partial(notices.compute, decode=events.decode_released, originators=told)),
        Sink("notifier.rejected", topics.REJECTED, partial(notices.compute, decode=events.decode_rejected, originators=told)),
    )
