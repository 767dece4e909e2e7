"""An originator that sends one document a message, each when it is due: `python -m tests.bench.originator KAFKA FIRST COUNT RATE START`.

An open loop: document n is due at START + (n - FIRST) / RATE, whatever became of those before it. A process of its own, so that neither
the worker nor who measures can hold it up. It prints one line of JSON: how late it was itself, in ms.
"""

import argparse
import json
import time
from typing import Final, NamedTuple

import numpy as np
from confluent_kafka import KafkaException, Producer

from streams.topics import INGEST
from tests.bench import books

ANSWER_S: Final = 30.0


class Schedule(NamedTuple):
    """Documents `first` … `first` + `count` - 1 of the book, `rate` a second; `start` is on the clock of `time.monotonic`, as all times."""

    first: int
    count: int
    rate: int
    start: float

    def due(self, number: int) -> float:
        return self.start + (number - self.first) / self.rate


def number_of(originator: str, asset: str) -> int:
    """An asset's place in the interleaved book: `books.make` deals them out to the originators in turn."""
    return int(asset[1:]) * len(books.ORIGINATORS) + books.ORIGINATORS.index(originator)


def send(kafka: str, schedule: Schedule) -> dict[str, float]:
    """Send each document when it is due. Returns the percentiles of how late each was handed to the client, in ms.

    Raises:
        KafkaException: the broker refused one.
        TimeoutError: there are some without an ack, ANSWER_S after the last.
    """
    last = schedule.first + schedule.count
    items = list(books.interleave([book.singles() for book in books.make(last)]))[schedule.first : last]
    faults: list[Exception] = []
    producer = Producer({"bootstrap.servers": kafka, "linger.ms": 0, "enable.idempotence": True})
    producer.list_topics(INGEST.name, timeout=ANSWER_S)  # connected before the first is due
    late = np.empty(schedule.count)
    for n, item in enumerate(items):
        due = schedule.due(schedule.first + n)
        time.sleep(max(0.0, due - time.monotonic()))
        late[n] = (time.monotonic() - due) * 1000
        producer.produce(
            INGEST.name,
            item.value,
            item.key,
            item.partition,
            headers=item.headers,
            on_delivery=lambda fault, _: faults.append(KafkaException(fault)) if fault else None,
        )
        producer.poll(0)
    left = producer.flush(ANSWER_S)
    if faults:
        raise faults[0]
    if left:
        raise TimeoutError(f"{left} documents without an ack after {ANSWER_S:.0f} s")
    p50, p99, most = np.percentile(late, (50, 99, 100))
    return {"late_p50_ms": round(p50, 2), "late_p99_ms": round(p99, 2), "late_max_ms": round(most, 2)}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("kafka")
    for name in ("first", "count", "rate"):
        parser.add_argument(name, type=int)
    parser.add_argument("start", type=float)
    given = parser.parse_args()
    print(json.dumps(send(given.kafka, Schedule(given.first, given.count, given.rate, given.start))), flush=True)


if __name__ == "__main__":
    main()
