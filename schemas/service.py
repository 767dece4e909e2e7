"""A model of somebody else's: the `service` of a product's file names where cash flow or classification is asked for, and what else to do.

`agents/assessor` asks and checks, `schemas/model-service.openapi.yaml` is the contract.
"""

from collections.abc import Iterator
from typing import Annotated, Final
from urllib.parse import urlsplit

import msgspec

CASH_FLOW, CLASSIFICATION = "cash_flow", "classification"
PREDICTS: Final = (CASH_FLOW, CLASSIFICATION)
WAIT, BUILT_IN = "wait", "built_in"
FALLBACKS: Final = (WAIT, BUILT_IN)
LANES: Final = 8  # products that may have a service; each has a partition of `assets.queried` of its own
ASKED_MS_MAX: Final = 8_000  # timeout_ms * attempts: a rebalance waits for a question that is out
TOKEN_PREFIX: Final = "MODEL_TOKEN_"  # noqa: S105 - a name's beginning; so that no product file can have another secret of the worker's sent out


class Service(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is asked where. `lane` is the product's own: what waits there keeps no other product waiting.

    `token` names the variable of the worker's environment whose value goes along as bearer token; without it there is none.
    """

    url: Annotated[str, msgspec.Meta(pattern=r"\A[!-~]{1,2000}\Z")]
    predicts: str
    fallback: str
    lane: Annotated[int, msgspec.Meta(ge=0, lt=LANES)]
    timeout_ms: Annotated[int, msgspec.Meta(ge=50, le=ASKED_MS_MAX)] = 2_000
    attempts: Annotated[int, msgspec.Meta(ge=1, le=5)] = 3
    token: Annotated[str, msgspec.Meta(pattern=rf"\A{TOKEN_PREFIX}[A-Z0-9_]{{1,40}}\Z")] | None = None


def faults(said: Service) -> Iterator[tuple[str, str]]:
    """What is wrong: the field, by its path in the file, and why."""
    if why := url_fault(said.url):
        yield "service.url", why
    for name, allowed in (("predicts", PREDICTS), ("fallback", FALLBACKS)):
        value = getattr(said, name)
        if value not in allowed:
            yield f"service.{name}", f"{value!r} is none of {', '.join(allowed)}"
    if said.timeout_ms * said.attempts > ASKED_MS_MAX:
        yield "service.attempts", f"{said.attempts} of {said.timeout_ms} ms are more than {ASKED_MS_MAX} ms"


def url_fault(url: str) -> str:
    """Why an URL cannot be asked, empty if it can. It is not repeated: it may have a secret in it."""
    try:
        parts = urlsplit(url)
        odd = parts.port == 0
    except ValueError as fault:
        return f"is no URL: {fault}"
    if parts.scheme not in {"https", "http"} or not parts.hostname or odd:
        return "must begin with https:// or http:// and name a host"
    if "@" in parts.netloc:
        return "must have no user or password in it"
    return "must have no fragment (#)" if "#" in url else ""
