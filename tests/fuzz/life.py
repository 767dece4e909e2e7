"""Intake with its tables, file after file: each document must come out once, and as it does when it is the only one of its Step.

Alone in a Step a document is read by the plain reader (`streams/document.py`); among many in lock-step (`streams/decode.py`). So the two
are compared on every document, with what comes of it: version, change, amounts, rows of the table.
"""

from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Any, Final

from agents.intake.agent import take_in
from agents.intake.delivery import unpack
from agents.intake.diff import Document, difference
from schemas import columns
from schemas.asset import Change
from schemas.catalog import Catalog
from schemas.events import decode_batch, decode_rejected
from streams import topics
from streams.effects import Effects, Message, Record, Table
from streams.settings import load
from tests.fuzz import opinion
from tests.fuzz.flow import Flow
from tests.fuzz.mutations import broken_frame, mutated
from tests.fuzz.sendings import FoundError, Place, Sending, as_message, expect, send
from tests.fuzz.sources import documents

FILE_DOCUMENTS: Final = 400
POOL_DOCUMENTS: Final = 200  # real documents of a life: few, so that they come again and again
STEP_MESSAGES: Final = 50
_ROW: Final = tuple(name for name in columns.CHANGED.names if name not in ("batch", "position"))


def sending(seed: int, number: int) -> Sending:
    """The file of this number in the life of this seed."""
    rng = Random(f"{seed} {number}")
    originators = list(documents())
    originator = originators[seed % len(originators)]
    every = documents()[originator]
    first = Random(seed).randrange(len(every))
    pool = (every[first:] + every)[:POOL_DOCUMENTS]
    chosen = (rng.choice(pool) for _ in range(FILE_DOCUMENTS))
    frames = [doc if rng.random() < 0.1 else mutated(rng, doc, pool) for doc in chosen]
    direct = rng.random() < 0.3
    for _ in range(rng.choice((0, 1, 8)) if direct else rng.random() < 0.1):
        frames.insert(rng.randrange(len(frames)), broken_frame(rng, rng.choice(pool)))
    return Sending(originator, tuple(frames), direct, rng.getrandbits(32))


class Life:
    """One intake of all partitions, what stands behind it, and beside it one that takes each document alone."""

    def __init__(self, catalog: Catalog | None = None) -> None:
        self._catalog = catalog or load({}).load_catalog()
        self._tables = [Table() for _ in range(topics.ASSET_PARTITIONS)]
        self._alone = [Table() for _ in range(topics.ASSET_PARTITIONS)]
        self._flow = Flow(self._catalog)
        self._files = 0

    def take(self, one: Sending) -> Counter[str]:
        """Take a file in, and what comes of it. Returns the outcomes; "oversized", "lost bytes" and "investments" count what they say.

        Raises:
            FoundError, or whatever is raised: this is what the fuzzing looks for.
        """
        self._files += 1
        sent = send(one, f"f{self._files}")
        found: dict[Place, tuple[Any, ...]] = {}
        alone: dict[Place, tuple[Any, ...]] = {}
        total: Counter[str] = Counter()
        records: list[Record] = []
        for partition, messages in sent.messages.items():
            for first in range(0, len(messages), STEP_MESSAGES):
                records += self._step(partition, messages[first : first + STEP_MESSAGES], found, alone, total)
        forwarded = [record for record in records if record.topic is topics.INGEST]
        for partition in {record.partition for record in forwarded}:
            here = [as_message(record, partition, n) for n, record in enumerate(forwarded) if record.partition == partition]
            again = self._step(here[0].partition, here, found, alone, total)
            expect("documents forwarded from where they belong", [r.key for r in again if r.topic is topics.INGEST], [])
            records += again
        _account(found, alone, sent.documents, sent.faults, total)
        for place, (outcome, *what) in found.items():
            if outcome in tuple(Change):
                opinion.compare(sent.documents[place], what[0])
        investments = self._flow.take([record for record in records if record.topic is not topics.INGEST])
        return total + Counter({"oversized": sent.oversized, "lost bytes": sent.lost_bytes, "investments": investments})

    def _step(
        self,
        partition: int,
        messages: Sequence[Message],
        found: dict[Place, tuple[Any, ...]],
        alone: dict[Place, tuple[Any, ...]],
        total: Counter[str],
    ) -> list[Record]:
        """One Step of intake, and the same document by document; what came of each goes into `found` and `alone`."""
        effects = take_in(self._catalog, self._tables[partition], messages)
        self._tables[partition].apply(effects.rows)
        counts = _read(effects, found)
        total.update(counts)
        rows: dict[bytes, bytes | None] = {}
        expected: Counter[str] = Counter()
        for message in messages:
            delivery = unpack(message.value, message.headers, message.timestamp_ms, self._catalog.originators)
            expected["rejected"] += bool(delivery.fault)
            for doc, position in zip(delivery.documents, delivery.positions, strict=True):
                one = difference(
                    [Document(doc, delivery.originator.encode(), 0, position)],
                    self._alone[partition],
                    partition,
                    topics.ASSET_PARTITIONS,
                    self._catalog.products,
                )
                self._alone[partition].apply(one.rows)
                rows.update(one.rows)
                if not one.elsewhere:
                    outcome = _outcome(one)
                    expected[outcome[0]] += 1
                    _once(alone, (delivery.batch, position), outcome)
        expect("counts of a Step", counts, +expected)
        expect("rows of a Step", effects.rows, rows)
        return effects.records


