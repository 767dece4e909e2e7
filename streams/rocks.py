"""Tables on this machine's disk, in RocksDB: for state that is larger than memory, and for starts that read no more than they have missed.

The changelog is the truth and a table here is a copy of it, so that nothing here needs to be repaired:

- **Rows and Place are one.** A committed Step's rows and the Place in the changelog that they reach are one write batch, after the commit.
  A process that is killed in between finds the rows in the changelog.
- **No fsync.** What a process wrote, its kill does not lose. A machine that loses its power loses the last batches, whole ones, and the
  changelog has them.
- **Thrown away** and made anew, with a log line that says why: a table that RocksDB cannot open; that lacks its name or its Place; of
  another worker, agent, partition or format; that the changelog does not continue (`streams/changelog.py`).
- **A fault in the middle of work** (a damaged block, a full disk) puts the table aside before it goes up: the process stops, and the next
  opening makes the table anew instead of stumbling again.
- **Bounded memory.** All tables of a process share one cache, which their write buffers are part of; besides it there are only the files'
  indexes and filters, two bytes a row.
"""

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn
from urllib.parse import quote

import structlog
from rocksdict import BlockBasedOptions, Cache, DataBlockIndexType, DBCompressionType, Options, Rdict, WriteBatch, WriteBufferManager

from streams.changelog import OFFSET, Place
from streams.effects import Rows
from streams.embedded import folders
from streams.topics import Topic

FORMAT: Final = 1  # of what is in a folder; a table of another format is made anew
CACHE_BYTES: Final = 64 << 20  # of all tables of a process
BUFFERS_BYTES: Final = 32 << 20  # of these, for rows that are in no file yet
BUFFER_BYTES: Final = 8 << 20  # of these, at most for one table
ARENA_BYTES: Final = 64 << 10  # what a buffer grows by: dozens of tables with a few new rows each must not fill the share of all
FILES_MAX: Final = 32  # of one table, open at once: with four agents on eight partitions, what a process may have if nobody allows it more

_NAME: Final = b"\0name"
_PLACE: Final = b"\0place"  # "offset timestamp_ms" of the OFFSET record that the rows reach

log = structlog.get_logger()


class InUseError(Exception):
    """Another process has the table open, or another partition of this one."""


class TornError(Exception):
    """A table could not be read or written. It has been put aside: the next opening makes it anew."""


class RocksTables:
    """The tables of one worker, each in a folder of its own below `home`/tables/`worker`."""

    def __init__(self, home: Path, worker: str) -> None:
        self._root, self._worker = home / "tables", worker
        self._cache = Cache(CACHE_BYTES)
        self._buffers = WriteBufferManager.new_write_buffer_manager_with_cache(BUFFERS_BYTES, allow_stall=False, cache=self._cache)

    def open(self, holder: str, changelog: Topic) -> "RocksTable":
        """Open the table of `holder` (group, agent and partition, as its transactional id); empty where there is none that is sound.

        Raises:
            InUseError: somebody else has it open.
            FolderError: its folder cannot be written, or the disk is full.
        """
        folder = folders.require(self._root / self._worker, BUFFERS_BYTES) / quote(holder, safe="")
        self._root.chmod(0o700)
        return RocksTable(folder, f"{FORMAT} {self._worker} {holder} {changelog.name}".encode(), self._options())

    def _options(self) -> Options:
        blocks = BlockBasedOptions()
        blocks.set_block_cache(self._cache)
        # In the cache they push each other out of its shards: with 4,000,000 rows a get took 40 µs instead of 8.
        blocks.set_cache_index_and_filter_blocks(False)
        blocks.set_bloom_filter(10, block_based=False)  # the assets of a new book are in no table
        blocks.set_data_block_index_type(DataBlockIndexType.binary_and_hash())
        options = Options(raw_mode=True)
        options.set_block_based_table_factory(blocks)
        options.set_compression_type(DBCompressionType.lz4())
        options.set_write_buffer_manager(self._buffers)
        options.set_write_buffer_size(BUFFER_BYTES)
        options.set_arena_block_size(ARENA_BYTES)
        options.set_max_open_files(FILES_MAX)
        options.set_table_cache_num_shard_bits(0)  # so few that two of them in one shard would close each other
        options.set_keep_log_file_num(1)
        options.set_stats_dump_period_sec(0)
        return options


