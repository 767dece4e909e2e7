"""Asks products' model services, of all questions of one Step side by side, each within its service's limits.

A service may be silent, slow or broken. Its answer has at most ANSWER_BYTES_MAX, redirects are not followed, the environment's proxies
are not used, and a circuit breaker, one of each service and worker, spares it while it fails.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import Any, Final

import httpx
import stamina
import structlog

from schemas.service import ASKED_MS_MAX, WAIT
from streams import metrics
from streams.breaker import Breaker
from streams.effects import Answers, Query, UnansweredError

ANSWER_BYTES_MAX: Final = 4 * 1024 * 1024
SIDE_BY_SIDE: Final = 4  # questions of one service and worker
FIRST_WAIT_S, LAST_WAIT_S, JITTER_S = 0.05, 0.5, 0.1
LONGEST_S: Final = 2 * ASKED_MS_MAX / 1000  # of all attempts and waits of one question
HEADERS: Final = {"User-Agent": "tranche", "Accept-Encoding": "identity"}
AGAIN: Final = frozenset({408, 425, 429})  # and all of 5xx

log = structlog.get_logger()


class _NoAnswerError(Exception):
    """No answer, and none to be expected of another attempt. The reason has neither the address nor any of the content."""


class _AgainError(_NoAnswerError):
    """Another attempt may be answered."""


class Models:
    """The services that this worker asks. `tokens` has the variables that products may name (`settings.model_tokens`)."""

    def __init__(self, tokens: Mapping[str, str], clock: Callable[[], float] = monotonic) -> None:
        self._tokens, self._clock = tokens, clock
        self._breakers: dict[str, Breaker] = {}
        self._places: dict[str, asyncio.Semaphore] = {}
        self._client = httpx.AsyncClient(
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(None),
            headers=HEADERS,
        )

    async def ask(self, queries: Sequence[Query]) -> Answers:
        """An answer to each, or why there is none.

        Raises:
            UnansweredError: there is none, and the product is to wait for it.
        """
        answers = await asyncio.gather(*(self._answer(query) for query in queries))
        for query, (_, why) in zip(queries, answers, strict=True):
            if why and query.service.fallback == WAIT:
                raise UnansweredError(f"model service of {query.product}: {why}")
        return {query.id: why or answer for query, (answer, why) in zip(queries, answers, strict=True)}

    async def close(self) -> None:
        """Close what is open."""
        await self._client.aclose()

    async def _answer(self, query: Query) -> tuple[Any, str]:
        """The answer, or why there is none."""
        url = query.service.url
        breaker, place = self._breakers.setdefault(url, Breaker()), self._places.setdefault(url, asyncio.Semaphore(SIDE_BY_SIDE))
        async with place:
            if not breaker.lets(self._clock(), LONGEST_S):
                metrics.MODEL_QUERIES.labels(query.product, "spared").inc()
                return None, "is not asked for a while, it failed too often"
            try:
                answer = await self._tried(query)
            except _NoAnswerError as fault:
                breaker.failed(self._clock())
                metrics.MODEL_QUERIES.labels(query.product, "failed").inc()
                log.warning("a model service gave no answer", product=query.product, id=query.id, why=str(fault))
                return None, str(fault)
        breaker.answered()
        metrics.MODEL_QUERIES.labels(query.product, "answered").inc()
        return answer, ""

    async def _tried(self, query: Query) -> Any:
        headers = {"Content-Type": "application/json"}
        if name := query.service.token:
            if name not in self._tokens:  # the product came while this worker ran
                raise _NoAnswerError(f"{name}, its token, is not set where this worker runs")
            headers["Authorization"] = f"Bearer {self._tokens[name]}"
        attempts = stamina.retry_context(
            on=_AgainError,
            attempts=query.service.attempts,
            timeout=None,
            wait_initial=FIRST_WAIT_S,
            wait_max=LAST_WAIT_S,
            wait_jitter=JITTER_S,
        )
        async for attempt in attempts:
            with attempt:
                body = await self._attempt(query, headers)
        try:
            return query.read(body)
        except ValueError as fault:
            raise _NoAnswerError(f"a wrong answer: {fault}") from None

    async def _attempt(self, query: Query, headers: dict[str, str]) -> bytes:
        limit_s = query.service.timeout_ms / 1000
        try:
            async with (
                asyncio.timeout(limit_s),
                self._client.stream("POST", query.service.url, headers=headers, content=query.body) as answer,
            ):
                if answer.status_code in AGAIN or answer.status_code >= 500:
                    raise _AgainError(f"answered {answer.status_code}")
                if answer.status_code != httpx.codes.OK:
                    raise _NoAnswerError(f"answered {answer.status_code}")
                body = bytearray()
                async for piece in answer.aiter_raw():
                    body += piece
                    if len(body) > ANSWER_BYTES_MAX:
                        raise _NoAnswerError(f"answered with more than {ANSWER_BYTES_MAX} bytes")
                return bytes(body)
        except TimeoutError:
            raise _AgainError(f"no answer within {limit_s:g} s") from None
        except httpx.TransportError as fault:
            raise _AgainError(type(fault).__name__) from None
        except (httpx.InvalidURL, UnicodeError) as fault:  # a name that cannot be one of a host
            raise _NoAnswerError(type(fault).__name__) from None
