"""A schedule in the words of the asset document, as JSON, which is how PostgreSQL keeps it; and back to a column's value."""

from collections.abc import Mapping, Sequence

import msgspec

from schemas.asset import LINE
from schemas.values import value_of, written

Line = Mapping[str, int]


def text_of(lines: Sequence[Line]) -> str:
    """`[{"due":"2026-10-01","principal":"291.82","interest":"89.50"}, …]`."""
    return msgspec.json.encode([{field.name: written(field.kind, line[field.column]) for field in LINE} for line in lines]).decode()


def lines_of(text: str) -> list[dict[str, int]]:
    """What `text_of` was made of."""
    return [{field.column: value_of(field.kind, line[field.name]) for field in LINE} for line in msgspec.json.decode(text)]  # type: ignore[misc]
