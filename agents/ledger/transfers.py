"""What a transfer is, its columns for posting, and the hash that binds it to the one before. Pure.

The hash of a transfer is SHA-256 of, one after the other: the hash of the transfer before (of the first: 32 zero bytes); the head as a JSON
array; the number of legs; account and amount of each leg, in order of account; of a distribution the holder and what is carried of
each, in its order. Numbers outside of the JSON have 64 bits, little-endian, signed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from agents.ledger.refusals import AMOUNT, FUTURE, WRONG_CURRENCY, RefusedError

Ints = NDArray[np.int64]

AMOUNT_MAX: Final = 2**63 - 1
FIRST: Final = bytes(32)  # what the hash of the first transfer follows, and of the first account
encode: Final = msgspec.json.Encoder().encode
_INT64: Final = np.dtype("<i8")


class Head(msgspec.Struct, frozen=True, array_like=True):
    """All of a transfer but its legs. `effective` is when it counts, `booked_ms` (Unix time) when it was known: the time of its cause."""

    id: str
    kind: str
    currency: str
    effective: date
    booked_ms: int
    source: str = ""  # topic-partition-offset of the message that caused it
    batch: str = ""  # of the document behind it, and the document's byte position there
    position: int = 0
    reverses: str | None = None  # the id of the transfer that this one takes back


def differences(there: Head, now: Head) -> list[str]:
    """Which fields differ, and how."""
    both = ((name, getattr(there, name), getattr(now, name)) for name in Head.__struct_fields__)
    return [f"{name} {one!s} and now {other!s}" for name, one, other in both if one != other]


class Leg(NamedTuple):
    account: str
    amount: int  # minor units; to the account if positive


class Carried(NamedTuple):
    """What is carried of one asset and component after a distribution: by holder, in millionths of a minor unit. It adds up to zero."""

    originator: str
    asset: str
    component: str
    holders: Ints  # accounts
    micro: Ints


class Transfer(NamedTuple):
    """One movement of money or claims: two legs or more, each of another account, that add up to zero. Made by `transfer`."""

    head: Head
    legs: tuple[Leg, ...]
    carried: Carried | None = None


@dataclass(frozen=True, slots=True)
class Postings:
    """Transfers in columns; transfer `i` has the legs `starts[i]` … `starts[i + 1]` - 1. In each they are in order of account."""

    heads: Sequence[Head]
    starts: Ints  # one more than heads
    accounts: Ints  # by number
    amounts: Ints
    carried: Mapping[int, Carried] = field(default_factory=dict)  # by place in `heads`

    def part(self, first: int, last: int) -> "Postings":
        """The transfers `first` … `last` - 1."""
        begin, end = int(self.starts[first]), int(self.starts[last])
        carried = {place - first: one for place, one in self.carried.items() if first <= place < last}
        starts = self.starts[first : last + 1] - begin
        return Postings(self.heads[first:last], starts, self.accounts[begin:end], self.amounts[begin:end], carried)

    def contents(self) -> Iterator[bytes]:
        """What is hashed of each transfer, by `following`."""
        legs = np.stack((self.accounts, self.amounts), axis=1).astype(_INT64, copy=False).tobytes()
        counts = np.diff(self.starts).astype(_INT64, copy=False).tobytes()
        begin = 0
        for place, (head, end) in enumerate(zip(self.heads, (16 * self.starts[1:]).tolist(), strict=True)):
            content = encode(head) + counts[8 * place : 8 * place + 8] + legs[begin:end]
            yield content + self._tail(place) if self.carried else content
            begin = end

    def _tail(self, place: int) -> bytes:
        one = self.carried.get(place)
        if one is None:
            return b""
        return np.stack((one.holders, one.micro), axis=1).astype(_INT64, copy=False).tobytes()


def following(before: bytes, content: bytes) -> bytes:
    """The hash of a transfer; `before` is that of the one before it."""
    return sha256(before + content).digest()


def postings(heads: Sequence[Head], counts: Ints, accounts: Ints, amounts: Ints, carried: Mapping[int, Carried] = {}) -> Postings:
    """Columns with the legs in order; `counts` says how many legs each transfer has."""
    starts = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=starts[1:])
    order = np.lexsort((accounts, np.repeat(np.arange(len(counts)), counts)))
    return Postings(heads, starts, accounts[order], amounts[order], carried)


def transfer(head: Head, *legs: Leg, carried: Carried | None = None) -> Transfer:
    """A transfer that any ledger may book; legs of nothing are left out.

    Raises:
        RefusedError: by the rule that it breaks.
    """
    some = tuple(leg for leg in legs if leg.amount)
    for name, cents in some:
        check_amount(abs(cents), name)
        if not name.endswith(f"/{head.currency}"):
            raise RefusedError(WRONG_CURRENCY, f"{name} is not of {head.currency}, in which the transfer is")
    total = sum(leg.amount for leg in some)
    if len(some) < 2 or total or len({leg.account for leg in some}) < len(some):
        raise RefusedError(
            AMOUNT, f"{len(some)} legs that add up to {total}: there must be two at least, of an account each, that add up to 0"
        )
    check_day(head.effective, head.booked_ms)
    return Transfer(head, some, carried)


def check_day(effective: date, booked_ms: int) -> None:
    """Raises RefusedError for what is effective after the day, in UTC, on which it was known."""
    known = datetime.fromtimestamp(booked_ms / 1000, UTC).date()
    if effective > known:
        raise RefusedError(FUTURE, f"effective on {effective}, after {known}, the day of its booking")


def check_amount(cents: int, what: str) -> None:
    """Raises RefusedError for an amount that is not between 1 and 2**63 - 1."""
    if not 1 <= cents <= AMOUNT_MAX:
        raise RefusedError(AMOUNT, f"{what}: {cents} is not an amount from 1 to {AMOUNT_MAX}")
