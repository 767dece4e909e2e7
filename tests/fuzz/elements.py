"""A BSON document taken apart into its elements and put together again, however wrong they are made in between (https://bsonspec.org)."""

from dataclasses import dataclass
from struct import pack

from schemas.asset import LINE
from streams.document import ARRAY, DOCUMENT
from streams.frames import value_size

LINES = {field.name for field in LINE}


@dataclass(slots=True)
class Element:
    """One element: its type byte, its name without the final zero, its value's bytes."""

    kind: int
    name: bytes
    value: bytes

    @property
    def bytes(self) -> bytes:
        return bytes((self.kind,)) + self.name + b"\0" + self.value


def elements(doc: bytes) -> list[Element]:
    """The elements of a document's top level. Raises what `frames.value_size` does if it is damaged there."""
    found, at, end = [], 4, len(doc) - 1
    while at < end:
        stop = doc.index(0, at + 1, end)
        after = stop + 1 + value_size(doc, stop + 1, doc[at])
        if after > end:
            raise ValueError(f"byte {at}: the value ends behind the document")
        found.append(Element(doc[at], doc[at + 1 : stop], doc[stop + 1 : after]))
        at = after
    return found


def document(parts: list[Element]) -> bytes:
    """A document of these elements, its length and end true."""
    return framed(b"".join(part.bytes for part in parts))


def framed(body: bytes) -> bytes:
    """Any bytes as a document that can be cut: whatever stands within, its length and its last byte are true."""
    return pack("<i", len(body) + 5) + body + b"\0"


def declared(doc: bytes, names: set[str]) -> bytes:
    """The document with nothing but the fields of these names: what they lead to is kept ("paid" for "paid.fees"), of arrays the lines."""
    parents = {name.partition(".")[0] for name in names if "." in name}
    kept = []
    for part in elements(doc):
        name = part.name.decode(errors="replace")
        if name in parents and part.kind == DOCUMENT:
            inner = {other.partition(".")[2] for other in names if other.startswith(f"{name}.")}
            kept.append(Element(part.kind, part.name, declared(part.value, inner)))
        elif name in names and part.kind == ARRAY:
            lines = [Element(line.kind, line.name, declared(line.value, LINES)) for line in elements(part.value)]
            kept.append(Element(part.kind, part.name, document(lines)))
        elif name in names or name in parents:
            kept.append(part)
    return document(kept)
