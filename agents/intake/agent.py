"""The intake agent: messages of `assets.ingest` in; changed assets, repayments, quarantine and the counts of batches out."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import pyarrow as pa

from agents.intake.delivery import Delivery, DeliveryError, unpack
from agents.intake.diff import Difference, Document, difference
from schemas import columns
from schemas.asset import REJECTED
from schemas.catalog import Catalog
from schemas.events import BatchProgress, Repayment, encode
from streams import topics
from streams.effects import Effects, Message, Record, Stage
from streams.guard import dead_letter
from streams.partition import asset_key

ROWS_MAX = 1_000  # of one message on assets.changed


def stages(catalog: Catalog) -> tuple[Stage, ...]:
    """Intake, for the products and originators of `catalog`: a document is taken by its product's newest version, and names it."""

    def compute(table: Mapping[bytes, bytes], messages: Sequence[Message]) -> Effects:
        return take_in(catalog, table, messages)

    return (Stage("intake", topics.INGEST, topics.INTAKE_TABLE, compute, gather_s=0, by_newest=True),)


def take_in(catalog: Catalog, table: Mapping[bytes, bytes], messages: Sequence[Message]) -> Effects:
    """The effects of `messages`, all of one partition, on `table` (key originator/asset, `agents.intake.versions`)."""
    effects = Effects()
    deliveries: dict[int, Delivery] = {}
    documents: list[Document] = []
    counts: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)  # (batch, originator) -> outcomes
    for i, message in enumerate(messages):
        try:
            delivery = unpack(message.value, message.headers, message.timestamp_ms, catalog.originators)
        except DeliveryError as fault:
            effects.records.append(dead_letter(message, str(fault)))
            continue
        deliveries[i] = delivery
        tenant = delivery.originator.encode()
        documents += [Document(data, tenant, i, at) for data, at in zip(delivery.documents, delivery.positions, strict=True)]
        if delivery.supersedes:
            new = documents[-len(delivery.documents) :]
            documents[-len(new) :] = [one._replace(supersedes=entry) for one, entry in zip(new, delivery.supersedes, strict=True)]
        if delivery.fault:
            where = delivery.fault.position
            batch, originator, reason = delivery.batch, delivery.originator, delivery.fault.reason
            effects.records.append(dead_letter(message, reason, message.value[where:], batch=batch, originator=originator, position=where))
            counts[batch, originator][REJECTED] += 1
    partition = messages[0].partition
    found = difference(documents, table, partition, topics.INGEST.partitions, catalog.products, catalog.originators)
    for (source, outcome), count in found.outcomes.items():
        delivery = deliveries[source]
        counts[delivery.batch, delivery.originator][outcome] += count
    effects.rows = found.rows
    effects.records += _versions(found, deliveries, partition)
    effects.records += _quarantine(found, deliveries, messages)
    effects.records += [
        Record(topics.BATCHES, batch.encode(), encode(BatchProgress(batch, originator, dict(count))))
        for (batch, originator), count in counts.items()
    ]
    return effects


def _versions(found: Difference, deliveries: Mapping[int, Delivery], partition: int) -> list[Record]:
    if found.columns is None:
        return []
    arrays = list(found.columns.columns)
    arrays[columns.CHANGED.get_field_index("batch")] = pa.array([deliveries[v.document.source].batch for v in found.versions], pa.string())
    whole = pa.RecordBatch.from_arrays(arrays, schema=columns.CHANGED)
    slices = (whole.slice(start, ROWS_MAX) for start in range(0, whole.num_rows, ROWS_MAX))
    records = [
        Record(topics.CHANGED, None, value, partition) for part in slices for value in columns.encode_within(part, topics.MESSAGE_BYTES_MAX)
    ]
    paid = [i for i, version in enumerate(found.versions) if version.latest.version > 1 and any(version.deltas)]
    if not paid:
        return records
    for i, asset, currency in zip(
        paid, *(whole[name].take(pa.array(paid, pa.int64())).to_pylist() for name in ("asset_id", "currency")), strict=True
    ):
        document, latest, _, (principal, interest, fees, _) = found.versions[i]
        delivery = deliveries[document.source]
        event = Repayment(
            delivery.originator, asset, latest.version, currency, principal, interest, fees, latest.outstanding, delivery.batch
        )
        records.append(Record(topics.REPAYMENTS, asset_key(document.originator, asset.encode()), encode(event), partition))
    return records


def _quarantine(found: Difference, deliveries: Mapping[int, Delivery], messages: Sequence[Message]) -> list[Record]:
    """Refused documents, and those that are to be processed in the partition to which their asset belongs."""
    records = []
    for document, asset, field, reason in found.refusals:
        delivery = deliveries[document.source]
        place = {"batch": delivery.batch, "originator": delivery.originator, "asset": asset, "field": field}
        records.append(dead_letter(messages[document.source], reason, document.data, position=document.position, **place))
    for key, home, document in found.elsewhere:
        headers = (
            ("originator", document.originator),
            ("batch", deliveries[document.source].batch.encode()),
            ("positions", document.position.to_bytes(8, "little")),
        )
        records.append(Record(topics.INGEST, key, document.data, home, headers))
    return records
