"""Connections for httpx that end where they were checked to end.

httpx asks its network backend for a connection to a name. Ours resolves the name once, refuses it if one of its addresses is not public,
and connects to one of these very addresses: a name that means something else a moment later (DNS rebinding) gains nothing. Host,
SNI and the certificate's check are made with the name, above us. No connection is kept, so none is made without a look.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

import httpcore
import httpx

from streams.webhooks.addresses import is_public

CONNECT_S: Final = 5.0  # for one address
ADDRESSES_MAX: Final = 4  # of a name, that are tried
CONNECTIONS_MAX: Final = 32

Resolve = Callable[[str, int], Awaitable[list[str]]]


class RefusedError(Exception):
    """The name, or an address of it, must not be asked."""


async def resolve(host: str, port: int) -> list[str]:
    """The addresses of `host`, in the system's order; an address is its own.

    Raises:
        OSError: there are none.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Checked(httpcore.AsyncNetworkBackend):
    """Connects to public addresses only; with `allow_private` to any."""

    def __init__(self, *, allow_private: bool, resolve: Resolve) -> None:
        self._allow_private, self._resolve, self._inner = allow_private, resolve, httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's interface
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """As httpcore's.

        Raises:
            RefusedError: one of the name's addresses is not public.
        """
        try:
            addresses = await self._resolve(host, port)
        except (OSError, UnicodeError) as unknown:
            raise httpcore.ConnectError(f"the name cannot be resolved: {unknown}") from unknown
        inside = [] if self._allow_private else [address for address in addresses if not is_public(address)]
        if inside:
            raise RefusedError(f"the name leads to {inside[0]}, which is not public; TRANCHE_WEBHOOKS_TO=any would allow it")
        fault: Exception = httpcore.ConnectError("the name has no address")
        for address in addresses[:ADDRESSES_MAX]:
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as refused:
                fault = refused
        raise fault


class Transport(httpx.AsyncHTTPTransport):
    """httpx's transport on `Checked`. httpx has no argument for the network backend; its pool has."""

    def __init__(self, backend: Checked, tls: ssl.SSLContext | None) -> None:
        super().__init__(trust_env=False)
        context = tls or httpx.create_ssl_context(trust_env=False)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context, max_connections=CONNECTIONS_MAX, max_keepalive_connections=0, network_backend=backend
        )
