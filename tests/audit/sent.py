"""The known input of a run, as those who sent it know it, and what must have come of it."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

import xxhash

from schemas.events import decode_rejected
from streams import topics
from streams.partition import asset_key
from tests.audit.events import Written, counts, received
from tests.audit.findings import Findings
from tests.audit.logs import Logs


@dataclass
class Sent:
    """Documents and portfolios that were sent until they were acknowledged. A file's sender sends it again where it got no answer.

    A file says the same of an asset wherever it stands in it, and an originator's files follow one another: so sending one again adds
    no version, and every asset's versions are known.
    """

    versions: dict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))  # originator/asset -> digests
    refusable: set[str] = field(default_factory=set)  # originator/asset of documents that cannot be accepted
    uploads: dict[str, int] = field(default_factory=dict)  # batch -> documents, of acknowledged uploads
    produced: dict[str, tuple[int, int]] = field(default_factory=dict)  # batch -> (documents, times sent), of originators' own producers
    portfolios: Counter[bytes] = field(default_factory=Counter)  # those that were acknowledged, as their events
    upload_max: int = 0  # documents of the largest upload

    def version(self, originator: str, asset: str, document: bytes) -> None:
        """A sound document is being sent."""
        digest = xxhash.xxh3_128_digest(document)
        digests = self.versions[asset_key(originator.encode(), asset.encode()).decode()]
        if digests[-1:] != [digest]:
            digests.append(digest)

    @property
    def documents(self) -> int:
        return sum(self.uploads.values()) + sum(documents for documents, _ in self.produced.values())


def check(sent: Sent, changed: dict[str, list[tuple[int, bytes]]], logs: Logs, findings: Findings) -> None:
    """Compare the known input with what was made of it; `changed` is each asset's (version, digest) on `assets.changed`."""
    findings.compare("versions of the input", {key: list(enumerate(digests, 1)) for key, digests in sent.versions.items()}, changed)
    placed = Counter(message.value for message in logs.of(topics.PORTFOLIOS))
    findings.compare("portfolios of the input", _each(sent.portfolios), _each({v: n for v, n in placed.items() if v in sent.portfolios}))
    refused = {key for key in (_refused(message.value) for message in logs.of(topics.REJECTED)) if key in sent.refusable}
    findings.compare("refusals of the input", {key: [1] for key in sent.refusable}, {key: [1] for key in refused})
    _batches(sent, [Written.read(message) for message in logs.of(topics.BATCHES)], findings)


def _batches(sent: Sent, written: list[Written], findings: Findings) -> None:
    """An acknowledged upload is counted exactly; one that was not, or was sent again by a producer, never more than it was sent."""
    told = received(written)
    found = {batch: count.total() for batch, count in counts(written).items()}
    expected = {batch: [documents] for batch, documents in sent.uploads.items()}
    findings.compare("uploads counted", expected, {batch: [found.get(batch, 0)] for batch in expected})
    findings.compare("uploads received", expected, {batch: [event.documents for event in told.get(batch, ())] for batch in expected})
    for batch, count in found.items():
        documents, times = sent.produced.get(batch, (sent.upload_max, 1))
        if batch not in sent.uploads and count > documents * times:
            findings.add("batches counted: duplicated", count - documents * times, batch)
    least = {batch: [documents] for batch, (documents, _) in sent.produced.items()}
    findings.compare("batches counted", least, {b: [min(found.get(b, 0), documents)] for b, (documents, _) in sent.produced.items()})


def _each(times: dict[bytes, int]) -> dict[bytes, list[int]]:
    return {value: [1] * n for value, n in times.items()}


def _refused(value: bytes) -> str:
    event = decode_rejected(value)
    return f"{event.originator}/{event.asset}"
