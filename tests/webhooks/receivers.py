"""Real HTTP servers that misbehave: each answers every connection by one coroutine of (what was sent, writer)."""

import asyncio
import base64
import contextlib
import hmac
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

PEM = Path(__file__).parent / "receiver.test.pem"  # for the name receiver.test, signed by itself, until 2120


class Request(NamedTuple):
    line: str
    headers: dict[str, str]
    body: bytes


Answer = Callable[[Request, asyncio.StreamWriter], Awaitable[None]]


class Receiver:
    """What it got, and where it is."""

    def __init__(self, answer: Answer) -> None:
        self.answer, self.requests, self.port, self.scheme = answer, [], 0, "http"

    def url(self, host: str = "receiver.test") -> str:
        return f"{self.scheme}://{host}:{self.port}/hook?key=k1"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
            request = Request(head[0], headers, await reader.readexactly(int(headers.get("content-length", 0))))
            self.requests.append(request)
            await self.answer(request, writer)
        writer.close()


@asynccontextmanager
async def receiver(answer: Answer, *, tls: bool = False) -> AsyncIterator[Receiver]:
    found, tasks = Receiver(answer), set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        await found.serve(reader, writer)

    context = None
    if tls:
        found.scheme, context = "https", ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(PEM)
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    found.port = server.sockets[0].getsockname()[1]
    yield found
    server.close()
    for task in tasks:
        task.cancel()


def says(status: int, body: bytes = b"", *headers: str) -> Answer:
    """A plain answer."""

    async def answer(_request: Request, writer: asyncio.StreamWriter) -> None:
        head = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers]
        writer.write("\r\n".join(head).encode() + b"\r\n\r\n" + body)
        await writer.drain()

    return answer


def in_turn(*answers: Answer) -> Answer:
    """One after the other; the last for all that follow."""
    left = list(answers)

    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        await (left.pop(0) if len(left) > 1 else left[0])(request, writer)

    return answer


def is_signed(whsec: str, request: Request) -> bool:
    """What a receiver does, written from the specification alone."""
    sent = request.headers
    content = b".".join([sent["webhook-id"].encode(), sent["webhook-timestamp"].encode(), request.body])
    key = base64.b64decode(whsec.split("_")[1])
    expected = "v1," + base64.b64encode(hmac.new(key, content, "sha256").digest()).decode()
    return expected in sent["webhook-signature"].split(" ")
