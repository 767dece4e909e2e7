"""Criteria as they were said: a tree of questions, not yet checked against any product. Pure.

It has two written forms, the language (`language.py`) and JSON (`form.py`). Each part knows its place there, for the messages.
"""

import enum
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

DEPTH_MAX: Final = 32
KEYWORDS: Final = frozenset(("and", "or", "not", "but", "when", "between", "in", "is", "known", "everything"))
BARE: Final = re.compile(r"[A-Za-z_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?", re.ASCII)  # a text that needs no quotes, unless it is a keyword
SHOWN: Final = 120  # characters of the line that an error shows

Place = tuple[int, int] | str  # in a text, the first character and the one after the last; in JSON, the path


class CriteriaError(ValueError):
    """Criteria that cannot be taken, and why.

    `path` leads to what is at fault in JSON. In a text it has `line` and `column`, both from 1, else 0, and `shown` is that line with a
    mark below the place.
    """

    def __init__(self, why: str, place: Place, text: str = "") -> None:
        super().__init__(why)
        self.why, self.place = why, place
        self.path, self.line, self.column, self.shown = "", 0, 0, ""
        if isinstance(place, str):
            self.path = place
        else:
            self._locate(text, *place)

    def _locate(self, text: str, start: int, end: int) -> None:
        begin = text.rfind("\n", 0, start) + 1
        self.line, self.column = text.count("\n", 0, start) + 1, start - begin + 1
        cut = max(begin, start - SHOWN // 2)  # of a long line the part around the place
        line = text[cut:].partition("\n")[0][:SHOWN].rstrip("\r").replace("\t", " ")
        self.shown = f"{line}\n{' ' * (start - cut)}{'^' * max(1, min(end - start, len(line) - start + cut))}"

    def __str__(self) -> str:
        where = f"line {self.line}, column {self.column}" if self.line else self.path
        return f"{where}: {self.why}" if where else self.why


class Shape(enum.StrEnum):
    """How a value was written."""

    WORD = "word"  # a text without quotes, or a name
    TEXT = "text"  # in quotes
    NUMBER = "number"  # 36, 0.06, -2
    PERCENT = "percentage"  # 6%
    DAY = "day"  # 2026-01-31
    STRING = "string"  # of JSON: any of these


@dataclass(frozen=True, slots=True)
class Word:
    """A value or a name, without quotes or sign of percentage."""

    text: str
    shape: Shape
    place: Place


class Test(enum.StrEnum):
    IS = "="
    BELOW = "<"
    AT_MOST = "<="
    ABOVE = ">"
    AT_LEAST = ">="
    BETWEEN = "between"  # two values, both included
    IN = "in"
    KNOWN = "is known"  # no value


@dataclass(frozen=True, slots=True)
class Ask:
    """One question about one attribute."""

    attribute: Word
    test: Test
    values: tuple[Word, ...] = ()
    depth: int = 1


@dataclass(frozen=True, slots=True)
class Not:
    of: "Node"
    depth: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "depth", self.of.depth + 1)


@dataclass(frozen=True, slots=True)
class Many:
    """All of some, or any of some. All of nothing is everything, any of nothing is nothing."""

    every: bool
    of: tuple["Node", ...]
    depth: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "depth", max((one.depth for one in self.of), default=0) + 1)


Node = Ask | Not | Many
EVERYTHING: Final = Many(True, ())


def asks(node: Node) -> Iterator[Ask]:
    """Every question of a tree that is at most DEPTH_MAX deep."""
    if isinstance(node, Ask):
        yield node
    else:
        for one in (node.of,) if isinstance(node, Not) else node.of:
            yield from asks(one)
