"""The symmetric signatures of Standard Webhooks 1.0.0.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

A receiver's secret is made from the system's, so nothing is stored; like a bearer token it is valid until the system's secret changes.
"""

import hmac
from base64 import b64decode, b64encode
from typing import Final

from streams.tokens import SECRET_CHARACTERS_MIN, TokenError, is_id

PREFIX: Final = "whsec_"


def webhook_secret(secret: str, receiver: str) -> str:
    """What `receiver` checks signatures with: `whsec_` and 32 bytes, HMAC-SHA256 (RFC 2104) over its name, in base64.

    Raises:
        TokenError: the system's secret is too short, or the receiver's name is no id.
    """
    if len(secret) < SECRET_CHARACTERS_MIN:
        raise TokenError(f"the secret must have at least {SECRET_CHARACTERS_MIN} characters")
    if not is_id(receiver):
        raise TokenError(f"id {receiver!r} must be 1 to 64 characters of a-z, 0-9 and hyphen")
    return PREFIX + b64encode(hmac.digest(secret.encode(), f"tranche webhook.{receiver}".encode(), "sha256")).decode()


def signed_headers(whsec: str, id_: str, at_s: int, body: bytes) -> dict[str, str]:
    """The three headers of a message `id_`, the same at every attempt, sent at `at_s` (seconds since 1970), as the receiver gets it.

    Raises:
        ValueError: a dot in the id; the dot is what separates the signed parts, so two messages could have one signature.
    """
    if not id_ or "." in id_ or not id_.isascii() or not id_.isprintable():
        raise ValueError(f"{id_!r} is no webhook-id: printable ASCII without a dot")
    content = f"{id_}.{at_s}.".encode() + body
    signature = hmac.digest(b64decode(whsec.removeprefix(PREFIX)), content, "sha256")
    return {"webhook-id": id_, "webhook-timestamp": str(at_s), "webhook-signature": f"v1,{b64encode(signature).decode()}"}
