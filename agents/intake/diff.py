"""The difference between what an originator sends and what is known: new versions, with the kind of change, and what is refused.

Three passes over a Step's documents, so that the common case costs least: compare every document's digest with the table's (nearly all
are unchanged); decode those that differ to columns, at once; then, in the order in which they came, give each its version and change.
An asset may stand several times in one Step: `rows` lies over the table, and the third pass sees what the one before it did.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import pyarrow as pa
import xxhash

from agents.intake.kinds import read
from agents.intake.limits import beyond, unknown, unsigned
from agents.intake.schedules import check
from agents.intake.versions import ABSENT, STATUSES, Latest, change_of, digests_of_terms, texts, unpack
from schemas.agreements import Signers
from schemas.asset import DOCUMENT_BYTES_MAX, PAYMENTS, REJECTED, STALE, UNCHANGED, Change, Status
from schemas.columns import CHANGED, SCHEDULE_DIFFERENCES
from schemas.product import Product
from streams.frames import identify
from streams.partition import asset_key, partitions_of
from streams.supersession import Supersession

KEY_BYTES_MAX: Final = 64 + 1 + 64  # two ids of the contract
NOBODY: Final[Signers] = {}

Table = Mapping[bytes, bytes]
Products = Mapping[str, Product]


class Document(NamedTuple):
    """One document of a delivery. `source` is an index that the caller gives; it comes back with the outcome."""

    data: bytes
    originator: bytes  # the tenant's
    source: int
    position: int
    supersedes: Supersession | None = None


class Refusal(NamedTuple):
    """A document that is not accepted, and why."""

    document: Document
    asset: str
    field: str
    reason: str


class Version(NamedTuple):
    """A new version of an asset; deltas, in cents since the version before: principal, interest and fees paid, outstanding."""

    document: Document
    latest: Latest
    change: Change
    deltas: tuple[int, int, int, int]


@dataclass(slots=True)
class Difference:
    """What a Step's documents come to. `columns` are those of `versions`, row by row."""

    rows: dict[bytes, bytes | None] = field(default_factory=dict)
    versions: list[Version] = field(default_factory=list)
    columns: pa.RecordBatch | None = None
    refusals: list[Refusal] = field(default_factory=list)
    elsewhere: list[tuple[bytes, int, Document]] = field(default_factory=list)  # key, the partition it belongs to
    outcomes: dict[tuple[int, str], int] = field(default_factory=dict)  # (source, one of OUTCOMES) -> documents


def difference(
    documents: Sequence[Document], table: Table, partition: int, partitions: int, products: Products, originators: Signers = NOBODY
) -> Difference:
    """Compare `documents` with `table`, the rows of `partition` of `partitions`.

    What is the latest of its asset is unchanged, also where its product would not take it today: alone it is not even decoded, and how
    documents come into Steps decides nothing. A product that needs agreements takes new assets of those `originators` alone that have
    signed them. What is known already goes on: repayments and recalls are wanted whatever was signed, and the router does not offer it.
    """
    found = Difference()
    changed = _differing(documents, table, partition, partitions, found)
    if changed:
        decoded = read([document.data for _, _, document in changed], products)
        rows, again = decoded.rows.tolist(), []
        for i, name, reason in decoded.faults:
            key, digest, document = changed[i]
            if not document.supersedes and (table.get(key) or b"").startswith(digest):
                again.append((i, name, reason))
            else:
                _refuse(found, document, key, name, reason)
        kept = _versions(found, [changed[i] for i in rows], decoded.columns, table, products, originators)
        first = {changed[rows[place]][0]: rows[place] for place in reversed(kept)} if again else {}
        for i, name, reason in again:
            key, _, document = changed[i]
            if i < first.get(key, len(changed)):  # no other version came between
                _count(found, document.source, UNCHANGED)
            else:
                _refuse(found, document, key, name, reason)
    return found


Candidate = tuple[bytes, bytes, Document]  # key, digest, document


def _differing(documents: Sequence[Document], table: Table, partition: int, partitions: int, found: Difference) -> list[Candidate]:
    """The documents whose digest is not the table's, or whose asset already stands among them."""
    changed: list[Candidate] = []
    seen: set[bytes] = set()
    get, digest_of = table.get, xxhash.xxh3_128_digest
    unchanged: dict[int, int] = {}
    for document in documents:
        originator, asset = identify(document.data)
        key = asset_key(document.originator, asset or b"")
        row, superseding = get(key), document.supersedes
        digest = superseding.digest if superseding else digest_of(document.data)
        if row is not None and row.startswith(digest) and originator == document.originator and key not in seen and not superseding:
            unchanged[document.source] = unchanged.get(document.source, 0) + 1
            continue
        if originator is not None and originator != document.originator:
            _refuse(found, document, key, "originator_id", "is not the originator that sent it")
        else:
            seen.add(key)
            changed.append((key, digest, document))
    for source, count in unchanged.items():
        found.outcomes[source, UNCHANGED] = count
    return _at_home(changed, table, partition, partitions, found)


def _at_home(changed: list[Candidate], table: Table, partition: int, partitions: int, found: Difference) -> list[Candidate]:
    """Those that belong in this partition: what the table has was asked before."""
    new = [i for i, (key, _, document) in enumerate(changed) if key not in table and _may_travel(key, document)]
    if not new:
        return changed
    homes = partitions_of([changed[i][0] for i in new], partitions)
    away = {i: home for i, home in zip(new, homes, strict=True) if home != partition}
    found.elsewhere += [(changed[i][0], home, changed[i][2]) for i, home in away.items()]
    return [candidate for i, candidate in enumerate(changed) if i not in away] if away else changed


