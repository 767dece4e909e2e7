"""Dead letters: what cannot be accepted goes to `assets.rejected` with its reason and place, in the Step's own transaction.

Poison is data, not an exception: its neighbours go through. But a message of an internal topic that nobody can read was written by us,
so it is counted; the Step stops the partition after too many in a row (`streams/step.py`), lest a bad deploy drain a topic away.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from schemas.asset import DOCUMENT_BYTES_MAX
from schemas.events import Rejected, encode
from streams import topics
from streams.effects import Effects, Message, Record

T = TypeVar("T")


def dead_letter(
    message: Message,
    reason: str,
    document: bytes | None = None,
    *,
    batch: str = "",
    originator: str = "",
    asset: str = "",
    position: int = 0,
    field: str = "",
) -> Record:
    """The quarantine of `document`, of `message` that brought it; by default of the message as a whole. At most 64 KiB of it are kept."""
    data = (message.value if document is None else document)[:DOCUMENT_BYTES_MAX]
    event = Rejected(batch, originator, asset, position, field, reason, message.source, data)
    return Record(topics.REJECTED, originator.encode(), encode(event))


def readable(messages: Sequence[Message], decode: Callable[[bytes], T], effects: Effects) -> Iterator[tuple[Message, T]]:
    """Each message with what `decode` makes of it; those that it refuses (ValueError, RecursionError) become poison in `effects`."""
    for message in messages:
        try:
            decoded = decode(message.value)
        except (ValueError, RecursionError) as fault:
            effects.poison += 1
            effects.records.append(dead_letter(message, f"cannot be read: {fault}"))
            continue
        yield message, decoded
