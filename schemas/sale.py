"""Which ways of sale a product's assets may have: the `sale` of its file. A document with another is refused with its field and reason."""

from collections.abc import Iterator, Sequence
from typing import Final

from schemas.asset import Sale
from schemas.kinds import Lines
from schemas.repeated import repeated

WAYS: Final[tuple[str, ...]] = tuple(Sale)


def faults(ways: Sequence[str], document: Lines) -> Iterator[tuple[str, str]]:
    """What is wrong: the field, by its path in the file, and why. `document` is the product's, without faults of its own."""
    if not ways:
        yield "sale", f"at least one of {', '.join(WAYS)}"
    for place, way in enumerate(ways):
        if way not in WAYS:
            yield f"sale[{place}]", f"{way!r} is none of {', '.join(WAYS)}"
    for way in repeated(ways):
        yield "sale", f"{way!r} is there twice"
    for place, line in enumerate(document):
        said = line.choices if line.value is None else (line.value,)
        if line.place == "sale" and said and not set(said) & set(ways):
            yield f"document[{place}]", f"as sale {' or '.join(map(str, said))}: the product's sale is only {', '.join(ways)}"