def _may_travel(key: bytes, document: Document) -> bool:
    """Has an id, and sizes that will be accepted: what is refused anyway is refused where it is, and what supersedes nothing is stale."""
    return document.supersedes is None and not key.endswith(b"/") and len(key) <= KEY_BYTES_MAX and len(document.data) <= DOCUMENT_BYTES_MAX


def _versions(
    found: Difference, accepted: Sequence[Candidate], columns: pa.RecordBatch, table: Table, products: Products, originators: Signers
) -> list[int]:
    """Give each accepted document its version, in order; `columns` has a row for each. Returns the places of those that are versions."""
    products_of, currencies_of, statuses_of = (texts(columns[name]) for name in ("product", "currency", "status"))
    updated = columns["updated_at"].fill_null(ABSENT).to_numpy().tolist()
    numbers_of = zip(*(columns[name].to_numpy().tolist() for name in (*PAYMENTS, "term_months")), updated, strict=True)
    refused, differences = check(columns, products)
    columns = columns.append_column(SCHEDULE_DIFFERENCES, differences)
    rows, versions, keep, outside = found.rows, found.versions, [], refused | beyond(columns, products)
    each = zip(accepted, digests_of_terms(columns), products_of, currencies_of, statuses_of, numbers_of, strict=True)
    for i, ((key, digest, document), terms, product, currency, status, numbers) in enumerate(each):
        row, known = rows.get(key) or table.get(key), products.get(product)
        if row is not None and row.startswith(digest) and _as_known(row, document):
            _count(found, document.source, UNCHANGED)
            continue
        if known is None or known.currency != currency:
            _refuse(found, document, key, *unknown(product, known))
            continue
        if i in outside and not document.supersedes:  # what is restored was taken once
            _refuse(found, document, key, *outside[i])
            continue
        if row is None and document.supersedes:
            _count(found, document.source, STALE)
            continue
        if row is None and (missing := unsigned(known, document.originator.decode(), originators)):
            _refuse(found, document, key, "product", f"{product!r} needs agreements that are not signed: {missing}")
            continue
        if row is None:
            version = Version(document, Latest(digest, 1, terms, _CODES[status], *numbers), Change.CREATED, (0, 0, 0, 0))
        else:
            old, new = unpack(row), Latest(digest, 0, terms, _CODES[status], *numbers)
            if _stale(old, document, new):
                _count(found, document.source, STALE)
                continue
            version = _next(old, document, new)
        rows[key] = version.latest.pack()
        keep.append(i)
        versions.append(version)
        _count(found, document.source, version.change)
    if versions:
        found.columns = _with_changes(columns if len(keep) == columns.num_rows else columns.take(pa.array(keep)), versions, products)
    return keep


def _as_known(row: bytes, document: Document) -> bool:
    """Of a row with the document's digest: whether it has the `updated_at` as well that a superseding document is to be known by."""
    return document.supersedes is None or unpack(row).updated_ms == document.supersedes.known_ms


def _stale(old: Latest, document: Document, new: Latest) -> bool:
    """Whether the document comes too late to follow `old`."""
    if document.supersedes:
        return document.supersedes.version != old.version
    return ABSENT < new.updated_ms < old.updated_ms


def _next(old: Latest, document: Document, new: Latest) -> Version:
    deltas = (
        new.paid_principal - old.paid_principal,
        new.paid_interest - old.paid_interest,
        new.paid_fees - old.paid_fees,
        new.outstanding - old.outstanding,
    )
    updated_ms = document.supersedes.known_ms if document.supersedes else max(old.updated_ms, new.updated_ms)
    new = new._replace(version=old.version + 1, updated_ms=updated_ms)
    return Version(document, new, change_of(old, new), deltas)


_CODES = {status.value: STATUSES.index(status) for status in Status}


def _with_changes(columns: pa.RecordBatch, versions: Sequence[Version], products: Mapping[str, Product]) -> pa.RecordBatch:
    """Add the columns CHANGE; `batch` is filled in by the agent, which knows it."""
    named = columns["product"].dictionary_encode()
    by = pa.array([products[name].version for name in named.dictionary.to_pylist()], pa.int32())
    return pa.RecordBatch.from_arrays(
        [
            *columns.columns,
            pa.array([v.latest.version for v in versions], pa.int32()),
            pa.array([v.change.value for v in versions], pa.string()),
            pa.array([v.latest.digest for v in versions], pa.binary(16)),
            pa.nulls(len(versions), pa.string()),
            pa.array([v.document.position for v in versions], pa.int64()),
            *(pa.array([v.deltas[i] for v in versions], pa.int64()) for i in range(3)),
            by.take(named.indices),
        ],
        names=CHANGED.names,
    )


def _refuse(found: Difference, document: Document, key: bytes, name: str, reason: str) -> None:
    asset = key.partition(b"/")[2][:256].decode(errors="replace")
    found.refusals.append(Refusal(document, asset, name, reason))
    _count(found, document.source, REJECTED)


def _count(found: Difference, source: int, outcome: str) -> None:
    found.outcomes[source, outcome] = found.outcomes.get((source, outcome), 0) + 1
