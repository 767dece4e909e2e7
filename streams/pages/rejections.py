"""Dead letters: documents in quarantine, with their reasons and a look into them."""

from base64 import b64encode
from typing import Any, Final

import bson
from bson import json_util

from streams import queries
from streams.pages.html import Column, Markup, Page, join, table, tag

HEX_BYTES: Final = 512  # of a document that are shown
JSON_CHARACTERS: Final = 8_000


async def rejections(pool: Any, batch: str | None) -> Page:
    """The page of the latest of all, or of one batch."""
    rows = await queries.rejections(pool, batch=batch)
    columns = (
        Column("Rejected at, UTC", lambda row: row["rejected_at"]),
        Column("Originator, batch", lambda row: _two(row["originator"], row["batch"])),
        Column("Asset", lambda row: row["asset"]),
        Column("Field", lambda row: row["field"] and tag("code", row["field"])),
        Column("Byte position, source", lambda row: _two(row["position"], row["source"]), "n"),
        Column("Reason, document", lambda row: join((row["reason"], _document(row["document"]))), "wrap"),
    )
    title = "Dead letters" if batch is None else f"Dead letters of batch {batch}"
    note = (
        "The latest 50 documents in quarantine. Correct them at the originator and deliver them again: a batch may hold any of its assets."
    )
    data = [{**row, "document": b64encode(row["document"]).decode()} for row in rows]
    return Page("/rejections", title, note, data, table(columns, rows, "Nothing is in quarantine."))


def _two(first: object, second: str) -> Markup:
    return join((first, Markup("<br>"), tag("code", second)))


def _document(document: bytes) -> Markup:
    if not document:
        return Markup()
    size = tag("summary", f"{len(document):,} bytes")
    return tag("details", size, *(tag("pre", text) for text in (as_json(document), as_hex(document)) if text))


def as_json(document: bytes) -> str:
    """A BSON document as indented JSON, or nothing: it is here because it is broken, and may be so in any way."""
    try:
        text = json_util.dumps(bson.decode(document), indent=2, ensure_ascii=False)
    except Exception:  # noqa: BLE001 - no fault of a broken document is a fault of ours, and its bytes are shown in any case
        return ""
    return text if len(text) <= JSON_CHARACTERS else f"{text[:JSON_CHARACTERS]}\n… {len(text) - JSON_CHARACTERS:,} characters more"


def as_hex(document: bytes) -> str:
    """The first bytes of a document, sixteen a line: position, hexadecimal, ASCII."""
    lines = []
    for at in range(0, min(len(document), HEX_BYTES), 16):
        part = document[at : at + 16]
        text = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in part)
        lines.append(f"{at:06x}  {part[:8].hex(' '):<23}  {part[8:].hex(' '):<23}  {text}")
    if len(document) > HEX_BYTES:
        lines.append(f"… {len(document) - HEX_BYTES:,} bytes more")
    return "\n".join(lines)
