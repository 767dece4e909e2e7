"""What a dry run has found so far, on disk: a file without a name, which goes with the process.

Of each asset that would change, its row of intake's table and its sell offer, 600 bytes or so; of each refused document a line. Memory
is what SQLite keeps of its pages.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Final

from agents.intake.diff import Refusal
from agents.intake.versions import unpack
from schemas.events import SellOffer, decode_market, encode

ERRORS_MAX: Final = 1_000_000  # that are listed; all are counted
CACHE_KIB: Final = 8 * 1024
OFFERS: Final = 2_000  # that are read at a time


class Scratch:
    """Rows and sell offers by key originator/asset; the errors in `errors`, each a JSON object and a comma, in their order."""

    def __init__(self, errors: IO[bytes]) -> None:
        self.listed = self.unlisted = 0
        self.errors = errors
        self._database = sqlite3.connect("", isolation_level=None)
        for pragma in ("journal_mode = OFF", "synchronous = OFF", f"cache_size = -{CACHE_KIB}"):
            self._database.execute(f"PRAGMA {pragma}")
        self._database.execute("CREATE TABLE assets (key TEXT PRIMARY KEY, row BLOB NOT NULL, offer BLOB)")

    def rows(self, keys: Iterable[bytes]) -> dict[bytes, bytes]:
        """The rows that `put` was given of those assets."""
        wanted = json.dumps([key.decode() for key in set(keys) if key.isascii() and b"\0" not in key])
        found = self._database.execute(
            "SELECT assets.key, row FROM json_each(?) AS wanted JOIN assets ON assets.key = wanted.value", (wanted,)
        )
        return {key.encode(): row for key, row in found}

    def put(self, rows: Mapping[bytes, bytes | None], offers: Iterable[SellOffer]) -> None:
        """Assets changed to `rows`. Of `offers` those of an asset's latest version count; one that has none is not for sale."""
        versions = {key: unpack(row).version for key, row in rows.items() if row}
        latest = {key: encode([one]) for one in offers if one.version == versions[key := f"{one.originator}/{one.asset}".encode()]}
        self._database.execute("BEGIN")
        self._database.executemany(
            "REPLACE INTO assets VALUES (?, ?, ?)", ((key.decode(), row, latest.get(key)) for key, row in rows.items())
        )
        self._database.execute("COMMIT")

    def offers(self) -> Iterator[list[SellOffer]]:
        """All sell offers, some at a time."""
        cursor = self._database.execute("SELECT offer FROM assets WHERE offer IS NOT NULL")
        while rows := cursor.fetchmany(OFFERS):
            yield [offer for (value,) in rows for offer in decode_market(value) if isinstance(offer, SellOffer)]

    def refuse(self, refusals: Iterable[Refusal]) -> None:
        """Add errors, in the order of their positions."""
        for one in sorted(refusals, key=lambda refusal: refusal.document.position):
            if self.listed == ERRORS_MAX:
                self.unlisted += 1
                continue
            comma = b"," if self.listed else b""
            told = {"position": one.document.position, "asset": one.asset, "field": one.field, "reason": one.reason}
            self.errors.write(comma + json.dumps(told).encode())
            self.listed += 1
