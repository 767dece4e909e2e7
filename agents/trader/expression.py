"""Criteria as they were said: a tree of questions, not yet checked against any product. Pure.

It has two written forms, the language (`language.py`) and JSON (`form.py`). Each part knows its place there, for the messages.
"""

import enum
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

DEPTH_MAX: Final = 32

Place = tuple[int, int] | str  # in a text, the first character and the one after the last; in JSON, the path


class CriteriaError(ValueError):
    """Criteria that cannot be taken: why, and where. In a text also line and column, both from 1, and the line with a mark below it."""

    def __init__(self, why: str, place: Place, text: str | None = None) -> None:
        super().__init__(why)
        self.why, self.place = why, place
        self.line = self.column = 0
        self.shown = ""
        if text is not None and not isinstance(place, str):
            self._locate(text, *place)

    def _locate(self, text: str, start: int, end: int) -> None:
        before = text[:start]
        begin = before.rfind("\n") + 1
        self.line, self.column = before.count("\n") + 1, start - begin + 1
        line = text[begin:].partition("\n")[0]
        cut = max(0, start - begin - SHOWN // 2)
        line, at = line[cut : cut + SHOWN].replace("\t", " ").rstrip("\r"), start - begin - cut
        self.shown = f"{line}\n{' ' * at}{'^' * max(1, min(end - start, len(line) - at))}"

    def __str__(self) -> str:
        where = f"line {self.line}, column {self.column}" if self.line else self.place
        return f"{where}: {self.why}" if where else self.why


SHOWN: Final = 120  # characters of a line


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
