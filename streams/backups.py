"""Backups of batches in an object store: S3, or a folder; what the gateway's uploader writes, and what replays and restarts read.

A batch is `<originator>/<yyyy>/<mm>/<dd>/<batch>.bson`, the very bytes that were cut into documents, and beside it `<batch>.json`
(`Backup`), written last: where that is, the backup is whole. The name follows from the batch's id alone, so writing it again replaces it by
the same, and a span of time of one originator is a range of names.

obstore is called in threads: its own coroutines now and then abort the interpreter at its end (PyO3/pyo3-async-runtimes, issue 40).
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

import msgspec
import obstore
from obstore.exceptions import BaseError
from obstore.store import from_url

PART_BYTES: Final = 5 * 1024**2  # the least that S3 takes; 10,000 of them, the most, are three times the largest upload
PIECE_BYTES: Final = 256 * 1024  # that `pieces` gives at least at a time, but the last one
RETRIES: Final = {"max_retries": 2, "retry_timeout": timedelta(seconds=20)}  # of one request; what is tried for ever is tried by its caller
_batch: Final = re.compile(r"(?P<originator>[a-z0-9-]{1,64})\.(?P<time>\d{8}T\d{6})-[0-9a-f]{6}").fullmatch
T = TypeVar("T")


class StoreError(Exception):
    """The object store is away, or refuses. The message is one line."""


class UnknownBackupError(Exception):
    """There is no backup of this batch, or not yet."""


class Backup(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is known of one backup. It is incomplete if `error` says why the batch ended early, at byte `position`."""

    batch: str
    originator: str
    bytes: int
    digest: str  # XXH3-128 of the object, hexadecimal
    documents: int
    error: str = ""
    position: int = 0

    @property
    def complete(self) -> bool:
        return not self.error


class Backups:
    """The backups below `url`, s3://bucket/prefix or file:///folder; credentials of S3 are in AWS's own variables (AWS_ACCESS_KEY_ID …)."""

    def __init__(self, url: str) -> None:
        """Raises StoreError: there can be no such store."""
        given: dict[str, Any] = {"mkdir": True} if url.startswith("file:") else {"retry_config": RETRIES}
        try:
            self._store = from_url(url, **given)
        except (BaseError, OSError, ValueError) as fault:
            raise StoreError(f"{url}: {_line(fault)}") from fault

    async def put(self, batch: str, pieces: AsyncIterator[bytes]) -> None:
        """Write a batch's bytes; nobody sees them before the last one. Holds two parts of PART_BYTES at most.

        Raises:
            StoreError, UnknownBackupError: as everywhere here; the latter for an id that the gateway has not made.
        """
        name = f"{_name(batch)}.bson"
        writer = await _call(lambda: obstore.open_writer(self._store, name, buffer_size=PART_BYTES, max_concurrency=1))
        async for piece in pieces:
            await _call(writer.write, piece)
        await _call(writer.close)

    async def seal(self, backup: Backup) -> None:
        """Write what is known of a batch whose bytes are there: the backup is whole."""
        name, data = f"{_name(backup.batch)}.json", msgspec.json.encode(backup)
        await _call(lambda: obstore.put(self._store, name, data))

    async def find(self, batch: str) -> Backup:
        """The backup of a batch. Raises UnknownBackupError: there is none, or its bytes are still on their way."""
        return await self._read(f"{_name(batch)}.json")

    async def list(self, originator: str | None, since: datetime, until: datetime) -> list[Backup]:
        """The backups of batches that came from `since` to before `until`, of one originator or of all, the first first."""
        prefix = f"{originator}/" if originator else None
        after = f"{originator}/{since.astimezone(UTC):%Y/%m/%d}" if originator else None
        found = await _call(lambda: [entry["path"] for page in obstore.list(self._store, prefix, offset=after) for entry in page])
        names = {path.removesuffix(".json").rpartition("/")[2]: path for path in found if path.endswith(".json")}
        wanted = sorted((at, path) for batch, path in names.items() if (at := came_at(batch)) and since <= at < until)
        return [await self._read(path) for _, path in wanted]

    async def pieces(self, batch: str) -> AsyncIterator[bytes]:
        """The bytes of a batch, in pieces of a few hundred KiB."""
        name = f"{_name(batch)}.bson"
        stream = iter((await _call(obstore.get, self._store, name)).stream(min_chunk_size=PIECE_BYTES))
        while piece := await _call(next, stream, b""):
            yield bytes(piece)

    async def check(self) -> None:
        """Raises StoreError: the store does not answer, or there is no such bucket."""
        await _call(lambda: next(iter(obstore.list(self._store, chunk_size=1)), None))

    async def _read(self, name: str) -> Backup:
        data = await _call(lambda: obstore.get(self._store, name).bytes().to_bytes())
        try:
            return msgspec.json.decode(data, type=Backup)
        except msgspec.MsgspecError as fault:
            raise StoreError(f"{name} is no description of a backup: {fault}") from fault


def came_at(batch: str) -> datetime | None:
    """When a batch came, by its id; None if it is none that the gateway has made."""
    match = _batch(batch)
    try:
        return datetime.strptime(match["time"], "%Y%m%dT%H%M%S").replace(tzinfo=UTC) if match else None
    except ValueError:
        return None


def _name(batch: str) -> str:
    """Where a batch's objects are, without the ends of their names."""
    at = came_at(batch)
    if at is None:
        raise UnknownBackupError(f"{batch!r} is no batch that the gateway has taken")
    return f"{batch.partition('.')[0]}/{at:%Y/%m/%d}/{batch}"


async def _call(function: Callable[..., T], *arguments: Any) -> T:
    """What a function of obstore gives, its faults as ours."""
    try:
        return await asyncio.to_thread(function, *arguments)
    except FileNotFoundError as fault:
        raise UnknownBackupError(f"there is no backup of it: {_line(fault)}") from fault
    except (BaseError, OSError, ValueError) as fault:
        raise StoreError(_line(fault)) from fault


def _line(fault: Exception) -> str:
    """The line of a fault of obstore's that is for people; the others are its inside."""
    return (str(fault).splitlines() or [type(fault).__name__])[0][:500].strip()
