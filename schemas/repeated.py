"""What stands twice where it may stand once."""

from collections import Counter
from collections.abc import Iterable


def repeated(names: Iterable[str]) -> list[str]:
    """The names that come more than once, each once, in order."""
    return [name for name, count in Counter(names).items() if count > 1]
