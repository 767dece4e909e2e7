"""The check of a run that has come to rest: all topics, tables and database rows against plain sequential runs, and what was sent."""

from collections.abc import Sequence

from schemas import columns
from streams import topics
from streams.effects import Sink, Stage
from tests.audit import database, sent
from tests.audit.events import Events, Written, by_key
from tests.audit.findings import Findings
from tests.audit.logs import Logs
from tests.audit.replay import replay
from tests.audit.sent import Sent

CHECKED = (
    topics.INGEST,
    topics.CHANGED,
    topics.QUERIED,
    topics.REJECTED,
    topics.REPAYMENTS,
    topics.BATCHES,
    topics.ASSESSED,
    topics.OFFERS,
    topics.PROPOSED,
    topics.INVESTMENTS,
    topics.RELEASED,
)


async def check(known: Sent, logs: Logs, dsn: str, stages: Sequence[Stage], sinks: Sequence[Sink]) -> Findings:
    """Compare everything, per key; nothing is to be found."""
    findings = Findings()
    check_logs(known, logs, stages, findings)
    await database.check(dsn, sinks, logs, findings)
    return findings


def check_logs(known: Sent, logs: Logs, stages: Sequence[Stage], findings: Findings) -> None:
    """Compare the topics and the tables."""
    oracle = replay(stages, logs)
    for topic in CHECKED:
        found = by_key(topic, map(Written.read, logs.of(topic)))
        findings.compare(topic.name, by_key(topic, oracle.written[topic.name]), found)
        if topic == topics.CHANGED:
            sent.check(known, _versions(found), logs, findings)
    for (table, number), rows in oracle.rows.items():
        kept = logs.tables[table, number].rows
        findings.compare(
            table, {(number, key): [value] for key, value in rows.items()}, {(number, key): [value] for key, value in kept.items()}
        )


def _versions(changed: Events) -> dict[str, list[tuple[int, bytes]]]:
    version, digest = (1 + columns.CHANGED.get_field_index(name) for name in ("version", "digest"))  # after the partition
    return {asset: [(event[version], event[digest]) for event in events] for asset, events in changed.items()}
