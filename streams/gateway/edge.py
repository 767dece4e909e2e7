"""Around every request: its log line, and the answer that reaches a client which is still sending.

A server that answers and closes while the client sends makes the client see a broken connection instead of the answer (RFC 9112, 9.6).
So an early answer goes out at once, and what the client still sends is read and dropped for a while before the connection is closed.
"""

import asyncio
import time

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streams.gateway.limits import Limits

log = structlog.get_logger()


class Edge:
    """ASGI middleware, the outermost."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app, self._limits = app, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        structlog.contextvars.clear_contextvars()
        exchange = _Exchange(scope, receive, send, self._limits)
        started = time.perf_counter()
        try:
            await self._app(scope, exchange.receive, exchange.send)
        finally:
            ms = round((time.perf_counter() - started) * 1000, 1)
            log.info("request", method=scope["method"], path=scope["path"], status=exchange.status, ms=ms)


class _Exchange:
    """One request and its answer. `unread`: the client still sends."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, limits: Limits) -> None:
        self._receive, self._send, self._limits = receive, send, limits
        self.status = 0
        self.unread = any(name in {b"content-length", b"transfer-encoding"} and value != b"0" for name, value in scope["headers"])

    async def receive(self) -> Message:
        message = await self._receive()
        self.unread = bool(message.get("more_body"))
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            if self.unread:
                message["headers"] = [*message["headers"], (b"connection", b"close")]
        elif self.unread and not message.get("more_body"):
            await self._send({**message, "more_body": True})
            await self._linger()
            message = {"type": "http.response.body"}
        await self._send(message)

    async def _linger(self) -> None:
        size = 0
        try:
            async with asyncio.timeout(self._limits.linger_s):
                while self.unread:
                    size += len((await self.receive()).get("body", b""))
        except TimeoutError:
            log.info("client still sends", bytes_dropped=size)
