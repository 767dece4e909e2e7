"""The client of webhooks: one signed POST, tried a few times within a limit; an answer of bounded size, or a reason why there is none.

What receives is not ours and may be anything: silent, slow, broken, hostile. Whatever it does costs at most the limit in time and
ANSWER_BYTES_MAX in memory, reaches no address that is not public, and is told as one WebhookError.
"""

import asyncio
import ssl
from collections.abc import Callable
from time import time
from typing import Final

import httpx
import stamina

from streams.webhooks import network
from streams.webhooks.signing import signed_headers, webhook_secret

ANSWER_BYTES_MAX: Final = 256 * 1024
ATTEMPTS: Final = 5
AGAIN: Final = frozenset({408, 425, 429})  # and all of 5xx: the receiver may take the same message later
FIRST_WAIT_S: Final = 0.25
LAST_WAIT_S: Final = 10.0
REASON_CHARACTERS_MAX: Final = 120  # of what another program said


class WebhookError(Exception):
    """A message that was not taken, and why. The reason has neither the address nor any of the content: both may be secrets."""


class _AgainError(WebhookError):
    """It may be taken at another attempt: `after_s` seconds from now, or when we like."""

    def __init__(self, reason: str, after_s: float | None = None) -> None:
        super().__init__(reason)
        self.after_s = after_s


class Webhooks:
    """Posts to receivers, each with a secret of its own (`tranche webhook-secret`).

    `allow_private` lets requests reach addresses that are not public. `clock` gives the time for the signatures, in seconds since
    1970; `resolve` and `tls` stand for the system's names and for the public authorities.
    """

    def __init__(
        self,
        secret: str,
        *,
        allow_private: bool,
        clock: Callable[[], float] = time,
        resolve: network.Resolve = network.resolve,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._secret, self._clock = secret, clock
        transport = network.Transport(network.Checked(allow_private=allow_private, resolve=resolve), tls)
        self._client = httpx.AsyncClient(
            transport=transport,
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(None, connect=network.CONNECT_S),  # the whole attempt has a limit, which a slow drip meets too
            headers={"User-Agent": "tranche", "Accept-Encoding": "identity"},
        )

    async def post(
        self, receiver: str, url: str, id_: str, body: bytes, *, limit_s: float, content_type: str = "application/json"
    ) -> bytes:
        """Send `body` as message `id_`; the body of the answer, which was a 2xx, at most ANSWER_BYTES_MAX.

        `id_` is the same whenever the message is sent, ASCII without a dot. All attempts together take at most `limit_s` seconds, each at
        most half of it. Safe to be cancelled; the receiver may then have got it.

        Raises:
            WebhookError: it was not taken, or nobody knows.
            TokenError: the receiver can have no secret.
        """
        whsec = webhook_secret(self._secret, receiver)
        target = _checked(url)
        last: WebhookError | None = None
        try:
            async with asyncio.timeout(limit_s) as limit:
                async for attempt in stamina.retry_context(
                    on=_again, attempts=ATTEMPTS, timeout=limit_s, wait_initial=FIRST_WAIT_S, wait_max=LAST_WAIT_S, wait_jitter=FIRST_WAIT_S
                ):
                    with attempt:
                        headers = {**signed_headers(whsec, id_, int(self._clock()), body), "Content-Type": content_type}
                        try:
                            return await self._attempt(target, headers, body, limit_s / 2)
                        except _AgainError as fault:
                            last = fault
                            if fault.after_s is not None and asyncio.get_running_loop().time() + fault.after_s >= (limit.when() or 0):
                                raise WebhookError(f"{fault}, to be tried again in {fault.after_s:g} s: too late") from None
                            raise
        except TimeoutError:
            raise WebhookError(f"not taken within {limit_s:g} s" + (f"; before: {last}" if last else "")) from None
        except _AgainError as fault:
            raise WebhookError(str(fault)) from None
        raise AssertionError("an attempt returns or raises")

    async def close(self) -> None:
        """Close what is open."""
        await self._client.aclose()

    async def _attempt(self, target: httpx.URL, headers: dict[str, str], body: bytes, limit_s: float) -> bytes:
        try:
            async with asyncio.timeout(limit_s), self._client.stream("POST", target, headers=headers, content=body) as answer:
                _check(answer)
                return await _read(answer)
        except TimeoutError:
            raise _AgainError(f"no answer within {limit_s:g} s") from None
        except httpx.TimeoutException:
            raise _AgainError(f"no connection within {network.CONNECT_S:g} s") from None
        except httpx.TransportError as fault:
            # what h11 says of garbage quotes it
            raise _AgainError(f"{_words(type(fault).__name__)}: {str(fault)[:REASON_CHARACTERS_MAX]}") from None
        except network.RefusedError as fault:
            raise WebhookError(str(fault)) from None


def _again(fault: Exception) -> bool | float:
    if not isinstance(fault, _AgainError):
        return False
    return True if fault.after_s is None else fault.after_s


def _checked(url: str) -> httpx.URL:
    try:
        target = httpx.URL(url)
    except httpx.InvalidURL as fault:
        raise WebhookError(f"the address is no URL: {fault}") from None
    if target.scheme not in {"http", "https"} or not target.host or not 0 < (target.port or 80) < 65536:
        raise WebhookError("the address is no URL with http or https, a host and, if any, a port")
    if target.userinfo:
        raise WebhookError("the address has a user or password in it, which is not allowed")
    return target


def _check(answer: httpx.Response) -> None:
    status = answer.status_code
    if status in AGAIN or status >= 500:
        raise _AgainError(f"answered {status}", _seconds(answer.headers.get("Retry-After", "")))
    if answer.is_redirect or 300 <= status < 400:
        raise WebhookError(f"answered {status}, a redirect, which is not followed; give the address that it leads to")
    if not answer.is_success:
        raise WebhookError(f"answered {status}")
    coding = answer.headers.get("Content-Encoding", "identity")
    if coding != "identity":
        raise WebhookError(f"answered {status} in Content-Encoding {coding[:40]!r}, which was not asked for")


def _seconds(text: str) -> float | None:
    """A Retry-After in seconds (RFC 9110, 10.2.3). One with a date is passed over: our clock is not the receiver's."""
    return float(text) if text.isascii() and text.isdecimal() and len(text) <= 9 else None


async def _read(answer: httpx.Response) -> bytes:
    body = bytearray()
    async for piece in answer.aiter_raw():
        body += piece
        if len(body) > ANSWER_BYTES_MAX:
            raise WebhookError(f"answered {answer.status_code} with more than {ANSWER_BYTES_MAX} bytes")
    return bytes(body)


def _words(name: str) -> str:
    """ConnectError -> connect error."""
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()