class RocksTable:
    """One partition's rows and the Place in its changelog that they reach (`streams.changelog.Kept`)."""

    def __init__(self, folder: Path, name: bytes, options: Options) -> None:
        self._folder, self._aside, self._name, self._options = folder, folder.with_name(f"{folder.name}.torn"), name, options
        lock = folders.try_lock(folder.with_name(f"{folder.name}.lock"))
        if lock is None:
            raise InUseError(f"{folder}: is open already; end the other process, or give each worker its own name (TRANCHE_WORKER)")
        self._lock = lock
        self._rows: Rdict | None = None
        self.place: Place | None = None
        shutil.rmtree(self._aside, ignore_errors=True)
        if not folder.exists():
            self._create()
        elif why := self._open():
            self.clear(why)

    def get(self, key: bytes, default: bytes | None = None) -> bytes | None:
        try:
            return self._rows.get(key, default)  # type: ignore[union-attr]
        except Exception as fault:  # noqa: BLE001 - RocksDB's faults have no class of their own
            self._put_aside(fault)

    def __contains__(self, key: bytes) -> bool:
        return self.get(key) is not None

    def keep(self, rows: Rows, place: Place) -> None:
        """Take in the rows of one committed Step and its Place, as one. Raises TornError."""
        self._write((*rows.items(), (OFFSET, place.row)), place)

    def take(self, records: Sequence[Any]) -> None:
        """Take in records of the changelog, in order, and the last Place among them, as one. Raises TornError."""
        last = next((record for record in reversed(records) if record.key == OFFSET), None)
        self._write(((record.key, record.value) for record in records), None if last is None else Place.of(last))

    def clear(self, why: str) -> None:
        """Throw all rows away."""
        log.warning("table thrown away", folder=str(self._folder), why=why)
        self._let_go()
        shutil.rmtree(self._folder)
        self._create()

    def close(self) -> None:
        """Let go; what is in memory comes into files, so that the next opening is quick. Raises TornError."""
        try:
            self._let_go()
        except Exception as fault:  # noqa: BLE001 - see get
            self._put_aside(fault)
        finally:
            self._lock.close()

    def _create(self) -> None:
        self._rows, self.place = Rdict(str(self._folder), self._options), None
        self._rows[_NAME] = self._name

    def _open(self) -> str:
        """Open what is in the folder; why it is of no use, empty if it is."""
        try:
            self._rows = Rdict(str(self._folder), self._options)
            if (name := self._rows.get(_NAME)) != self._name:
                return f"it is of {name!r}, not of {self._name!r}"
            offset, timestamp_ms = map(int, self._rows[_PLACE].split())  # type: ignore[union-attr]
            place = Place(offset, timestamp_ms, self._rows[OFFSET])  # type: ignore[arg-type]
            log.info("table found", folder=str(self._folder), includes=place.reached[0])
            self.place = place
        except Exception as fault:  # noqa: BLE001 - see get
            return f"it is torn: {fault!r}"
        return ""

    def _write(self, rows: Iterable[tuple[bytes, bytes | None]], place: Place | None) -> None:
        batch = WriteBatch(raw_mode=True)
        for key, value in rows:
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
        if place is not None:
            batch.put(_PLACE, b"%d %d" % (place.offset, place.timestamp_ms))
        try:
            self._rows.write(batch)  # type: ignore[union-attr]
        except Exception as fault:  # noqa: BLE001 - see get
            self._put_aside(fault)
        self.place = place or self.place

    def _put_aside(self, fault: Exception) -> NoReturn:
        self._folder.rename(self._aside)
        self._rows = None  # closed without looking: that may fail again
        raise TornError(f"{self._folder}: {fault}; the table will be made anew from its changelog") from fault

    def _let_go(self) -> None:
        if self._rows is not None:
            self._rows.close()
            self._rows = None
