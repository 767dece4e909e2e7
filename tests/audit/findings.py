"""What a checker found: how many items of which kind are lost, duplicated or diverged."""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Final

KINDS: Final = ("lost", "duplicated", "diverged")
PLACES_MAX: Final = 5  # kept of each finding


class Findings(Counter[str]):
    """How many items are wrong, by "what: kind"; empty if nothing is. `places` has the first keys of each."""

    def __init__(self) -> None:
        super().__init__()
        self.places: dict[str, list[str]] = {}

    def compare(self, what: str, expected: Mapping[Any, Sequence[Hashable]], found: Mapping[Any, Sequence[Hashable]]) -> None:
        """Compare the items of each key, in their order.

        Lost: expected and not found. Duplicated: expected and found more often. Diverged: found and not expected at all, or the same
        items in another order.
        """
        for key in expected.keys() | found.keys():
            want, got = list(expected.get(key, ())), list(found.get(key, ()))
            if want != got:
                lost, more = Counter(want) - Counter(got), Counter(got) - Counter(want)
                duplicated = sum(n for item, n in more.items() if item in set(want))
                self.add(f"{what}: lost", lost.total(), key)
                self.add(f"{what}: duplicated", duplicated, key)
                self.add(f"{what}: diverged", more.total() - duplicated or int(not lost and not duplicated), key)

    def add(self, what: str, count: int, place: object) -> None:
        """Count a finding, "what: kind", at a key or another place."""
        if count:
            self[what] += count
            places = self.places.setdefault(what, [])
            if len(places) < PLACES_MAX:
                places.append(str(place))

    def lines(self) -> list[str]:
        """What is wrong and where, for people."""
        return [f"{what} {count}, first at {', '.join(self.places[what])}" for what, count in sorted(self.items())]

    def total_of(self, kind: str) -> int:
        """How many of one of KINDS, whatever they are of."""
        return sum(count for what, count in self.items() if what.endswith(f": {kind}"))
