"""A message on `assets.ingest`: whose it is, which batch, and its documents with their positions.

The gateway writes three headers: `originator` (the tenant, from the credential), `batch`, and `positions` (uint64, little-endian: where in
the batch's file each document begins). An originator that produces itself must give `originator`; without `batch` its messages of
one day (of the record's time stamp, UTC) are one batch; without `positions`, or with such as cannot be, they count within the message. A
batch's id begins with its originator's and a dot, which no originator's id has: nobody adds to another's batch. A fourth header is the
gateway's alone: `streams/supersession.py`.
"""

from array import array
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from struct import error as StructError  # noqa: N812 - an exception, named like one
from typing import Final

from streams import supersession
from streams.frames import FrameError, split
from streams.supersession import Supersession

BATCH_LENGTH = 200
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class DeliveryError(ValueError):
    """A message that says nothing of whose it is: it goes to quarantine whole."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message's documents; `fault` is what stopped the cutting, if anything did."""

    originator: str
    batch: str
    documents: list[bytes]
    positions: Sequence[int]
    fault: FrameError | None
    supersedes: Sequence[Supersession | None] = ()  # of each document, or of none


def unpack(value: bytes, headers: Sequence[tuple[str, bytes | None]], timestamp_ms: int, originators: Collection[str]) -> Delivery:
    """Read a message.

    Raises:
        DeliveryError: the originator is not named, or not known; or what is superseded is not said of each document.
    """
    given = dict(headers)
    originator = (given.get("originator") or b"").decode("ascii", "replace")
    if not originator:
        raise DeliveryError("the message has no header `originator`")
    if originator not in originators:
        raise DeliveryError(f"originator {originator[:64]!r} is not known")
    batch = (given.get("batch") or b"").decode("ascii", "replace")[:BATCH_LENGTH]
    if batch and not batch.startswith(f"{originator}."):
        batch = f"{originator}.{batch}"
    if not batch:
        batch = f"{originator}.direct-{_day(timestamp_ms)}"
    documents, fault = split(value)
    positions = _positions(given.get("positions") or b"", len(documents)) or [0, *accumulate(map(len, documents))][:-1]
    return Delivery(originator, batch, documents, positions, fault, _supersedes(given.get(supersession.HEADER), len(documents)))


def _day(timestamp_ms: int) -> str:
    """The day of a time stamp, UTC.

    Raises:
        DeliveryError: it is beyond every calendar; a record's time stamp is its producer's.
    """
    try:
        return f"{EPOCH + timedelta(milliseconds=timestamp_ms):%Y%m%d}"
    except OverflowError:
        raise DeliveryError(f"the message's time stamp {timestamp_ms} is of no day") from None


def _positions(given: bytes, documents: int) -> Sequence[int]:
    """Those of the header; empty if they are not as many as there are documents, or not all below 2**63: columns are signed."""
    size = 8 * documents
    if len(given) < size:
        return ()
    positions = array("q", given[:size])
    return positions if min(positions, default=0) >= 0 else ()


def _supersedes(value: bytes | None, documents: int) -> Sequence[Supersession | None]:
    if value is None:
        return ()
    try:
        entries = supersession.unpack(value)
    except StructError:
        entries = []
    if len(entries) != documents:
        raise DeliveryError(f"the header `{supersession.HEADER}` does not have an entry for each of the {documents} documents")
    return entries
