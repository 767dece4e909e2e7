"""The same file sent again: the sender is answered with the first batch of its bytes.

Uploads are handed to the broker while they come, so when the digest is known the documents are on their way. They stay so: the second
sending is a batch of its own, marked `same_as` the first, whose documents are compared as any others and come out unchanged, and every
batch is accounted to its last document. Recognition decides the answer and nothing else, so it can be wrong and do no harm.

A file is recognised if a batch of the same originator with the same digest and size was received whole, and no batch of that originator
with other content was received since that one began: after A, B, A the second A undoes what B changed, and that is a delivery of its own.
The database knows the batches, this gateway those that the database does not show yet. Without an answer of the database in time nothing
is recognised. `?force=true` does not ask.
"""

import asyncio
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from streams.gateway.context import Gateway
from streams.gateway.delivery import Delivery
from streams.gateway.problems import ProblemError


class Content(NamedTuple):
    """What is in a file: XXH3-128, hexadecimal, and bytes."""

    digest: str
    size: int


class Received(NamedTuple):
    """A batch of one originator that was received; `content` is None unless it was whole."""

    batch: str
    began: datetime
    received: datetime
    content: Content | None


async def recognised(gateway: Gateway, delivery: Delivery) -> str:
    """The first batch with the content of `delivery`, all of which has come; empty if it is to be answered as a new one."""
    content = Content(delivery.digest, delivery.size)
    try:
        async with asyncio.timeout(gateway.limits.recognise_s):
            other, stored = await gateway.database.same(delivery.originator, *content)
    except (ProblemError, TimeoutError):
        return ""
    known = [Received(stored[0], stored[1], stored[2], content)] if stored else []
    ours = (
        Received(
            batch, status["began_at"], status["received_at"], Content(status["digest"], status["bytes"]) if "error" not in status else None
        )
        for batch, status in gateway.recent.of(delivery.originator)
    )
    return first_of(content, other, [*known, *ours])


def first_of(content: Content, other: datetime | None, known: Iterable[Received]) -> str:
    """The first of `known` with this content, if nothing else came since it began; `other` is when something else came last, if it did."""
    batches = list(known)
    others = [batch.received for batch in batches if batch.content != content]
    since = max([*others, other] if other else others, default=None)
    same = [batch for batch in batches if batch.content == content and (since is None or batch.began > since)]
    return min(same, key=lambda batch: batch.received).batch if same else ""