def _outcome(one: Any) -> tuple[Any, ...]:
    ((_, outcome),) = one.outcomes
    if one.columns is not None:
        arrays = [one.columns[name] for name in _ROW]
        return (outcome, {name: array[0].as_py() for name, array in zip(_ROW, arrays, strict=True)})
    if one.refusals:
        _, asset, field, reason = one.refusals[0]
        return (outcome, asset, field, reason)
    return (outcome,)


def _read(effects: Effects, found: dict[Place, tuple[Any, ...]]) -> Counter[str]:
    """Read what a Step wrote of each document; returns its counts by outcome."""
    counts: Counter[str] = Counter()
    for record in effects.records:
        assert record.value is not None
        if record.topic is topics.CHANGED:
            for row in columns.decode(record.value, columns.CHANGED).to_pylist():
                place = (row.pop("batch"), row.pop("position"))
                _once(found, place, (row["change"], row))
        elif record.topic is topics.REJECTED:
            event = decode_rejected(record.value)
            _once(found, (event.batch, event.position), ("rejected", event.asset, event.field, event.reason, event.document))
        elif record.topic is topics.BATCHES:
            counts.update(decode_batch(record.value).counts)  # type: ignore[union-attr]
    return counts


def _once(seen: dict[Place, tuple[Any, ...]], place: Place, outcome: tuple[Any, ...]) -> None:
    if place in seen:
        raise FoundError(f"{place} came out twice: {seen[place]}, {outcome}")
    seen[place] = outcome


def _account(found: dict[Place, tuple[Any, ...]], alone: dict[Place, tuple[Any, ...]], docs: Any, faults: Any, total: Counter[str]) -> None:
    """Every document came out once, as when it was alone, and with its own bytes; every rest that cannot be cut was refused."""
    expect("documents that came out or were to, but not both", alone.keys() ^ docs.keys(), set())
    for place, reason in faults.items():
        rest = found.pop(place, None)
        expect(f"the rest at {place}", rest and rest[:4], ("rejected", "", "", reason))
    for place, outcome in alone.items():
        if outcome[0] in ("unchanged", "stale"):
            expect(f"{place}, {outcome[0]}", found.get(place), None)
            continue
        is_, *what = found.get(place, ("nothing",))
        if is_ == "rejected":
            expect(f"the document of {place}", what.pop(), docs[place][: 64 * 1024])
        expect(f"{place}", (is_, *what), outcome)
    expect("places of no document", found.keys() - alone.keys(), set())
    expect("documents by outcome", sum(total.values()), len(docs) + len(faults))
