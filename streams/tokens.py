"""Bearer tokens: who is calling, signed with the system's secret, nothing stored.

A token is `kind.id.mac`, e.g. `originator.bluebird.<mac>`; the mac is HMAC-SHA256 (RFC 2104) over kind and id, base64url without padding
(RFC 4648, section 5). It is valid until the secret changes.
"""

import hmac
import re
from base64 import urlsafe_b64encode
from typing import Final, Literal, NamedTuple, get_args

Kind = Literal["originator", "investor", "operator"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
SECRET_CHARACTERS_MIN: Final = 32
is_id: Final = re.compile(r"[a-z0-9-]{1,64}").fullmatch


class TokenError(ValueError):
    """A token that this system has not issued, or one that cannot be issued. The message never holds the token."""


class Principal(NamedTuple):
    """Who is calling."""

    kind: Kind
    id: str


def issue(secret: str, kind: Kind, id: str) -> str:  # noqa: A002 - the word of the contract
    """The token of `id`, 1 to 64 characters of a-z, 0-9 and hyphen.

    Raises:
        TokenError: the secret is too short, there is no such kind, or the id has other characters.
    """
    if len(secret) < SECRET_CHARACTERS_MIN:
        raise TokenError(f"the secret must have at least {SECRET_CHARACTERS_MIN} characters")
    if kind not in KINDS:
        raise TokenError(f"kind {kind!r} is none of {', '.join(KINDS)}")
    if not is_id(id):
        raise TokenError(f"id {id!r} must be 1 to 64 characters of a-z, 0-9 and hyphen")
    return f"{kind}.{id}.{_mac(secret, kind, id)}"


def verify(secret: str, token: str) -> Principal:
    """Who the token was issued to. The comparison takes the same time wherever the macs differ.

    Raises:
        TokenError: its form is wrong, or the mac is not this secret's.
    """
    kind, _, rest = token.partition(".")
    name, _, mac = rest.partition(".")
    if not token.isascii() or len(secret) < SECRET_CHARACTERS_MIN or kind not in KINDS or not is_id(name):
        raise TokenError("this is no token of this system")
    if not hmac.compare_digest(_mac(secret, kind, name).encode(), mac.encode()):
        raise TokenError("the token's signature is wrong")
    return Principal(kind, name)


def _mac(secret: str, kind: str, name: str) -> str:
    return urlsafe_b64encode(hmac.digest(secret.encode(), f"tranche {kind}.{name}".encode(), "sha256")).rstrip(b"=").decode()
