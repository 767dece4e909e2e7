"""What goes into an agent and what comes out of it: the whole interface between the pure core and the Step.

An agent's `compute` is a pure function (state, messages) -> Effects. The Step runs it and makes the records, the table rows and the
source offset one transaction; a Sink's `compute` returns Statements, which become one PostgreSQL transaction with the offset.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol

from schemas.service import Service
from streams.topics import Topic

TAKE_BYTES: Final = 4 * 1024 * 1024  # of one Step's input at most: bounds its memory; `streams/pace.py` bounds its time
GATHER_S: Final = 0.15  # from the beginning of a Step to that of the next in its partition, unless that is a full one

Headers = tuple[tuple[str, bytes], ...]
Rows = Mapping[bytes, bytes | None]  # a table's changed rows; None deletes


class Message(NamedTuple):
    """One record of a source partition, as read (committed only)."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes
    headers: Headers

    @property
    def source(self) -> str:
        """topic-partition-offset: where a reader finds it again."""
        return f"{self.topic}-{self.partition}-{self.offset}"


class Fetch(NamedTuple):
    """What the consumer read of a source partition in one go: `messages` is all that is committed in [start, end)."""

    start: int
    end: int
    messages: list[Message]


def not_included(messages: Iterable[Message], offset: int) -> list[Message]:
    """The messages above `offset`, each once: a consumer that was put back delivers twice, and both may wait for the same Step."""
    found: list[Message] = []
    for message in messages:
        if message.offset > offset:
            found.append(message)
            offset = message.offset
    return found


class Record(NamedTuple):
    """One record to write: to `partition`, or where it is None to the partition of `key` (murmur2, as Java's default)."""

    topic: Topic
    key: bytes | None
    value: bytes | None  # None deletes the key of a table
    partition: int | None = None
    headers: Headers = ()


@dataclass(slots=True)
class Effects:
    """All that one Step does: records in order, and the table's changed rows."""

    records: list[Record] = field(default_factory=list)
    rows: dict[bytes, bytes | None] = field(default_factory=dict)
    poison: int = 0  # messages that could not be read at all and were put in quarantine whole


class Question(NamedTuple):
    """What somebody outside is asked: `body`, sent to `url`, signed for `receiver`. Asked again, it has the same `id`."""

    receiver: str
    url: str
    id: str
    body: bytes


class Query(NamedTuple):
    """What a product's model service is asked. `read` makes the answer of what comes back, or raises ValueError."""

    service: Service
    product: str
    id: str
    body: bytes
    read: Callable[[bytes], Any]


class UnansweredError(Exception):
    """Somebody outside does not answer, and the Step is to wait for them: nothing was done of it, and it may be tried again."""


ORIGINATORS, MODELS = "originators", "models"  # who is asked: with Questions, or with Queries

Answers = Mapping[str, Any]  # by a question's id: what came back (bytes), or of a Query what it read; a str says why nothing did
Ask = Callable[[Sequence[Any]], Awaitable[Answers]]  # within a bounded time; for want of an answer it raises at most UnansweredError


class State(Protocol):
    """What an agent holds of one partition. Built from the table's rows alone, changed by committed rows alone."""

    def apply(self, rows: Rows) -> None:
        """Take in rows: all of the changelog when the partition opens, then those of each committed Step."""


class Table(dict[bytes, bytes]):
    """The plain State: the rows themselves."""

    def apply(self, rows: Rows) -> None:
        for key, value in rows.items():
            if value is None:
                self.pop(key, None)
            else:
                self[key] = value


@dataclass(frozen=True, slots=True)
class Stage:
    """An agent: one source topic, one table, one pure function.

    `take_bytes` of input at most go into one Step, or a single message. `gather_s` is the pace's (`streams/pace.py`): 0 where input comes
    from outside.

    Where there are `questions`, a pure function too, the Step asks them before its transaction, and `compute` gets `answers=` of all of
    them. A Step that is repeated asks again, under the same ids.

    A stage `by_newest` decides by the newest products that there are: its table notes how far they were read (`streams/step.py`).
    """

    name: str
    source: Topic
    table: Topic
    compute: Callable[..., Effects]  # (state, messages)
    state: Callable[[], State] = Table
    take_bytes: int = TAKE_BYTES
    gather_s: float = GATHER_S
    questions: Callable[[Sequence[Message]], Sequence[Question] | Sequence[Query]] | None = None
    asks: str = ORIGINATORS
    by_newest: bool = False


class Copy(NamedTuple):
    """Rows for PostgreSQL's COPY: `csv` has `columns` in order, no header; an unquoted empty field is null."""

    table: str
    columns: tuple[str, ...]
    csv: bytes


class Execute(NamedTuple):
    """One statement, run once for each tuple of arguments."""

    sql: str
    arguments: Sequence[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Sink:
    """An agent whose effects are PostgreSQL rows: statements and offset are one transaction, the stored offset is the fence."""

    name: str
    source: Topic
    compute: Callable[[Sequence[Message]], list[Copy | Execute]]
