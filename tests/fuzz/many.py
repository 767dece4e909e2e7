"""A life of intake in one process: some files, one after the other, until something is found."""

from collections import Counter
from typing import Final, NamedTuple

from tests.fuzz.life import Life, sending
from tests.fuzz.sendings import FoundError
from tests.fuzz.shrink import save, shrunk

FILES: Final = 25  # of a life


class Lived(NamedTuple):
    """What a life came to: counts by outcome, and what was found, if anything."""

    seed: int
    counts: Counter[str]
    fault: str = ""
    kept: str = ""


def live(seed: int) -> Lived:
    """One life, in this process; it ends at what it finds."""
    life, counts, files = Life(), Counter[str](), []
    for number in range(FILES):
        files.append(sending(seed, number))
        try:
            counts.update(life.take(files[-1]))
        except Exception as fault:  # noqa: BLE001 - whatever it is, that is what is looked for
            kept = ", ".join(str(path) for path in save(shrunk(files), f"seed-{seed}"))
            kind = "unaccounted" if isinstance(fault, FoundError) else "crashes"
            return Lived(seed, counts + Counter({kind: 1}), f"file {number}: {type(fault).__name__}: {fault}", kept)
    return Lived(seed, counts)
