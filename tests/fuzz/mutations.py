"""What is done to real documents: their elements are made wrong one by one, or their bytes wherever they stand.

All of it is drawn from the generator that is given, so a seed always makes the same documents.
"""

from collections.abc import Callable, Sequence
from random import Random
from struct import error, pack, unpack, unpack_from
from typing import Final

from bson.decimal128 import Decimal128

from schemas.asset import DEPTH_MAX, DOCUMENT_BYTES_MAX, LINE, LOAN, Kind
from streams.document import ARRAY, DAY, DAY_MS, DECIMAL, DOCUMENT, INT32, INT64, NULL, TEXT
from tests.fuzz.elements import Element, document, elements, framed

KINDS: Final = (*range(0x14), 0x7F, 0xFF)
PATHS: Final = {field.name: field for field in LOAN}
NAMES: Final = sorted(
    {name.rpartition(".")[2] for name in (*PATHS, *(field.name for field in LINE))} | {"paid", "borrower", "_id", "$ref", "", "notes"}
)
INTS: Final = (0, 1, -1, 4, 5, 2**7, 2**16, 600, 601, 36_500, 2**31 - 1, -(2**31), 2**53, 2**63 - 1, -(2**63), -(2**63) + 1)
DAYS_MS: Final = (0, 1, -1, DAY_MS, -DAY_MS, -(2**15) * DAY_MS, 2**16 * DAY_MS, 2**16 * DAY_MS + DAY_MS, 253_402_300_800_000)
DECIMALS: Final = ("NaN", "-NaN", "sNaN", "Infinity", "-Infinity", "0", "-0", "0E+6111", "0E-6176", "1E+6111", "1E-6176", "1E+12", "1E+17")
MORE_DECIMALS: Final = ("9" * 34, "-0.01", "0.01", "0.005", "1.500", "1000000000000", "1000000000000.01", "1" + "0" * 33, "2", "2.000001")
TEXTS: Final = (b"", b"\0", b"a\0b", b"\xff\xfe", b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", "Málaga".encode(), b"a/b", b"\x7f", b"\n")
STATUSES: Final = (b"current", b"late", b"defaulted", b"repaid", b"recalled", b"ok")


def mutated(rng: Random, doc: bytes, others: Sequence[bytes]) -> bytes:
    """The document, changed in one to four ways; its length and last byte stay true. `others` are what is spliced into it."""
    for _ in range(rng.choices((1, 2, 3, 4), (60, 25, 10, 5))[0]):
        change = rng.choices(tuple(WAYS), tuple(WAYS.values()))[0]
        try:
            doc = change(rng, doc, others)
        except (ValueError, KeyError, IndexError, error):  # it cannot be taken apart any more
            doc = _bytes(rng, doc, others)
    return doc


def broken_frame(rng: Random, doc: bytes) -> bytes:
    """Bytes from which no document can be cut, or a document whose frame is not true."""
    ways: tuple[Callable[[], bytes], ...] = (
        lambda: pack("<i", rng.choice(INTS[:12])) + doc[4:],
        lambda: doc[: rng.randrange(len(doc))],
        lambda: doc[:-1] + bytes((rng.randrange(1, 256),)),
        lambda: rng.randbytes(rng.randrange(1, 200)),
        lambda: bytes(rng.randrange(1, 200)),
        lambda: doc + doc[rng.randrange(len(doc)) :],
    )
    return rng.choice(ways)()


def _plausible(rng: Random, doc: bytes, _: Sequence[bytes]) -> bytes:
    """What a month may do to a loan: it stays a document that can be accepted."""
    parts = {part.name: part for part in elements(doc)}
    cents = lambda: Decimal128(f"{rng.randrange(10**7)}.{rng.randrange(100):02}").bid  # noqa: E731
    parts[b"outstanding"].value = cents()
    if rng.random() < 0.5:
        paid = elements(parts[b"paid"].value)
        rng.choice(paid).value = cents()
        parts[b"paid"].value = document(paid)
    if rng.random() < 0.3:
        parts[b"status"].value = _text(rng.choice(STATUSES))
    if rng.random() < 0.5:
        parts[b"updated_at"] = Element(DAY, b"updated_at", pack("<q", rng.randrange(1_700_000_000_000)))
    return document(list(parts.values()))


def _scheduled(rng: Random, doc: bytes, _: Sequence[bytes]) -> bytes:
    """The loan gets a schedule of its own, which is most often right."""
    parts = {part.name: part for part in elements(doc)}
    months = unpack_from("<i", parts[b"term_months"].value)[0]
    (issued_ms,) = unpack("<q", parts[b"issued"].value)
    try:
        cents = int(Decimal128.from_bid(parts[b"principal"].value).to_decimal() * 100)
    except ArithmeticError as fault:  # it was made wrong before
        raise ValueError from fault
    if not 0 < months <= 60 or not abs(issued_ms) < 2**45 or not 0 < cents < 10**30:
        raise ValueError
    paid = [cents // months] * (months - 1)
    paid.append(cents - sum(paid) + (rng.random() < 0.2))
    lines = [
        Element(DOCUMENT, b"%d" % n, document([
            Element(DAY, b"due", pack("<q", issued_ms + int(30.4375 * (n + 1)) * DAY_MS)),
            Element(DECIMAL, b"principal", Decimal128(f"{amount}E-2").bid),
            Element(DECIMAL, b"interest", Decimal128(f"{rng.randrange(10_000)}E-2").bid),
        ]))
        for n, amount in enumerate(paid)
    ]  # fmt: skip
    parts[b"schedule"] = Element(ARRAY, b"schedule", document(lines))
    return document(list(parts.values()))


def _element(rng: Random, doc: bytes, others: Sequence[bytes]) -> bytes:
    """One element, of the top level or of a document within, gets another value, type, name or place."""
    parts = elements(doc)
    inner = [part for part in parts if part.kind in (DOCUMENT, ARRAY)]
    if inner and rng.random() < 0.35:
        part = rng.choice(inner)
        part.value = _element(rng, part.value, others)
        return document(parts)
    at = rng.randrange(len(parts))
    part = parts[at]
    way = rng.randrange(10)
    if way == 0:
        del parts[at]
    elif way == 1:
        parts.insert(rng.randrange(len(parts) + 1), rng.choice(parts))
    elif way == 2:
        rng.shuffle(parts)
    elif way == 3:
        part.kind = rng.choice(KINDS)
    elif way == 4:
        part.name = rng.choice((rng.choice(NAMES).encode(), rng.randbytes(rng.randrange(9)).replace(b"\0", b"x"), part.name + b"x"))
    elif way == 5:
        parts.insert(at, _foreign(rng))
    elif way == 6:
        parts[at] = rng.choice(elements(rng.choice(others)))
    else:
        part.kind, part.value = _typed(rng) if rng.random() < 0.3 else _like(rng, part)
    return document(parts)


def _like(rng: Random, part: Element) -> tuple[int, bytes]:
    """Another value of the element's own type, most often one at a bound."""
    if part.kind == TEXT:
        return TEXT, _text(rng.choice((*TEXTS, *STATUSES, b"x" * rng.choice((63, 64, 65, 300)), part.value[4:-1] + rng.choice(TEXTS))))
    if part.kind == DECIMAL:
        return DECIMAL, _decimal(rng)
    if part.kind == DAY:
        return DAY, pack("<q", rng.choice((*DAYS_MS, *INTS, rng.randrange(-(2**63), 2**63))))
    if part.kind in (INT32, INT64):
        number = rng.choice(INTS)
        return (INT32, pack("<i", number)) if -(2**31) <= number < 2**31 and rng.random() < 0.5 else (INT64, pack("<q", number))
    return _typed(rng)


def _typed(rng: Random) -> tuple[int, bytes]:
    """A value of any type; not always as long as its type wants it."""
    kind = rng.choice(KINDS)
    texts = {TEXT: _text(rng.choice(TEXTS)), DECIMAL: _decimal(rng), NULL: b"", 1: pack("<d", rng.choice((1.5, 36.0, float("nan"), 1e300)))}
    if kind in texts:
        return kind, texts[kind]
    if kind in (DOCUMENT, ARRAY):
        return kind, rng.choice((framed(b""), framed(rng.randbytes(rng.randrange(30))), pack("<i", rng.choice(INTS[:10]))))
    return kind, rng.choice((pack("<i", rng.choice(INTS[:12])), pack("<q", rng.choice(INTS)), rng.randbytes(rng.randrange(20))))


def _foreign(rng: Random) -> Element:
    """A field that nobody declared: nested as deep as is allowed or much deeper, or so large that the document's size is at its bound."""
    way = rng.random()
    if way < 0.5:
        value = b""
        for _ in range(rng.choice((1, DEPTH_MAX - 1, DEPTH_MAX, DEPTH_MAX + 1, 100, 3000))):
            value = framed(bytes((rng.choice((DOCUMENT, ARRAY)),)) + b"0\0" + value if value else rng.choice((b"", b"\x0a0\0")))
        return Element(rng.choice((DOCUMENT, ARRAY)), b"notes", value)
    if way < 0.54:
        return Element(TEXT, b"notes", _text(b"n" * (DOCUMENT_BYTES_MAX - rng.randrange(200, 900))))
    if way < 0.55:
        return Element(TEXT, b"notes", _text(b"n" * rng.randrange(DOCUMENT_BYTES_MAX, 2 * DOCUMENT_BYTES_MAX)))
    return Element(*((kind := _typed(rng))[0], b"notes", kind[1]))


def _bytes(rng: Random, doc: bytes, others: Sequence[bytes]) -> bytes:
    """Bytes are flipped, put in, left out, repeated, overwritten, or taken from another document."""
    body = bytearray(doc[4:-1])
    at = rng.randrange(len(body) + 1)
    size = rng.choice((1, 1, 2, 4, 8, 16, rng.randrange(1, 64)))
    way = rng.randrange(7)
    if way == 0 and body:
        for _ in range(rng.choice((1, 1, 2, 8))):
            body[rng.randrange(len(body))] ^= 1 << rng.randrange(8)
    elif way == 1:
        body[at:at] = rng.choice((rng.randbytes(size), bytes(size)))
    elif way == 2:
        del body[at : at + size]
    elif way == 3:
        body[at:at] = body[at : at + size]
    elif way == 4:
        body[at : at + 4] = pack("<i", rng.choice(INTS[:12]))
    elif way == 5:
        other = rng.choice(others)
        body[at:] = other[rng.randrange(4, len(other)) : -1]
    else:
        body[at : at + 1] = bytes((rng.choice(KINDS),))
    return framed(bytes(body))


def _identity(rng: Random, doc: bytes, others: Sequence[bytes]) -> bytes:
    """The ids: another loan's, another originator's, too long, of the wrong characters, at another place."""
    parts = elements(doc)
    part = {part.name: part for part in parts}[rng.choice((b"originator_id", b"asset_id", b"asset_id"))]
    own = part.value[4:-1]
    other = next((p.value for p in elements(rng.choice(others)) if p.name == part.name), b"")
    part.value = rng.choice(
        (other, _text(own + b"x" * rng.choice((1, 58, 64, 300))), _text(rng.choice(TEXTS)), _text(b"harbor"), part.value)
    )
    if rng.random() < 0.3:
        parts.remove(part)
        parts.insert(rng.randrange(len(parts) + 1), part)
    return document(parts)


def _text(data: bytes) -> bytes:
    return pack("<i", len(data) + 1) + data + b"\0"


def _decimal(rng: Random) -> bytes:
    way = rng.random()
    if way < 0.6:
        return Decimal128(rng.choice((*DECIMALS, *MORE_DECIMALS))).bid
    if way < 0.8:
        return Decimal128(f"{rng.randrange(-(10**34) + 1, 10**34)}E{rng.randrange(-6176, 6112)}").bid
    return rng.randbytes(16)


WAYS: Final = {_plausible: 4, _scheduled: 1, _element: 6, _bytes: 4, _identity: 1}
assert {field.kind for field in LOAN} == set(Kind)  # a kind that is new wants values at its bounds above
