"""The chart of accounts: every account's kind, its name, and whose it is. Pure.

A name is `kind/…/currency`; what stands between are ids of investors, originators and assets, which have no slash, and of a hold the id
of its buy offer, which may. What an account owes its holder is positive. Limits are the database's (`account_kinds`).
"""

from collections.abc import Sequence
from datetime import date
from hashlib import sha256
from typing import Final, NamedTuple

import msgspec

BANK: Final = "bank"  # clients' money at the bank: what there is, so it is negative
WALLET: Final = "wallet"  # an investor's free money
HOLD: Final = "hold"  # money of one buy offer
SETTLEMENT: Final = "settlement"  # what an originator has to get for what it sold
FEES: Final = "fees"  # the platform's
TRANSIT: Final = "transit"  # what an originator reported as paid, and has not remitted: negative
PENDING: Final = "pending"  # an investor's part of that
RETAINED: Final = "retained"  # the originator's own part of that, which it keeps
PRINCIPAL: Final = "principal"  # what is outstanding of an asset: negative
UNSOLD: Final = "unsold"  # the originator's part of that
CLAIM: Final = "claim"  # an investor's part of that

CLIENT_CASH: Final = (WALLET, HOLD, SETTLEMENT, FEES)  # they add up to what is at the bank

# Which ids stand in a name, in order; "" is that of a hold, of any number of parts.
_PARTS: Final[dict[str, tuple[str, ...]]] = {
    BANK: (),
    WALLET: ("investor",),
    HOLD: ("investor", ""),
    SETTLEMENT: ("originator",),
    FEES: (),
    TRANSIT: ("originator",),
    PENDING: ("investor", "originator"),
    RETAINED: ("originator",),
    PRINCIPAL: ("originator", "asset"),
    UNSOLD: ("originator", "asset"),
    CLAIM: ("originator", "asset", "investor"),
}
KINDS: Final = tuple(_PARTS)
_encode: Final = msgspec.json.Encoder().encode


class Account(NamedTuple):
    """One account; `opened` is, of an asset's accounts, the day of its issue."""

    name: str
    kind: str
    currency: str
    investor: str | None
    originator: str | None
    asset: str | None
    opened: date


def account(name: str, opened: date) -> Account:
    """The account of that name.

    Raises:
        ValueError: no kind of account has such names.
    """
    kind, *ids, currency = name.split("/") if name.count("/") else ("", "")
    parts = _PARTS.get(kind)
    if parts is None or len(ids) < len(parts) or (len(ids) > len(parts) and kind != HOLD) or not all(ids) or not _is_currency(currency):
        raise ValueError(f"{name!r} is no account's name: it is KIND/IDS/CURRENCY, and kinds are {', '.join(KINDS)}")
    whose = dict(zip(parts, ids, strict=False))
    return Account(name, kind, currency, whose.get("investor"), whose.get("originator"), whose.get("asset"), opened)


def named(kind: str, *ids: str, currency: str) -> str:
    """The name of an account of `kind` that belongs to `ids`."""
    return "/".join((kind, *ids, currency))


def _is_currency(text: str) -> bool:
    return len(text) == 3 and text.isascii() and text.isalpha() and text.isupper()


def hashes(before: bytes, first: int, accounts: Sequence[Account]) -> list[bytes]:
    """The hash of each account, numbered from `first`: SHA-256 of the hash of the one before and of [number, name, opened] as JSON."""
    found: list[bytes] = []
    for number, one in enumerate(accounts, first):
        before = sha256(before + _encode([number, one.name, one.opened])).digest()
        found.append(before)
    return found
