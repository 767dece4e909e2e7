"""Every metric with its kind and meaning; the worker serves them on its ops port, the gateway on its own, both at /metrics.

Resident memory, processor time and open files are there by prometheus-client itself, retries of the database by stamina.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final

from prometheus_client import Counter, Gauge, Histogram

SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

# The worker. An agent is a stage or a sink, by its name.
STEPS: Final = Counter("tranche_steps", "Steps committed, each one transaction", ["agent", "partition"])
MESSAGES: Final = Counter("tranche_messages", "Source messages in committed Steps", ["agent", "partition"])
ROWS: Final = Counter("tranche_rows", "Table rows written by committed Steps", ["agent", "partition"])
POISON: Final = Counter("tranche_poison", "Source messages that could not be read and went to quarantine whole", ["agent", "partition"])
STEP_SECONDS: Final = Histogram(
    "tranche_step_seconds", "Time of a committed Step, from its messages to its commit", ["agent", "partition"], buckets=SECONDS
)
OPENED: Final = Counter("tranche_partitions_opened", "Source partitions opened, each fencing its earlier holder", ["agent", "partition"])
RECORDS_READ: Final = Counter(
    "tranche_records_read",
    "Records read apart from the consumer: tables at their opening, what was not fetched",
    ["topic", "partition"],
)
MODEL_QUERIES: Final = Counter(
    "tranche_model_queries", "Questions to model services, by outcome: answered, failed, spared", ["product", "outcome"]
)
PRODUCTS_OFFSET: Final = Gauge("tranche_products_offset", "Offset on the topic products up to which this worker goes by it")
PRODUCT_VERSION: Final = Gauge("tranche_product_version", "Newest version of a product that this worker knows", ["product"])
PRODUCTS_REFUSED: Final = Counter("tranche_products_passed_over", "Messages on the topic products that are no next version of a product")
# What ended a worker is counted by the next one (streams/stops.py).
FENCES: Final = Counter("tranche_fences", "Ends of this worker because another holder has the partition", ["agent", "partition"])
ABORTS: Final = Counter("tranche_aborts", "Ends of this worker by another fault of a Step, which was then aborted", ["agent", "partition"])
STALLS: Final = Counter("tranche_stalls", "Ends of this worker because nothing moved for too long", ["agent", "partition"])

# The worker, of exactly the partitions that it holds now.
_NOW: Final = ["agent", "topic", "partition"]
LAG: Final = Gauge("tranche_lag", "Source offsets, committed, that the agent's table or database does not include yet", _NOW)
OLDEST: Final = Gauge("tranche_oldest_seconds", "Age of the oldest source record that the agent has still to do; 0 without", _NOW)
STILL: Final = Gauge("tranche_still_seconds", "Time since the partition has input and does not move; 0 while it moves", _NOW)

WAITING: Final = Gauge("tranche_waiting_seconds", "Time that the partition waits for an outside service; 0 while it does not", _NOW)

# The worker, of files for originators. Every worker looks at all of them: their gauges tell the same.
NOTICE_FILES: Final = Counter("tranche_notice_files", "Files of notices delivered", ["originator"])
NOTICE_FAULTS: Final = Counter("tranche_notice_faults", "Attempts to deliver a file of notices that failed", ["originator"])
NOTICES_OLDEST: Final = Gauge(
    "tranche_notices_oldest_seconds", "Age of the oldest notice that was not delivered; 0 without", ["originator"]
)

# The gateway.
UPLOADS: Final = Counter("tranche_uploads", "Batches uploaded, by outcome: done, failed, refused", ["originator", "outcome"])
UPLOAD_BYTES: Final = Counter("tranche_upload_bytes", "Bytes of uploads received", ["originator"])
UPLOAD_DOCUMENTS: Final = Counter("tranche_upload_documents", "Asset documents of uploads handed to the broker", ["originator"])
UPLOAD_REJECTED: Final = Counter("tranche_upload_rejected", "Asset documents of uploads that the gateway itself rejected", ["originator"])
SPOOL_BYTES: Final = Gauge("tranche_spool_bytes", "Bytes of batches that are not backed up and processed yet")
SPOOL_BATCHES: Final = Gauge("tranche_spool_batches", "Batches that are not backed up and processed yet")
SPOOL_OLDEST: Final = Gauge("tranche_spool_oldest_seconds", "Age of the oldest of them; 0 without")
STORE_UP: Final = Gauge("tranche_backup_store_up", "1 while the object store takes backups; 0 also without backups")


def step(agent: str, partition: int, *, messages: int, rows: int, poison: int, seconds: float) -> None:
    """Count one committed Step."""
    STEPS.labels(agent, partition).inc()
    MESSAGES.labels(agent, partition).inc(messages)
    ROWS.labels(agent, partition).inc(rows)
    POISON.labels(agent, partition).inc(poison)
    STEP_SECONDS.labels(agent, partition).observe(seconds)


def records_read(topic: str, partition: int) -> int:
    """How many records of a partition were read apart from the consumer, so far."""
    (metric,) = RECORDS_READ.labels(topic, partition).collect()
    return int(metric.samples[0].value)


def progress(rows: Collection[Mapping[str, Any]]) -> None:
    """Set the gauges of exactly the partitions of `rows` (`Watch.progress`); those that have moved to another worker vanish here."""
    for gauge, field in ((LAG, "lag"), (OLDEST, "oldest_s"), (STILL, "still_s"), (WAITING, "waiting_s")):
        gauge.clear()
        for row in rows:
            gauge.labels(row["agent"], row["topic"], row["partition"]).set(row[field])
