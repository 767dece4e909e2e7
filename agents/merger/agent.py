"""The merger: what people and the API ask for later, from the topics to PostgreSQL, exactly once."""

from agents.merger import batches, investments, rejections, versions
from schemas.catalog import Catalog
from streams import topics
from streams.effects import Sink


def sinks(_catalog: Catalog) -> tuple[Sink, ...]:
    """One sink a topic."""
    return (
        Sink("merger.versions", topics.ASSESSED, versions.compute),
        Sink("merger.batches", topics.BATCHES, batches.compute),
        Sink("merger.rejections", topics.REJECTED, rejections.compute),
        Sink("merger.investments", topics.INVESTMENTS, investments.compute),
    )
