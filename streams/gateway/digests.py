"""Digests that a client sends with its upload (RFC 9530), compared with what came. Only sha-256; other algorithms are passed over.

Pure. `Content-Digest` covers the content: the body's bytes as they are sent, a form with its boundaries, a compressed body compressed.
`Repr-Digest` covers the representation data, which has its content coding applied (RFC 9110, 8.1). A POST encloses the whole of it
(RFC 9530, 3.1), so of an upload both cover the same bytes. Neither is of the file within a form, or of a book before it was compressed.
"""

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Callable
from hashlib import sha256
from typing import Final

FIELDS: Final = ("Content-Digest", "Repr-Digest")
SHA256_BYTES: Final = 32

# A member of a dictionary (RFC 9651, 3.2) and the comma to the next: its value is a byte sequence, its parameters mean nothing here.
_MEMBER: Final = re.compile(
    r"""(?P<key>[a-z*][a-z0-9_.*-]*)=:(?P<value>[A-Za-z0-9+/=]*):
        (?:;[ ]*[a-z*][a-z0-9_.*-]*(?:=(?:"(?:[^"\\]|\\.)*"|[^",;\s]+))?)*
        (?:[ \t]*,[ \t]*(?!\Z)|\Z)""",
    re.VERBOSE,
)


class FieldError(ValueError):
    """A digest field that cannot be read; `field` is its name."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field


class DigestError(ValueError):
    """The body is not what its digest says. `expected` and `found` as the field writes them, between colons."""

    def __init__(self, field: str, expected: str, found: str) -> None:
        super().__init__(f"the SHA-256 of the body is {found}, {field} says {expected}")
        self.field, self.expected, self.found = field, expected, found


class Digests:
    """Feed it the body's pieces in order, then close it."""

    def __init__(self, header: Callable[[str], str]) -> None:
        """`header` gives a field's value, its lines joined by commas, empty if it was not sent. Raises FieldError."""
        sent = {field: parse(field, header(field)) for field in FIELDS}
        self._expected = {field: digest for field, digest in sent.items() if digest}
        self._hash = sha256() if self._expected else None

    def feed(self, piece: bytes) -> None:
        if self._hash:
            self._hash.update(piece)

    def close(self) -> None:
        """Raises DigestError: a digest is not that of the body."""
        if not self._hash:
            return
        found = self._hash.digest()
        for field, expected in self._expected.items():
            if expected != found:
                raise DigestError(field, _written(expected), _written(found))


def parse(field: str, value: str) -> bytes | None:
    """The SHA-256 that a field's value names, if it names one; the last one if it names several, as RFC 9651 (4.2.2) says.

    Raises:
        FieldError: it is no dictionary of byte sequences, or has a SHA-256 that is none.
    """
    text, at, found = value.strip(" \t"), 0, None
    while at < len(text):
        member = _MEMBER.match(text, at)
        if not member:
            raise FieldError(field, "is no dictionary of byte sequences, as in sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:")
        if member["key"] == "sha-256":
            found = _digest(field, member["value"])
        at = member.end()
    return found


def _digest(field: str, text: str) -> bytes:
    bare = text.rstrip("=")
    try:
        digest = b64decode(bare + "=" * (-len(bare) % 4), validate=True)  # padding may be left out: RFC 9651, 4.2.7
    except Base64Error as fault:
        raise FieldError(field, "sha-256 is no base64") from fault
    if len(digest) != SHA256_BYTES:
        raise FieldError(field, f"sha-256 has {len(digest)} bytes, not {SHA256_BYTES}")
    return digest


def _written(digest: bytes) -> str:
    return f":{b64encode(digest).decode()}:"
